// The engine alone, with peers that say what a test wants: refusals, hostile packets, commands.
#include <doctest/doctest.h>

#include "core/path.h"
#include "unit/core_rig.h"

namespace faild {
namespace {

using rig::Peer;
using rig::Rig;

TEST_CASE("peers are met, and their death on one LAN moves their traffic") {
  Rig rig(2);
  rig.add_peer(2);
  rig.add_peer(3);
  rig.begin();
  rig.run(Duration::ms(200));
  REQUIRE(rig.all_up());
  CHECK(rig.entry(standby_table(LanIndex{0}), "10.1.0.2/32")->target.out_ifindex == 11);
  rig.peers[0].speaks[0] = false;
  rig.run(Duration::ms(50));
  CHECK(rig.path(2, 0).state == PathState::kDown);
  REQUIRE(rig.entry(kExceptionsTable, "10.1.0.2/32") != nullptr);
  CHECK(rig.entry(kExceptionsTable, "10.1.0.3/32") == nullptr);
}

// The thread is awake for the verdict's instant, so the engine must know it: not a round too early,
// for then a healthy pair would never sleep.
TEST_CASE("the engine foretells the instant of a verdict, and only of one that is near") {
  Rig rig(2);
  rig.add_peer(2);
  rig.begin();
  rig.run(Duration::ms(200));
  REQUIRE(rig.all_up());
  const Duration detection = detection_time({3, 10}, Duration::ms(10));
  const auto until_verdict = [&] { return rig.engine->verdict_at().value() - rig.now; };
  CHECK((!rig.engine->verdict_at() || until_verdict() > Duration::ms(10)));
  rig.peers[0].speaks[0] = false;
  const Duration silence = rig.path(2, 0).silence.value();
  rig.run(Duration::ms(25) - silence);
  REQUIRE(rig.engine->verdict_at());
  CHECK(until_verdict() == detection - Duration::ms(25));
  rig.run(until_verdict() - Duration::us(1));
  CHECK(rig.path(2, 0).state == PathState::kUp);
  rig.run(Duration::us(1));
  CHECK(rig.path(2, 0).state == PathState::kDown);
  CHECK((!rig.engine->verdict_at() || until_verdict() > Duration::ms(10)));
}

TEST_CASE("each refusal has its reason") {
  Rig rig(2, 2);
  rig.add_peer(2);
  rig.begin();
  rig.run(Duration::ms(200));
  Peer& peer = rig.peers[0];
  const auto drops_after = [&](Drop drop, size_t lan, auto change) {
    Heartbeat beat = rig.beat_of(peer, lan, MessageType::kInq);
    beat.sequence = ++peer.sequence[lan];
    change(beat);
    const uint64_t before = rig.drops(drop);
    rig.deliver(beat, lan);
    return rig.drops(drop) - before;
  };
  CHECK(drops_after(Drop::kOtherCluster, 0, [](Heartbeat& beat) { beat.cluster++; }) == 1);
  CHECK(drops_after(Drop::kOwnPacket, 0, [](Heartbeat& beat) { beat.host = HostId{1}; }) == 1);
  CHECK(drops_after(Drop::kNotForUs, 0, [](Heartbeat& beat) { beat.to = HostId{9}; }) == 1);
  CHECK(drops_after(Drop::kCrossConnected, 0, [](Heartbeat& beat) { beat.arrival_lan = 1; }) == 1);
  CHECK(drops_after(Drop::kOldSequence, 0, [](Heartbeat& beat) { beat.sequence -= 5; }) == 1);
  CHECK(drops_after(Drop::kUnknownAck, 0, [](Heartbeat& beat) {
          beat.type = MessageType::kAck;
          beat.to = HostId{1};
          beat.to_incarnation = Incarnation{6};
        }) == 1);
  peer.incarnation = Incarnation{5};
  CHECK(drops_after(Drop::kOldIncarnation, 0, [](Heartbeat&) {}) == 0);
  CHECK(drops_after(Drop::kOldIncarnation, 0,
                    [](Heartbeat& beat) { beat.incarnation = Incarnation{4}; }) == 1);
  const auto stranger = [](uint64_t id) {
    return [id](Heartbeat& beat) { beat.host = HostId{id}; };
  };
  CHECK(drops_after(Drop::kTableFull, 0, stranger(50)) == 0);
  CHECK(drops_after(Drop::kTableFull, 0, stranger(51)) == 1);
}

// Found by reading: the second packet asked for a solicit at the time of a packet that was never
// heard.
TEST_CASE("a responder that broadcasts part of a missing list proves nothing and breaks nothing") {
  Rig rig(2);
  Peer& peer = rig.add_peer(2);
  peer.requestor = false;
  rig.silent = true;
  rig.begin();
  Heartbeat beat = rig.beat_of(peer, 0, MessageType::kInq);
  beat.sequence = 1;
  REQUIRE(beat.missing.push(HostId{1}));
  rig.deliver(beat, 0);
  beat.sequence = 2;
  beat.missing.clear();
  beat.missing_is_partial = true;
  rig.deliver(beat, 0);
  CHECK(rig.path(2, 0).state == PathState::kUnknown);
}

// Found by the model: to have been heard once, in an earlier life, counted as being heard.
TEST_CASE("a peer that comes back on one LAN only is judged on the other") {
  Rig rig(2);
  Peer& peer = rig.add_peer(2);
  rig.begin();
  rig.run(Duration::ms(200));
  REQUIRE(rig.all_up());
  rig.deliver(rig.beat_of(peer, 1, MessageType::kBye), 1);
  CHECK(rig.path(2, 0).state == PathState::kStopped);
  peer.incarnation.value++;
  peer.speaks[0] = false;
  rig.run(Duration::seconds(1));
  CHECK(rig.path(2, 0).reason == Reason::kSilent);
  CHECK(rig.path(2, 0).alternate == LanIndex{1});
}

// Found by the model: what arrives during a stall lies in the attention clock's future, and made
// the LAN look lively for as long.
TEST_CASE("when every LAN falls silent after a stall, none of them is judged") {
  Rig rig(2);
  rig.add_peer(2);
  rig.add_peer(3);
  rig.begin();
  rig.run(Duration::ms(200));
  REQUIRE(rig.all_up());
  rig.now = rig.now + Duration::ms(300);
  for (Peer& peer : rig.peers) {
    rig.inquire(peer, 1);
    peer.speaks[0] = peer.speaks[1] = false;
  }
  rig.run(Duration::ms(200));
  CHECK(rig.engine->counters().stalls == 1);
  CHECK(rig.count(EventKind::kIsolated) == 1);
  CHECK(rig.count(EventKind::kLanDown) == 0);
}

// Found by the model: two intervals ago is not lately when one missed packet is a verdict.
TEST_CASE("when every LAN falls silent and the first missed packet counts, none is judged") {
  Rig rig(2);
  rig.config.plan.timing.fill({Duration::ms(10), 1, 10});
  rig.add_peer(2);
  rig.add_peer(3);
  rig.begin();
  rig.run(Duration::ms(200));
  REQUIRE(rig.all_up());
  for (Peer& peer : rig.peers) peer.speaks[0] = peer.speaks[1] = false;
  rig.run(Duration::ms(100));
  CHECK(rig.count(EventKind::kIsolated) == 1);
  CHECK(rig.count(EventKind::kLanDown) == 0);
}

TEST_CASE("sequences of a peer wrap without a loss") {
  Rig rig(2);
  Peer& peer = rig.add_peer(2);
  peer.sequence[0] = peer.sequence[1] = UINT32_MAX - 10;
  rig.begin();
  rig.run(Duration::ms(400));
  CHECK(rig.all_up());
  CHECK(rig.path(2, 0).lost == 0);
  CHECK(rig.count(EventKind::kPathDown) == 0);
}

TEST_CASE("a lying peer's addresses are not routed: ours, and one outside the LAN") {
  Rig rig(2);
  Peer& liar = rig.add_peer(2);
  liar.addresses[0] = {"10.1.0.2/16", "10.1.0.1/16", "8.8.8.8/32"};
  rig.begin();
  rig.run(Duration::ms(200));
  REQUIRE(rig.all_up());
  for (const uint32_t table : {kExceptionsTable, standby_table(LanIndex{0})}) {
    CHECK(rig.entry(table, "10.1.0.1/32") == nullptr);
    CHECK(rig.entry(table, "8.8.8.8/32") == nullptr);
  }
  CHECK(rig.entry(standby_table(LanIndex{0}), "10.1.0.2/32") != nullptr);
}

TEST_CASE("a peer that changes its addresses takes its routes along") {
  Rig rig(2);
  rig.add_peer(2);
  rig.begin();
  rig.run(Duration::ms(200));
  rig.peers[0].addresses[0] = {"10.1.0.77/16"};
  rig.peers[0].advert_version++;
  rig.run(Duration::ms(50));
  CHECK(rig.entry(standby_table(LanIndex{0}), "10.1.0.2/32") == nullptr);
  CHECK(rig.entry(standby_table(LanIndex{0}), "10.1.0.77/32") != nullptr);
}

TEST_CASE("a bad plan is refused, a sticky one keeps the traffic away until told") {
  Rig rig(2);
  rig.add_peer(2);
  rig.begin();
  rig.run(Duration::ms(200));
  Command command;
  command.plan = rig.config.plan;
  command.plan.preference.truncate(1);
  rig.command(command);
  CHECK(rig.events.back().error != 0);
  command.plan = rig.config.plan;
  command.plan.switchback = Switchback::kManual;
  rig.command(command);
  CHECK(rig.events.back().error == 0);
  rig.peers[0].speaks[0] = false;
  rig.run(Duration::ms(100));
  CHECK(rig.path(2, 0).alternate == LanIndex{1});
  rig.peers[0].speaks[0] = true;
  rig.run(Duration::seconds(1));
  CHECK(rig.path(2, 0).state == PathState::kUp);
  CHECK(rig.path(2, 0).alternate == LanIndex{1});
  command.kind = Command::Kind::kSwitchback;
  command.host = HostId{2};
  rig.command(command);
  rig.run(Duration::ms(100));
  CHECK_FALSE(rig.path(2, 0).alternate);
  command.kind = Command::Kind::kFailover;
  rig.command(command);
  CHECK(rig.path(2, 0).alternate == LanIndex{1});
}

// Found by the model: the hold time ended under a plan that knew none, and a CHECK ended the
// daemon.
TEST_CASE("a plan that turns sticky during the hold time keeps the traffic away") {
  Rig rig(2);
  rig.config.plan.hold = Duration::ms(500);
  rig.add_peer(2);
  rig.begin();
  rig.run(Duration::ms(200));
  rig.peers[0].speaks[0] = false;
  rig.run(Duration::ms(100));
  rig.peers[0].speaks[0] = true;
  rig.run(Duration::ms(300));
  REQUIRE(rig.path(2, 0).state == PathState::kUp);
  REQUIRE(rig.path(2, 0).alternate == LanIndex{1});
  Command command;
  command.plan = rig.config.plan;
  command.plan.switchback = Switchback::kSticky;
  rig.command(command);
  rig.run(Duration::seconds(1));
  CHECK(rig.path(2, 0).alternate == LanIndex{1});
}

TEST_CASE("a new interface index is taken over by every route that uses it") {
  Rig rig(2);
  rig.add_peer(2);
  rig.begin();
  rig.run(Duration::ms(200));
  LanConfig lan = rig.config.lans[1];
  lan.ifindex = 99;
  rig.engine->on_interface(rig.now, LanIndex{1}, lan, *rig.effects);
  rig.finish();
  CHECK(rig.entry(standby_table(LanIndex{0}), "10.1.0.2/32")->target.out_ifindex == 99);
}

TEST_CASE("an interface without its addresses: its LAN's traffic comes from another one's") {
  Rig rig(2);
  settle(rig, 2);
  for (Peer& peer : rig.peers) peer.speaks[0] = false;
  rig.engine->on_link(rig.now, {LanIndex{0}, false}, *rig.effects);
  rig.finish();
  rig.run(Duration::ms(50));
  const uint32_t table = standby_table(LanIndex{0});
  REQUIRE(rig.rule(table));
  REQUIRE(rig.entry(table, "10.1.0.2/32") != nullptr);
  CHECK(rig.entry(table, "10.1.0.2/32")->target.source == rig::ip("10.1.0.1"));

  LanConfig lan = rig.config.lans[0];
  lan.former = lan.addresses;
  lan.addresses.clear();
  SUBCASE("they were taken away") {}
  SUBCASE("the interface itself is away") {
    lan.addresses = lan.former;
    lan.ifindex = 0;
  }
  rig.engine->on_interface(rig.now, LanIndex{0}, lan, *rig.effects);
  rig.finish();
  rig.run(Duration::ms(50));
  CHECK(rig.rule(table));
  REQUIRE(rig.entry(table, "10.1.0.2/32") != nullptr);
  CHECK(rig.entry(table, "10.1.0.2/32")->target.source == IpAddress());
  CHECK(rig.entry(table, "10.1.0.2/32")->target.out_ifindex == 11);

  rig.engine->on_interface(rig.now, LanIndex{0}, rig.config.lans[0], *rig.effects);
  rig.finish();
  rig.run(Duration::ms(50));
  REQUIRE(rig.entry(table, "10.1.0.2/32") != nullptr);
  CHECK(rig.entry(table, "10.1.0.2/32")->target.source == rig::ip("10.1.0.1"));
  for (Peer& peer : rig.peers) peer.speaks[0] = true;
  rig.engine->on_link(rig.now, {LanIndex{0}, true}, *rig.effects);
  rig.finish();
  rig.run(Duration::ms(500));
  CHECK_FALSE(rig.rule(table));
  CHECK(rig.all_up());
}

TEST_CASE("routes that go with a dead link are no repair") {
  Rig rig(2);
  settle(rig, 2);
  const RouteKey key{RouteKey::Kind::kRoute, standby_table(LanIndex{1}),
                     *parse_prefix("10.2.0.2/32")};
  REQUIRE(rig.entry(key.table, "10.2.0.2/32") != nullptr);
  rig.engine->on_link(rig.now, {LanIndex{0}, false}, *rig.effects);
  // The kernel has removed it (it does so with those of IPv6) before we could want another.
  std::erase_if(rig.kernel, [&](const KernelEntry& it) { return it.key == key; });
  rig.engine->on_entry_removed(rig.now, key, *rig.effects);
  rig.finish();
  rig.run(Duration::ms(50));
  CHECK(rig.count(EventKind::kRouteRepaired) == 0);
  CHECK(rig.entry(key.table, "10.2.0.2/32") == nullptr);

  rig.engine->on_link(rig.now, {LanIndex{0}, true}, *rig.effects);
  rig.finish();
  rig.run(Duration::ms(500));
  CHECK(rig.entry(key.table, "10.2.0.2/32") != nullptr);
}

TEST_CASE("a thousand peers: the verdict step hands the kernel one rule before anything else") {
  Rig rig(2, 1024);
  for (uint64_t id = 2; id < 1002; id++) rig.add_peer(id);
  rig.begin();
  rig.run(Duration::seconds(1));
  REQUIRE(rig.all_up());
  for (Peer& peer : rig.peers) peer.speaks[0] = false;
  rig.ops.clear();
  rig.run(Duration::ms(50));
  size_t first = 0;
  while (first < rig.ops.size() && rig.ops[first].kind == RouteOp::Kind::kNeighbour) first++;
  REQUIRE(first < rig.ops.size());
  CHECK(rig.ops[first].key.kind == RouteKey::Kind::kRule);
  CHECK(rig.ops[first].key.table == standby_table(LanIndex{0}));
  CHECK(rig.count(EventKind::kLanDown) == 1);
  CHECK(rig.count(EventKind::kPathDown) == 0);
}

}  // namespace
}  // namespace faild
