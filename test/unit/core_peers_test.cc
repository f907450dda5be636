// Who is known, and for how long: a full table, peers that leave a LAN, LANs that change under
// them.
#include <doctest/doctest.h>

#include "core/path.h"
#include "unit/core_rig.h"

namespace faild {
namespace {

using rig::Peer;
using rig::Rig;
using rig::settle;

size_t entries_for(const Rig& rig, const std::string& address) {
  const Prefix prefix = *parse_prefix(address);
  return static_cast<size_t>(
      std::count_if(rig.kernel.begin(), rig.kernel.end(),
                    [&](const KernelEntry& it) { return it.key.destination == prefix; }));
}

TEST_CASE("in a full table who has been gone for long makes room, and takes its routes along") {
  Rig rig(2, 2);
  settle(rig, 2);
  rig.peers[0].speaks[0] = rig.peers[0].speaks[1] = false;
  rig.run(Duration::ms(100));
  REQUIRE(rig.path(2, 0).state == PathState::kDown);
  rig.add_peer(4);
  rig.run(Duration::ms(100));
  CHECK(rig.drops(Drop::kTableFull) > 0);  // not so soon
  rig.now = rig.now + Duration::seconds(8 * 3600);
  rig.run(Duration::ms(300));
  CHECK(rig.count(EventKind::kPeerForgotten) == 1);
  CHECK(rig.path(4, 0).state == PathState::kUp);
  CHECK(rig.path(4, 1).state == PathState::kUp);
  CHECK(rig.path(3, 0).state == PathState::kUp);
  CHECK(entries_for(rig, "10.1.0.2/32") == 0);
  CHECK(entries_for(rig, "10.1.0.4/32") == 1);
  // The newcomer fails over like anybody.
  rig.peers[2].speaks[0] = false;
  rig.run(Duration::ms(100));
  CHECK(rig.entry(kExceptionsTable, "10.1.0.4/32") != nullptr);
  CHECK(rig.last_missing(0).size() == 1);
}

TEST_CASE("a table full of hosts that are alive takes in nobody else") {
  Rig rig(2, 2);
  settle(rig, 2);
  rig.now = rig.now + Duration::seconds(9 * 3600);
  rig.run(Duration::ms(100));
  rig.add_peer(4);
  rig.run(Duration::seconds(2));
  CHECK(rig.count(EventKind::kPeerForgotten) == 0);
  CHECK(rig.drops(Drop::kTableFull) > 0);
}

// Its advert is taken over once in 100 ms, so that the address may be known only after the verdict.
TEST_CASE("traffic for an address that is learnt while its LAN is dead moves, and that is told") {
  Rig rig(2);
  Peer& peer = rig.add_peer(2);
  peer.addresses[0] = {"fe80::2/64"};
  rig.begin();
  rig.run(Duration::ms(300));
  REQUIRE(rig.all_up());
  peer.advert_version++;
  rig.run(Duration::ms(10));
  peer.addresses[0] = {"10.1.0.2/16"};
  peer.advert_version++;
  peer.speaks[0] = false;
  rig.run(Duration::ms(50));
  REQUIRE(rig.path(2, 0).state == PathState::kDown);
  REQUIRE(entries_for(rig, "10.1.0.2/32") == 0);
  rig.run(Duration::ms(100));
  CHECK(rig.entry(kExceptionsTable, "10.1.0.2/32") != nullptr);
  CHECK(rig.count(EventKind::kFailover) == 1);
  // Told once: no other address of it is another failover.
  peer.addresses[0].push_back("10.1.7.2/16");
  peer.advert_version++;
  rig.run(Duration::ms(200));
  CHECK(rig.entry(kExceptionsTable, "10.1.7.2/32") != nullptr);
  CHECK(rig.count(EventKind::kFailover) == 1);
}

TEST_CASE("a peer that leaves a LAN leaves no path there that would be down for ever") {
  Rig rig(2);
  settle(rig, 2);
  Peer& peer = rig.peers[0];
  peer.addresses[0] = {"192.168.5.2/24"};
  peer.advert_version++;
  peer.speaks[0] = false;
  rig.run(Duration::seconds(2));
  CHECK(rig.path(2, 0).host == HostId{});
  CHECK(rig.path(2, 1).state == PathState::kUp);
  CHECK(entries_for(rig, "10.1.0.2/32") == 0);
  LanRow lan;
  rig.engine->read_lan(LanIndex{0}, &lan);
  CHECK(lan.paths_up == 1);
  CHECK(lan.paths_down == 0);
}

TEST_CASE("an interface that gets another prefix finds its peers there anew") {
  Rig rig(2);
  settle(rig, 1);
  LanConfig lan = rig.config.lans[0];
  lan.addresses.clear();
  REQUIRE(lan.addresses.push(*parse_prefix("172.16.0.1/24")));
  rig.engine->on_interface(rig.now, LanIndex{0}, lan, *rig.effects);
  rig.finish();
  CHECK(rig.path(2, 0).host == HostId{});
  CHECK(entries_for(rig, "10.1.0.2/32") == 0);
  rig.peers[0].addresses[0] = {"172.16.0.2/24"};
  rig.peers[0].advert_version++;
  rig.run(Duration::ms(500));
  CHECK(rig.path(2, 0).state == PathState::kUp);
  CHECK(entries_for(rig, "172.16.0.2/32") == 1);
}

TEST_CASE("an interface that gets another prefix loses the neighbour entries of everybody there") {
  Rig rig(2, 512);
  settle(rig, 300);  // more than one step has room for
  rig.ops.clear();
  LanConfig lan = rig.config.lans[0];
  lan.addresses.clear();
  REQUIRE(lan.addresses.push(*parse_prefix("172.16.0.1/24")));
  rig.engine->on_interface(rig.now, LanIndex{0}, lan, *rig.effects);
  rig.finish();
  rig.run(Duration::ms(20));
  const auto goes = [](const RouteOp& op) {
    return op.kind == RouteOp::Kind::kNeighbour && op.neighbour_mac == MacAddress{} &&
           op.neighbour_ifindex == 10;
  };
  CHECK(std::count_if(rig.ops.begin(), rig.ops.end(), goes) == 300);
  for (uint64_t id = 2; id < 302; id++) CHECK(rig.path(id, 0).host == HostId{});
}

TEST_CASE("an interface that loses its addresses leaves no neighbour entry behind") {
  Rig rig(2);
  settle(rig, 1);
  const auto goes = [](const RouteOp& op) {
    return op.kind == RouteOp::Kind::kNeighbour && op.neighbour_mac == MacAddress{} &&
           op.neighbour_ifindex == 10 && op.neighbour == rig::ip("10.1.0.2");
  };
  rig.ops.clear();
  // As `ip address flush` does it: the link-local address alone says not which LAN this is.
  LanConfig lan = rig.config.lans[0];
  lan.addresses.clear();
  REQUIRE(lan.addresses.push(*parse_prefix("fe80::1/64")));
  rig.engine->on_interface(rig.now, LanIndex{0}, lan, *rig.effects);
  rig.finish();
  CHECK(std::count_if(rig.ops.begin(), rig.ops.end(), goes) == 1);
  lan.addresses.clear();
  REQUIRE(lan.addresses.push(*parse_prefix("172.16.0.1/24")));
  rig.engine->on_interface(rig.now, LanIndex{0}, lan, *rig.effects);
  rig.finish();
  CHECK(rig.path(2, 0).host == HostId{});
}

TEST_CASE("a card that is replaced takes the neighbour entries of its old addresses along") {
  Rig rig(2);
  settle(rig, 1);
  rig.peers[0].addresses[0].push_back("10.1.9.9/16");
  rig.peers[0].advert_version++;
  rig.run(Duration::ms(10));
  rig.peers[0].speaks[0] = false;
  rig.run(Duration::ms(50));
  REQUIRE(rig.path(2, 0).state == PathState::kDown);
  rig.ops.clear();
  // Its new MAC address is learnt before its new addresses are: these changed a moment ago.
  rig.peers[0].speaks[0] = true;
  rig.peers[0].card = 1;
  rig.peers[0].addresses[0].pop_back();
  rig.peers[0].advert_version++;
  rig.run(Duration::ms(300));
  const auto last = [&](const char* address) {
    const auto of = [&](const RouteOp& op) {
      return op.kind == RouteOp::Kind::kNeighbour && op.neighbour == rig::ip(address);
    };
    const auto found = std::find_if(rig.ops.rbegin(), rig.ops.rend(), of);
    REQUIRE(found != rig.ops.rend());
    return found->neighbour_mac;
  };
  CHECK(last("10.1.9.9") == MacAddress{});
  CHECK(last("10.1.0.2") == MacAddress{{2, 1, 0, 1, 0, 2}});
}

TEST_CASE(
    "a failover that was adopted and not yet claimed follows its interface to another index") {
  Rig rig(2);
  KernelEntry entry;
  entry.key = {RouteKey::Kind::kRoute, kExceptionsTable, *parse_prefix("10.1.0.2/32")};
  entry.target.out_ifindex = 11;
  entry.target.gateway = rig::ip("10.2.0.2");
  entry.priority = 1005;
  rig.kernel.push_back(entry);
  rig.begin();
  LanConfig lan = rig.config.lans[1];
  lan.ifindex = 77;
  rig.kernel.clear();  // with the device went its routes
  rig.engine->on_interface(rig.now, LanIndex{1}, lan, *rig.effects);
  rig.finish();
  rig.resync();
  REQUIRE(rig.entry(kExceptionsTable, "10.1.0.2/32") != nullptr);
  CHECK(rig.entry(kExceptionsTable, "10.1.0.2/32")->target.out_ifindex == 77);
}

TEST_CASE("a dead host keeps no LAN from being ready for its next failure") {
  Rig rig(2);
  settle(rig, 2);
  for (Peer& peer : rig.peers) peer.speaks[0] = false;
  rig.run(Duration::ms(100));
  REQUIRE(rig.rule(standby_table(LanIndex{0})));
  rig.peers[0].speaks[1] = false;  // one dies while its traffic is away
  rig.run(Duration::ms(100));
  rig.peers[1].speaks[0] = true;
  rig.run(Duration::seconds(1));
  CHECK(rig.path(3, 0).state == PathState::kUp);
  CHECK_FALSE(rig.rule(standby_table(LanIndex{0})));
  CHECK(rig.entry(standby_table(LanIndex{0}), "10.1.0.3/32") != nullptr);
}

TEST_CASE("a peer that spoke very fast, or very slowly, sets the pace no longer than it speaks") {
  Rig rig(2);
  settle(rig, 2);
  Heartbeat beat = rig.beat_of(rig.peers[0], 0, MessageType::kInq);
  beat.sequence = ++rig.peers[0].sequence[0];
  beat.interval = Duration::us(50);
  rig.deliver(beat, 0);
  CHECK(rig.engine->shortest_interval() == Duration::us(50));
  rig.peers[0].speaks[0] = rig.peers[0].speaks[1] = false;
  rig.run(Duration::seconds(21));
  CHECK(rig.engine->shortest_interval() == Duration::ms(10));
}

}  // namespace
}  // namespace faild
