// What policy may ask of the engine beyond failing over: when traffic returns, what a path that
// flaps must show first, and which paths are left although they are heard.
#include <doctest/doctest.h>

#include "core/path.h"
#include "unit/core_rig.h"

namespace faild {
namespace {

using rig::Peer;
using rig::Rig;

constexpr LanIndex kA{0};
constexpr Duration kTick = Duration::ms(10);  // the rig's interval

// Two LANs, one peer, all is well; `change` says what the plan is like.
template <typename Change>
void settle(Rig& rig, Change change) {
  change(rig.config.plan);
  rig::settle(rig, 1);
}

bool away(const Rig& rig) { return rig.entry(kExceptionsTable, "10.1.0.2/32") != nullptr; }

void outage(Rig& rig, Duration length) {
  rig.peers[0].speaks[0] = false;
  rig.run(length);
  rig.peers[0].speaks[0] = true;
}

// How long traffic stays away once the peer speaks again.
Duration return_time(Rig& rig, Duration at_most) {
  const Instant from = rig.now;
  while (away(rig) && rig.now - from < at_most) rig.run(Duration::ms(1));
  return rig.now - from;
}

// The peer's packets for so many ticks, of which every `nth` is lost on LAN A.
void lossy(Rig& rig, int ticks, int nth) {
  for (int i = 0; i < ticks; i++) {
    if (i % nth == 0) rig.peers[0].sequence[0]++;
    rig.run(kTick);
  }
}

TEST_CASE("hold: a revalidated path waits before its traffic returns") {
  Rig rig(2);
  settle(rig, [](Plan& plan) { plan.hold = Duration::ms(500); });
  outage(rig, Duration::ms(100));
  REQUIRE(away(rig));
  // Ten good packets prove it, the hold passes, both LANs serve for a detection time.
  const Duration detection = detection_time({3, 10}, kTick);
  const Duration time = return_time(rig, Duration::seconds(2));
  CHECK(time >= Duration::ms(590));
  CHECK(time <= Duration::ms(620) + detection);
}

TEST_CASE("sticky: traffic stays on its alternate until that fails") {
  Rig rig(2);
  settle(rig, [](Plan& plan) { plan.switchback = Switchback::kSticky; });
  outage(rig, Duration::ms(100));
  rig.run(Duration::seconds(5));
  REQUIRE(rig.path(2, 0).state == PathState::kUp);
  CHECK(away(rig));
  rig.peers[0].speaks[1] = false;
  rig.run(Duration::ms(100));
  CHECK(!away(rig));
}

TEST_CASE("manual: traffic returns when the operator says so, and only then") {
  Rig rig(2);
  settle(rig, [](Plan& plan) { plan.switchback = Switchback::kManual; });
  outage(rig, Duration::ms(100));
  rig.run(Duration::seconds(5));
  REQUIRE(rig.path(2, 0).state == PathState::kUp);
  REQUIRE(away(rig));
  Command command;
  command.kind = Command::Kind::kSwitchback;
  command.host = HostId{2};
  command.lan = kA;
  rig.command(command);
  rig.run(Duration::ms(100));
  CHECK(!away(rig));
  // The permission is used up: the next failover waits for another one.
  outage(rig, Duration::ms(100));
  rig.run(Duration::seconds(1));
  CHECK(away(rig));
}

TEST_CASE("each flap doubles what revalidation needs, and a quiet window halves it again") {
  Rig rig(2);
  settle(rig, [](Plan& plan) { plan.flap_window = Duration::seconds(10); });
  rig.run(Duration::seconds(11));  // the first outage is no flap
  Duration times[4];
  for (Duration& time : times) {
    outage(rig, Duration::ms(100));
    REQUIRE(away(rig));
    time = return_time(rig, Duration::seconds(5));
    REQUIRE(!away(rig));
    rig.run(Duration::seconds(1));
  }
  const Duration proof = kTick * 10;
  for (int i = 1; i < 4; i++) {  // to a tick: the outages begin in different phases of it
    const Duration more = times[i] - times[i - 1], expected = proof * (1 << (i - 1));
    CHECK(more > expected - kTick);
    CHECK(more < expected + kTick);
  }
  CHECK(rig.path(2, 0).good_needed == 80);
  rig.run(Duration::seconds(21));  // two windows
  outage(rig, Duration::ms(100));
  CHECK(rig.path(2, 0).good_needed == 20);
  CHECK(return_time(rig, Duration::seconds(5)) < times[1] + kTick);
}

TEST_CASE("the flap penalty is bounded, and never slows a failover") {
  Rig rig(2);
  settle(rig, [](Plan& plan) { plan.flap_window = Duration::seconds(60); });
  for (int i = 0; i < 9; i++) {
    outage(rig, Duration::ms(35));  // a detection time and a little
    CHECK(away(rig));
    REQUIRE(return_time(rig, Duration::seconds(20)) < Duration::seconds(20));
  }
  CHECK(rig.path(2, 0).good_needed == 640);
}

TEST_CASE("without a limit a lossy path is used as before") {
  Rig rig(2);
  settle(rig, [](Plan&) {});
  lossy(rig, 400, 4);
  CHECK(rig.path(2, 0).state == PathState::kUp);
  CHECK(rig.path(2, 0).loss.value > kLossOfAll / 8);
  CHECK(!away(rig));
}

TEST_CASE("a path that loses more than policy allows is left, and taken again when it is well") {
  Rig rig(2);
  settle(rig, [](Plan& plan) { plan.loss_limit = LossShare{kLossOfAll / 10}; });
  lossy(rig, 200, 25);  // 4 % are not 10 %
  CHECK(rig.path(2, 0).state == PathState::kUp);
  lossy(rig, 200, 4);
  CHECK(rig.path(2, 0).state == PathState::kDown);
  CHECK(rig.path(2, 0).reason == Reason::kLossy);
  CHECK(away(rig));
  // The other end sends on this LAN what is lost here: it has to know.
  CHECK(rig.last_missing(0).size() == 1);
  lossy(rig, 200, 14);  // 7 % are below the limit, but not well below it
  CHECK(away(rig));
  rig.run(Duration::seconds(3));
  CHECK(rig.path(2, 0).state == PathState::kUp);
  CHECK(rig.last_missing(0).empty());
  CHECK(!away(rig));
}

TEST_CASE("an outage is judged once: what it lost is no gray failure afterwards") {
  Rig rig(2);
  settle(rig, [](Plan& plan) { plan.loss_limit = LossShare{kLossOfAll / 10}; });
  rig.peers[0].speaks[0] = false;
  rig.run(Duration::seconds(3));
  rig.peers[0].sequence[0] += 300;
  rig.peers[0].speaks[0] = true;
  CHECK(return_time(rig, Duration::seconds(2)) < Duration::ms(150));
}

TEST_CASE("what this host's own kernel dropped is not the path's loss") {
  Rig rig(2);
  settle(rig, [](Plan& plan) { plan.loss_limit = LossShare{kLossOfAll / 20}; });
  for (int i = 0; i < 100; i++) {
    rig.peers[0].sequence[0]++;
    rig.engine->on_receive_drops(rig.now, kA, 1, *rig.effects);
    rig.finish();
    rig.run(kTick);
  }
  CHECK(rig.path(2, 0).state == PathState::kUp);
}

TEST_CASE("a path whose round trip is too long is left, and asked until it is short again") {
  Rig rig(2);
  settle(rig, [](Plan& plan) { plan.round_trip_limit = Duration::ms(2); });
  rig.round_trip[0] = Duration::ms(3);
  rig.run(Duration::seconds(5));
  CHECK(rig.path(2, 0).state == PathState::kDown);
  CHECK(rig.path(2, 0).reason == Reason::kSlow);
  CHECK(away(rig));
  rig.round_trip[0] = Duration::us(1800);  // below the limit, but not well below it
  rig.run(Duration::seconds(5));
  CHECK(away(rig));
  rig.round_trip[0] = Duration::us(200);
  rig.run(Duration::seconds(10));
  CHECK(rig.path(2, 0).state == PathState::kUp);
  CHECK(!away(rig));
}

TEST_CASE("with every path gray nothing moves: the last path is never withdrawn") {
  Rig rig(2);
  settle(rig, [](Plan& plan) { plan.round_trip_limit = Duration::ms(2); });
  rig.round_trip[0] = rig.round_trip[1] = Duration::ms(3);
  rig.run(Duration::seconds(5));
  CHECK(rig.path(2, 0).state == PathState::kDown);
  CHECK(rig.path(2, 1).state == PathState::kDown);
  CHECK(!(away(rig) && rig.entry(kExceptionsTable, "10.2.0.2/32") != nullptr));
}

TEST_CASE("a limit that is lifted lets the path return") {
  Rig rig(2);
  settle(rig, [](Plan& plan) { plan.loss_limit = LossShare{kLossOfAll / 10}; });
  lossy(rig, 200, 4);
  REQUIRE(away(rig));
  Command command;
  command.kind = Command::Kind::kSetPlan;
  command.plan = rig.config.plan;
  command.plan.loss_limit.reset();
  rig.command(command);
  rig.run(Duration::ms(200));
  CHECK(rig.path(2, 0).state == PathState::kUp);
  CHECK(!away(rig));
}

TEST_CASE("TCP's timer stands on every route to a peer, its own LAN's first of all") {
  Rig rig(2);
  settle(rig, [](Plan& plan) { plan.rto_min = Duration::ms(5); });
  CHECK(rig.rule(kDirectTable));
  const KernelEntry* direct = rig.entry(kDirectTable, "10.1.0.2/32");
  REQUIRE(direct != nullptr);
  const RouteTarget own{
      .out_ifindex = 10, .gateway = {}, .source = rig::ip("10.1.0.1"), .rto_min_ms = 5};
  CHECK(direct->target == own);
  CHECK(rig.entry(standby_table(kA), "10.1.0.2/32")->target.rto_min_ms == 5);

  outage(rig, Duration::ms(100));
  REQUIRE(away(rig));
  CHECK(rig.entry(kExceptionsTable, "10.1.0.2/32")->target.rto_min_ms == 5);
  // It carries nothing now, so nothing is done about it.
  CHECK(rig.entry(kDirectTable, "10.1.0.2/32") != nullptr);
}

TEST_CASE("a LAN's direct routes go with its carrier and come back with it") {
  Rig rig(2);
  settle(rig, [](Plan& plan) { plan.rto_min = Duration::ms(5); });
  rig.peers[0].speaks[0] = false;
  rig.engine->on_link(rig.now, {kA, false}, *rig.effects);
  rig.finish();
  rig.run(Duration::ms(50));
  CHECK(rig.entry(kDirectTable, "10.1.0.2/32") == nullptr);
  CHECK(rig.entry(kDirectTable, "10.2.0.2/32") != nullptr);
  rig.peers[0].speaks[0] = true;
  rig.engine->on_link(rig.now, {kA, true}, *rig.effects);
  rig.finish();
  rig.run(Duration::seconds(1));
  CHECK(rig.entry(kDirectTable, "10.1.0.2/32") != nullptr);
}

TEST_CASE("TCP's timer is changed and taken away in place, and gone after a clean stop") {
  Rig rig(2);
  settle(rig, [](Plan&) {});
  CHECK(!rig.rule(kDirectTable));
  Command command;
  command.kind = Command::Kind::kSetPlan;
  command.plan = rig.config.plan;
  for (const uint32_t ms : {5U, 7U}) {
    command.plan.rto_min = Duration::ms(ms);
    rig.command(command);
    rig.run(Duration::ms(50));
    CHECK(rig.entry(kDirectTable, "10.1.0.2/32")->target.rto_min_ms == ms);
    CHECK(rig.entry(standby_table(kA), "10.1.0.2/32")->target.rto_min_ms == ms);
  }
  Command off = command;
  off.plan.rto_min.reset();
  rig.command(off);
  rig.run(Duration::ms(50));
  CHECK(!rig.rule(kDirectTable));
  CHECK(rig.entry(kDirectTable, "10.1.0.2/32") == nullptr);
  CHECK(rig.entry(standby_table(kA), "10.1.0.2/32")->target.rto_min_ms == 0);
  rig.command(command);
  rig.run(Duration::ms(50));
  command.kind = Command::Kind::kCleanup;
  rig.command(command);
  CHECK(rig.kernel.empty());
}

TEST_CASE("the source of moved traffic: ours on the LAN that it left, or on the one it takes") {
  Rig rig(2);
  settle(rig, [](Plan& plan) { plan.source = SourceAddress::kAlternate; });
  outage(rig, Duration::ms(100));
  REQUIRE(away(rig));
  CHECK(rig.entry(kExceptionsTable, "10.1.0.2/32")->target.source == rig::ip("10.2.0.1"));
  Command command;
  command.kind = Command::Kind::kSetPlan;
  command.plan = rig.config.plan;
  command.plan.source = SourceAddress::kOwn;
  rig.peers[0].speaks[0] = false;
  rig.command(command);
  REQUIRE(away(rig));
  CHECK(rig.entry(kExceptionsTable, "10.1.0.2/32")->target.source == rig::ip("10.1.0.1"));
}

void allow(Plan& plan, std::initializer_list<const char*> subnets) {
  plan.allowed = {};
  for (const char* subnet : subnets) FAILD_CHECK(plan.allowed.subnets.push(*parse_prefix(subnet)));
}
// From there all packets of the rig's peers come.
constexpr const char* kFromA = "10.1.99.99/32";
constexpr const char* kFromB = "10.2.99.99/32";

TEST_CASE("only those that the list names are peers, by the addresses of both LANs") {
  Rig rig(2);
  allow(rig.config.plan, {kFromA, kFromB, "10.1.0.0/24", "10.2.0.0/24"});
  rig::settle(rig, 1);
  Peer& stranger = rig.add_peer(300);  // 10.1.1.44
  rig.run(kTick * 5);
  CHECK(rig.engine->peer_count() == 1);
  CHECK(rig.drops(Drop::kNotAllowed) >= 8);
  CHECK(rig.count(EventKind::kDropped) == 1);
  // It claims one allowed address as well, which does not help it; a family that nobody named does
  // not harm.
  stranger.addresses[0].push_back("10.1.0.44/16");
  stranger.advert_version++;
  rig.run(kTick * 5);
  CHECK(rig.engine->peer_count() == 1);
  stranger.addresses[0] = {"10.1.0.44/16", "fd00::44/64"};
  stranger.addresses[1] = {"10.2.0.44/16"};
  stranger.advert_version++;
  rig.run(Duration::seconds(1));
  CHECK(rig.engine->peer_count() == 2);
  CHECK(rig.path(300, 0).state == PathState::kUp);
  // A known peer is not let go on with an address that the list does not name.
  stranger.addresses[0] = {"10.1.1.44/16"};
  stranger.advert_version++;
  const uint64_t before = rig.drops(Drop::kNotAllowed);
  rig.run(Duration::seconds(1));
  CHECK(rig.drops(Drop::kNotAllowed) > before);
  CHECK(rig.path(300, 0).state != PathState::kUp);
  CHECK(rig.entry(standby_table(kA), "10.1.1.44/32") == nullptr);
}

TEST_CASE("a packet's source has to be named; a host id says it all") {
  Rig rig(2);
  allow(rig.config.plan, {kFromA, "10.1.0.0/24", "10.2.0.0/24"});
  rig.add_peer(2);
  rig.begin();
  rig.run(Duration::ms(300));
  CHECK(rig.path(2, 0).state == PathState::kUp);
  CHECK(rig.path(2, 1).received == 0);  // its packets on LAN B come from elsewhere
  Command command;
  command.kind = Command::Kind::kSetPlan;
  command.plan = rig.config.plan;
  command.plan.allowed = {};
  REQUIRE(command.plan.allowed.hosts.push(HostId{2}));
  rig.command(command);
  rig.run(Duration::ms(300));
  CHECK(rig.all_up());
  CHECK(rig.count(EventKind::kPeerForgotten) == 0);
}

TEST_CASE("who is no longer allowed is forgotten, with its routes, and may come back") {
  Rig rig(2);
  settle(rig, [](Plan&) {});
  outage(rig, Duration::ms(100));
  REQUIRE(away(rig));
  Command command;
  command.kind = Command::Kind::kSetPlan;
  command.plan = rig.config.plan;
  allow(command.plan, {"10.1.7.0/24"});
  rig.command(command);
  rig.run(Duration::ms(100));
  CHECK(rig.count(EventKind::kPeerForgotten) == 1);
  CHECK(rig.path(2, 0).host == HostId{});
  CHECK(!away(rig));
  CHECK(rig.entry(standby_table(LanIndex{1}), "10.2.0.2/32") == nullptr);
  LanRow row;
  rig.engine->read_lan(kA, &row);
  CHECK(row.paths_up + row.paths_down + row.paths_other == 0);

  command.plan.allowed = {};
  rig.command(command);
  rig.run(Duration::seconds(1));
  CHECK(rig.all_up());
  CHECK(rig.entry(standby_table(LanIndex{1}), "10.2.0.2/32") != nullptr);
}

}  // namespace
}  // namespace faild
