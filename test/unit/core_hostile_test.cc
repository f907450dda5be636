// What one hostile, broken or merely unlucky host may do to the others, and that it passes: nothing
// that a single packet claims may hold for ever, cost without bound, or reach into the kernel for
// addresses that are somebody else's.
#include <doctest/doctest.h>

#include <array>
#include <string>

#include "core/path.h"
#include "unit/core_rig.h"

namespace faild {
namespace {

using rig::Peer;
using rig::Rig;
using rig::settle;

// An inquiry in the peer's name that continues what it said last.
Heartbeat forge(const Rig& rig, const Peer& peer, size_t lan) {
  Heartbeat beat = rig.beat_of(peer, lan, MessageType::kInq);
  beat.sequence = peer.sequence[lan] + 1;
  return beat;
}

TEST_CASE("an incarnation from the future does not shut its host out for ever") {
  Rig rig(2);
  settle(rig, 1);
  Heartbeat beat = forge(rig, rig.peers[0], 0);
  beat.incarnation = Incarnation{UINT64_MAX};
  rig.deliver(beat, 0);
  rig.run(Duration::seconds(5));
  CHECK_FALSE(rig.all_up());  // an old packet is old as long as the new incarnation may live
  rig.run(Duration::seconds(10));
  CHECK(rig.all_up());
}

TEST_CASE("a goodbye that somebody else said is forgotten when its host speaks on") {
  Rig rig(2);
  settle(rig, 1);
  rig.deliver(rig.beat_of(rig.peers[0], 0, MessageType::kBye), 0);
  rig.run(Duration::ms(500));
  CHECK(rig.path(2, 0).state == PathState::kStopped);
  rig.run(Duration::seconds(2));
  CHECK(rig.all_up());
}

TEST_CASE("a sequence that jumped ahead does not make its host unheard for ever") {
  Rig rig(2);
  settle(rig, 1);
  Heartbeat beat = forge(rig, rig.peers[0], 0);
  beat.sequence += 1U << 30;
  rig.deliver(beat, 0);
  rig.run(Duration::seconds(1));
  CHECK(rig.all_up());
}

TEST_CASE("a host that lost its addresses to another one while it was away gets its routes back") {
  Rig rig(2);
  settle(rig, 2);
  rig.peers[0].speaks[0] = false;  // its traffic is away ...
  rig.run(Duration::ms(100));
  REQUIRE(rig.entry(kExceptionsTable, "10.1.0.2/32") != nullptr);
  rig.peers[0].speaks[1] = false;  // ... and now it is isolated, but not restarted
  rig.run(Duration::ms(200));
  rig.peers[1].addresses[0].push_back("10.1.0.2/16");  // a floating address moves, or is set twice
  rig.peers[1].advert_version++;
  rig.run(Duration::ms(200));
  rig.peers[0].speaks[0] = rig.peers[0].speaks[1] = true;
  rig.run(Duration::ms(500));
  REQUIRE(rig.all_up());
  CHECK(rig.entry(standby_table(LanIndex{1}), "10.2.0.2/32") != nullptr);
}

TEST_CASE("a host that changes its addresses with every packet costs the kernel little") {
  Rig rig(2);
  settle(rig, 1);
  Peer& peer = rig.peers[0];
  const size_t ops = rig.ops.size(), told = rig.count(EventKind::kPeerChanged);
  for (int i = 0; i < 1000; i++) {
    peer.addresses[0][0] = i % 2 == 0 ? "10.1.0.77/16" : "10.1.0.2/16";
    peer.advert_version++;
    rig.inquire(peer, 0);
    rig.now = rig.now + Duration::us(100);
  }
  CHECK(rig.ops.size() - ops < 100);
  CHECK(rig.count(EventKind::kPeerChanged) - told < 5);
  rig.run(Duration::ms(300));  // what it said last counts in the end
  CHECK(rig.all_up());
  CHECK(rig.entry(standby_table(LanIndex{0}), "10.1.0.2/32") != nullptr);
}

// Whoever listens can repeat what it heard; it is no evidence, and nothing else either.
TEST_CASE("a packet that is repeated later changes no pace, no address and no neighbour entry") {
  Rig rig(2);
  settle(rig, 1);
  Peer& peer = rig.peers[0];
  Heartbeat old = forge(rig, peer, 0);
  peer.sequence[0]++;
  old.interval = Duration::us(50);
  old.advert_version--;
  old.lans[0].mac.bytes[5] ^= 1;
  old.lans[0].addresses.clear();
  REQUIRE(old.lans[0].addresses.push(*parse_prefix("10.1.0.77/16")));
  rig.run(Duration::ms(300));
  const PathRow before = rig.path(2, 0);
  rig.deliver(old, 0);
  CHECK(rig.drops(Drop::kOldSequence) == 1);
  old.type = MessageType::kAck;
  old.to = rig.config.host;
  old.to_incarnation = rig.config.incarnation;
  rig.deliver(old, 0);
  CHECK(rig.drops(Drop::kUnknownAck) == 1);
  CHECK(rig.engine->shortest_interval() == Duration::ms(10));
  CHECK(rig.path(2, 0).interval == before.interval);
  CHECK(rig.path(2, 0).mac == before.mac);
  CHECK(rig.path(2, 0).addresses[0] == before.addresses[0]);
}

TEST_CASE("a flood of inquiries that ask for broadcasts is answered by few of them") {
  Rig rig(2, 16, false);
  settle(rig, 1);
  Heartbeat beat = forge(rig, rig.peers[0], 0);
  beat.ack_by_broadcast = true;
  size_t everybody = 0, one = 0;
  std::array<uint8_t, kMaxHeartbeatBytes> bytes;
  for (int i = 0; i < 1000; i++, beat.sequence++) {
    PacketIn packet;
    packet.arrived = rig.now;
    packet.from = rig::ip("10.1.0.2");
    packet.payload = {bytes.data(), encode(beat, bytes)};
    rig.engine->on_packet(rig.now, packet, *rig.effects);
    for (const SendPacket& sent : rig.effects->sends) (sent.to ? one : everybody)++;
    rig.effects->clear();
    rig.now = rig.now + Duration::us(10);
  }
  CHECK(everybody >= 8);
  CHECK(everybody <= 20);
  CHECK(everybody + one == 1000);
}

TEST_CASE("a source address that changes with every packet costs the kernel little") {
  Rig rig(2);
  settle(rig, 1);
  const size_t ops = rig.ops.size();
  Heartbeat beat = forge(rig, rig.peers[0], 0);
  for (int i = 0; i < 1000; i++) {
    beat.sequence++;
    beat.lans[0].mac.bytes[5] ^= 1;
    rig.deliver(beat, 0);
    rig.now = rig.now + Duration::us(100);
  }
  CHECK(rig.ops.size() - ops < 20);
}

TEST_CASE("restarts without end put nobody else's handshake off") {
  Rig rig(2);
  settle(rig, 1);
  Heartbeat beat = forge(rig, rig.peers[0], 0);
  for (int i = 0; i < 20000; i++) {
    beat.incarnation.value++;
    rig.deliver(beat, 0);
  }
  rig.add_peer(3);
  rig.run(Duration::ms(300));
  CHECK(rig.path(3, 0).state == PathState::kUp);
}

TEST_CASE("partial lists that name us now and then put nobody's handshake off") {
  Rig rig(2);
  settle(rig, 1);
  Heartbeat beat = forge(rig, rig.peers[0], 0);
  beat.missing_is_partial = true;
  for (int i = 0; i < 20000; i++) {
    beat.missing.clear();
    if (i % 2 == 0) REQUIRE(beat.missing.push(rig.config.host));
    rig.deliver(beat, 0);
    beat.sequence++;
  }
  rig.add_peer(3);
  rig.run(Duration::ms(300));
  CHECK(rig.path(3, 0).state == PathState::kUp);
}

TEST_CASE("a list that names us with every second packet moves no traffic to and fro") {
  Rig rig(2);
  settle(rig, 1);
  const uint64_t verdicts = rig.engine->counters().verdicts_down;
  for (int i = 0; i < 100; i++) {
    rig.peers[0].hears[0] = i % 2 != 0;
    rig.run(Duration::ms(10));
  }
  // each time `restore_after` good packets, and the one that names us
  CHECK(rig.engine->counters().verdicts_down - verdicts <=
        100 / rig.config.plan.timing[0].restore_after);
}

TEST_CASE("who names us again as soon as we believe it gains nothing over who falls silent") {
  Rig rig(2);
  settle(rig, 1);
  const uint64_t verdicts = rig.engine->counters().verdicts_down;
  for (int i = 0; i < 1000; i++) {
    rig.peers[0].hears[0] = rig.path(2, 0).state != PathState::kUp;
    rig.run(Duration::ms(10));
  }
  // each time `restore_after` good packets, and the one that names us
  CHECK(rig.engine->counters().verdicts_down - verdicts <=
        1000 / rig.config.plan.timing[0].restore_after);
}

TEST_CASE("a peer that hears us again is believed when it has proven itself, and no later") {
  Rig rig(2);
  settle(rig, 1);
  rig.peers[0].hears[0] = false;
  rig.run(Duration::ms(10));
  REQUIRE(rig.path(2, 0).reason == Reason::kNotHeard);
  SUBCASE("after a while: its first word counts") {
    rig.run(Duration::ms(200));
    rig.peers[0].hears[0] = true;
    rig.run(Duration::ms(10));
    CHECK(rig.path(2, 0).state == PathState::kUp);
  }
  SUBCASE("at once: after as many good packets as anybody needs") {
    rig.peers[0].hears[0] = true;
    rig.run(Duration::ms(90));
    CHECK(rig.path(2, 0).state == PathState::kDown);
    CHECK(rig.path(2, 0).good == 9);
    rig.run(Duration::ms(10));
    CHECK(rig.path(2, 0).state == PathState::kUp);
  }
}

TEST_CASE("many solicits that are due together leave room for our inquiries") {
  Rig rig(1, 256);
  rig.config.plan.timing.fill({Duration::seconds(1), 3, 10});
  for (uint64_t id = 2; id < 202; id++) {
    rig.add_peer(id);
    rig.peers.back().interval = Duration::seconds(1);
  }
  rig.begin();
  rig.run(Duration::ms(1100));
  rig.silent = true;
  // Wake-ups come late, but not so late that it would be a stall; each finds all handshakes due,
  // and one of them, our own inquiry too.
  size_t sent = 0;
  for (int i = 0; i < 6; i++) {
    for (Peer& peer : rig.peers) {
      peer.incarnation.value++;
      rig.inquire(peer, 0);
    }
    rig.now = rig.now + Duration::ms(200);
    rig.engine->on_deadline(rig.now, *rig.effects);
    for (const SendPacket& packet : rig.effects->sends) sent += packet.to ? 0 : 1;
    rig.finish();
  }
  CHECK(sent >= 1);
}

TEST_CASE("solicits in a flood are not all answered") {
  Rig rig(2);
  settle(rig, 1);
  Heartbeat beat = forge(rig, rig.peers[0], 0);
  beat.solicit = true;
  const uint64_t acks = rig.engine->counters().acks_sent;
  for (int i = 0; i < 1000; i++) {
    beat.sequence++;
    rig.deliver(beat, 0);
    rig.now = rig.now + Duration::us(20);
  }
  CHECK(rig.engine->counters().acks_sent - acks <= 10);
}

TEST_CASE("a stranger does not set our pace") {
  Rig rig(2);
  settle(rig, 1);
  Peer stranger = rig.peers[0];
  stranger.id = HostId{99};
  stranger.interval = Duration::us(50);
  Heartbeat beat = rig.beat_of(stranger, 0, MessageType::kInq);
  rig.deliver(beat, 0);
  CHECK(rig.engine->shortest_interval() == Duration::ms(10));
}

TEST_CASE("a host that claims foreign addresses gets no neighbour entry for them") {
  Rig rig(2);
  settle(rig, 1);
  rig.add_peer(3);
  // ours, the other peer's, one of no LAN of ours, our own link-local one is not among ours
  rig.peers[1].addresses[0] = {"10.1.0.3/16", "10.1.0.1/16", "10.1.0.2/16", "192.168.9.9/24"};
  rig.run(Duration::ms(500));
  REQUIRE(rig.all_up());
  const MacAddress liar{{2, 1, 0, 0, 0, 3}};
  for (const RouteOp& op : rig.ops) {
    if (op.kind != RouteOp::Kind::kNeighbour || op.neighbour_mac != liar) continue;
    CHECK((op.neighbour == rig::ip("10.1.0.3") || op.neighbour == rig::ip("10.2.0.3")));
  }
}

TEST_CASE("strangers who never proved themselves keep nobody out of the table for long") {
  Rig rig(2, 4);
  settle(rig, 1);
  Peer stranger = rig.peers[0];
  for (uint64_t id = 50; id < 60; id++) {
    stranger.id = HostId{id};
    rig.deliver(rig.beat_of(stranger, 0, MessageType::kInq), 0);
  }
  rig.run(Duration::seconds(1));
  rig.add_peer(3);
  rig.run(Duration::seconds(1));
  CHECK(rig.drops(Drop::kTableFull) > 0);
  rig.run(Duration::seconds(90));
  CHECK(rig.path(3, 0).state == PathState::kUp);
}

void settle_slowly(Rig& rig, uint64_t peers) {
  rig.config.plan.timing.fill({Duration::ms(100), 3, 10});
  for (uint64_t id = 2; id < 2 + peers; id++) {
    rig.add_peer(id);
    rig.peers.back().interval = Duration::ms(100);
  }
  rig.begin();
  rig.run(Duration::seconds(8));
  REQUIRE(rig.all_up());
}

TEST_CASE("a ledger that is full says so once, and is used again when there is room") {
  Rig rig(2, 64);
  // TCP's timer takes a third place for each address.
  rig.config.plan.rto_min = Duration::ms(5);
  for (uint64_t id = 2; id < 66; id++) {
    Peer& peer = rig.add_peer(id);
    for (size_t lan = 0; lan < 2; lan++) {
      for (int i = 1; i < 3; i++) {
        const std::string third = std::to_string(100 + i), net = std::to_string(lan + 1);
        peer.addresses[lan].push_back("10." + net + "." + third + "." + std::to_string(id) + "/16");
      }
    }
  }
  settle_slowly(rig, 0);
  CHECK(rig.count(EventKind::kRouteFailed) == 0);
  for (size_t i = 0; i < 30; i++) rig.peers[i].speaks[0] = false;
  rig.run(Duration::seconds(1));
  CHECK(rig.count(EventKind::kRouteFailed) == 1);
  CHECK(rig.engine->counters().route_errors > 0);
  for (size_t i = 0; i < 28; i++) rig.peers[i].speaks[0] = true;
  rig.run(Duration::seconds(25));
  CHECK(rig.count(EventKind::kRouteFailed) == 1);
  for (const char* address : {"10.1.0.30/32", "10.1.101.30/32", "10.1.0.31/32", "10.1.102.31/32"})
    CHECK(rig.entry(kExceptionsTable, address) != nullptr);
}

TEST_CASE("half of a large cluster dies at once, and not each of them makes us look at all") {
  Rig rig(2, 4096);
  rig.quiet = true;
  settle_slowly(rig, 4000);
  for (size_t i = 0; i < 2000; i++) rig.peers[i].speaks[0] = rig.peers[i].speaks[1] = false;
  const uint64_t looks = rig.engine->counters().looks_at_all;
  rig.run(Duration::ms(500));
  CHECK(rig.path(2, 0).state == PathState::kDown);
  CHECK(rig.path(2, 1).state == PathState::kDown);
  CHECK(rig.engine->counters().looks_at_all - looks <= 20);
}

// A hundred is no crowd: a trunk that takes two thirds of them away is told as one event, though
// the others are as lively as ever.
TEST_CASE("among a hundred peers every look is affordable") {
  Rig rig(2, 128);
  settle_slowly(rig, 100);
  for (size_t i = 0; i < 30; i++) rig.peers[i].speaks[0] = rig.peers[i].speaks[1] = false;
  rig.run(Duration::ms(500));
  CHECK(rig.engine->counters().looks_at_all >= 60);
  for (size_t i = 30; i < 80; i++) rig.peers[i].speaks[0] = false;
  rig.run(Duration::ms(500));
  CHECK(rig.count(EventKind::kLanDown) == 1);
}

}  // namespace
}  // namespace faild
