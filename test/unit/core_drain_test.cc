// Aim: a LAN that the operator drains is free of traffic as far as anything else reaches the peers,
// they are told to leave it too, and all of it comes back when the operator says so.
#include <doctest/doctest.h>

#include "core/path.h"
#include "unit/core_rig.h"

namespace faild {
namespace {

using rig::Rig;
using rig::settle;

constexpr LanIndex kA{0}, kB{1}, kC{2};

// These LANs and no others are drained from now on.
void drain(Rig& rig, std::initializer_list<LanIndex> lans,
           Switchback switchback = Switchback::kAuto) {
  Command command;
  command.plan = rig.config.plan;
  command.plan.switchback = switchback;
  for (const LanIndex lan : lans) FAILD_CHECK(command.plan.drained.push(lan));
  rig.command(command);
  REQUIRE(rig.events.back().error == 0);
}

bool turned_away(const Rig& rig, size_t lan) { return rig.last_missing(lan).size() == 1; }

// LAN A fails and heals, and its traffic does not come back by itself.
bool stays_away_after_an_outage(Rig& rig) {
  rig.peers[0].speaks[0] = false;
  rig.run(Duration::ms(100));
  rig.peers[0].speaks[0] = true;
  rig.run(Duration::seconds(1));
  return rig.path(2, 0).alternate == kB;
}

const Event& last(const Rig& rig, EventKind kind) {
  for (size_t i = rig.events.size(); i > 0; i--) {
    if (rig.events[i - 1].kind == kind) return rig.events[i - 1];
  }
  FAILD_CHECK(false);
}

TEST_CASE(
    "drain: traffic has left with the answer, the peer is told at once, and no path changes") {
  Rig rig(2);
  settle(rig, 1);
  const size_t verdicts = rig.count(EventKind::kPathDown);
  drain(rig, {kA});
  CHECK(rig.path(2, 0).alternate == kB);
  CHECK(rig.entry(kExceptionsTable, "10.1.0.2/32") != nullptr);
  const Event& moved = last(rig, EventKind::kFailover);
  CHECK(moved.reason == Reason::kOperator);
  CHECK(moved.apply == Duration());  // since the command, by a kernel that obeys at once
  CHECK(moved.detect == Duration());
  rig.run(Duration::ms(1));  // out of turn: the interval is ten times as long
  CHECK(turned_away(rig, 0));
  CHECK(!turned_away(rig, 1));
  rig.run(Duration::seconds(2));
  CHECK(rig.all_up());
  CHECK(rig.count(EventKind::kPathDown) == verdicts);

  drain(rig, {});
  rig.run(Duration::ms(1));
  CHECK(!turned_away(rig, 0));
  rig.run(Duration::ms(100));
  CHECK(!rig.path(2, 0).alternate);
  CHECK(rig.entry(kExceptionsTable, "10.1.0.2/32") == nullptr);
}

TEST_CASE("drained traffic comes home whatever the policy says of failovers") {
  for (const Switchback policy : {Switchback::kSticky, Switchback::kManual}) {
    Rig rig(2);
    settle(rig, 1);
    drain(rig, {kA}, policy);
    rig.run(Duration::ms(100));
    REQUIRE(rig.path(2, 0).alternate == kB);
    drain(rig, {}, policy);
    rig.run(Duration::ms(100));
    CHECK(!rig.path(2, 0).alternate);
    // That was for once: a failover stays where it is.
    CHECK(stays_away_after_an_outage(rig));
  }
}

TEST_CASE("the last way is not taken: a drained LAN carries what nothing else can") {
  Rig rig(2);
  settle(rig, 1);
  drain(rig, {kA});
  rig.run(Duration::ms(100));
  rig.peers[0].speaks[1] = false;
  rig.run(Duration::ms(100));
  REQUIRE(rig.path(2, 1).state == PathState::kDown);
  CHECK(!rig.path(2, 0).alternate);       // home again
  CHECK(rig.path(2, 1).alternate == kA);  // and B's traffic as well
  CHECK(!turned_away(rig, 0));            // so the peer may use it
  CHECK(turned_away(rig, 1));             // which we do not hear there
  rig.peers[0].speaks[1] = true;
  rig.run(Duration::ms(500));
  CHECK(rig.path(2, 0).alternate == kB);
  CHECK(!rig.path(2, 1).alternate);
  CHECK(turned_away(rig, 0));
}

TEST_CASE("all LANs drained is none drained") {
  Rig rig(2);
  settle(rig, 1);
  drain(rig, {kA, kB});
  rig.run(Duration::ms(100));
  for (size_t lan = 0; lan < 2; lan++) {
    CHECK(!rig.path(2, lan).alternate);
    CHECK(!turned_away(rig, lan));
  }
}

TEST_CASE("an alternate that is drained is left, hold time and sticky policy or not") {
  Rig rig(3);
  rig.config.plan.hold = Duration::seconds(5);
  settle(rig, 1);
  rig.peers[0].speaks[0] = false;
  rig.run(Duration::ms(100));
  REQUIRE(rig.path(2, 0).alternate == kB);
  drain(rig, {kB});
  CHECK(rig.path(2, 0).alternate == kC);
  CHECK(rig.path(2, 1).alternate == kC);
  drain(rig, {});
  rig.run(Duration::seconds(6));
  CHECK(rig.path(2, 0).alternate == kC);  // kept: it works
  rig.peers[0].speaks[0] = true;
  rig.run(Duration::ms(200));
  REQUIRE(rig.path(2, 0).state == PathState::kUp);
  REQUIRE(rig.path(2, 0).alternate == kC);  // the hold time
  drain(rig, {kC}, Switchback::kSticky);
  rig.run(Duration::ms(100));
  CHECK(!rig.path(2, 0).alternate);
}

TEST_CASE("a host that is met while a LAN is drained is turned away like the others") {
  Rig rig(2);
  settle(rig, 1);
  drain(rig, {kA});
  rig.add_peer(3);
  rig.run(Duration::ms(300));
  REQUIRE(rig.path(3, 0).state == PathState::kUp);
  CHECK(rig.path(3, 0).alternate == kB);
  CHECK(rig.last_missing(0).size() == 2);
}

TEST_CASE("by hand: the move is told as the operator's, and a permission is not saved up") {
  Rig rig(2);
  rig.config.plan.switchback = Switchback::kManual;
  settle(rig, 1);
  Command command;
  command.host = HostId{2};
  command.lan = kA;
  command.kind = Command::Kind::kSwitchback;  // nothing is away: it permits nothing
  rig.command(command);
  command.kind = Command::Kind::kFailover;
  rig.command(command);
  CHECK(rig.path(2, 0).alternate == kB);
  CHECK(rig.path(2, 0).forced);
  CHECK(last(rig, EventKind::kFailover).reason == Reason::kOperator);
  CHECK(last(rig, EventKind::kFailover).apply == Duration());
  rig.run(Duration::ms(100));
  CHECK(!turned_away(rig, 0));
  command.kind = Command::Kind::kSwitchback;
  rig.command(command);
  rig.run(Duration::ms(100));
  CHECK(!rig.path(2, 0).alternate);
  CHECK(stays_away_after_an_outage(rig));
}

TEST_CASE("a plan that drains a LAN which is not there is refused") {
  Rig rig(2);
  settle(rig, 1);
  Command command;
  command.plan = rig.config.plan;
  FAILD_CHECK(command.plan.drained.push(kC));
  rig.command(command);
  CHECK(rig.events.back().error != 0);
  rig.run(Duration::ms(100));
  CHECK(!rig.path(2, 0).alternate);
}

}  // namespace
}  // namespace faild
