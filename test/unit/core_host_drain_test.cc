// Aim: a host that is drained as a whole says so, knows who has heard it, and its silence is its
// absence, to nobody's blame; while it speaks, it is a host like any other.
#include <doctest/doctest.h>

#include "core/path.h"
#include "unit/core_rig.h"

namespace faild {
namespace {

using rig::Rig;
using rig::settle;

constexpr LanIndex kB{1};

void drain_us(Rig& rig, bool drained) {
  Command command;
  command.plan = rig.config.plan;
  command.plan.host_drained = drained;
  rig.command(command);
  REQUIRE(rig.events.back().error == 0);
}

// The peer says that it is drained, and all LANs have carried that.
rig::Peer& drained_peer(Rig& rig, size_t peer = 0) {
  rig.peers[peer].drained = true;
  rig.run(Duration::ms(20));
  return rig.peers[peer];
}

void all_lans(rig::Peer& peer, bool speak) { peer.speaks.fill(speak); }

bool is_stopped(const Rig& rig, uint64_t id) {
  const PathRow a = rig.path(id, 0), b = rig.path(id, 1);
  return a.state == PathState::kStopped && b.state == PathState::kStopped;
}

TEST_CASE("we say it at once on every LAN, and know who has acknowledged it") {
  Rig rig(2);
  settle(rig, 2);
  CHECK(!rig.says_drained(0));
  rig.peers[1].hears.fill(false);
  drain_us(rig, true);
  CHECK(rig.peer(2).untold);
  rig.run(Duration::ms(2));  // out of turn: the interval is ten
  CHECK(rig.says_drained(0));
  CHECK(rig.says_drained(1));
  CHECK(!rig.peer(2).untold);
  CHECK(rig.peer(3).untold);
  rig.peers[1].hears.fill(true);
  rig.run(Duration::ms(500));  // it is asked again
  CHECK(!rig.peer(3).untold);
  drain_us(rig, false);
  CHECK(rig.peer(2).untold);
  rig.run(Duration::ms(2));
  CHECK(!rig.says_drained(0));
  CHECK(!rig.peer(2).untold);
  CHECK(rig.count(EventKind::kFailover) == 0);
}

TEST_CASE("an acknowledgment of what was asked before proves nothing") {
  Rig rig(1);
  rig.add_peer(2);
  rig.begin();
  rig.silent = true;
  rig.run(Duration::ms(15));  // asked, not answered
  drain_us(rig, true);
  Heartbeat late = rig.beat_of(rig.peers[0], 0, MessageType::kAck);
  late.sequence = 1;
  late.solicit = late.hears_you = true;
  late.to = rig.config.host;
  late.to_incarnation = rig.config.incarnation;
  late.echo_sequence = 1;
  rig.deliver(late, 0);
  CHECK(rig.drops(Drop::kUnknownAck) == 1);
  CHECK(rig.peer(2).untold);
}

TEST_CASE("a plan that says the same of us again asks nobody") {
  Rig rig(2);
  settle(rig, 1);
  drain_us(rig, true);
  rig.run(Duration::ms(100));
  const uint64_t asked = rig.engine->counters().solicits_sent;
  drain_us(rig, true);
  rig.run(Duration::ms(100));
  CHECK(!rig.peer(2).untold);
  CHECK(rig.engine->counters().solicits_sent == asked);
}

TEST_CASE("a peer says that it is drained: told once, and nothing moves") {
  Rig rig(2);
  settle(rig, 1);
  drained_peer(rig);
  CHECK(rig.peer(2).drained);
  CHECK(rig.count(EventKind::kPeerDrained) == 1);
  rig.run(Duration::ms(500));
  CHECK(rig.count(EventKind::kPeerDrained) == 1);
  CHECK(rig.all_up());
  CHECK(rig.count(EventKind::kFailover) == 0);
  rig.peers[0].drained = false;
  rig.run(Duration::ms(20));
  CHECK(!rig.peer(2).drained);
  CHECK(rig.count(EventKind::kPeerUndrained) == 1);
}

TEST_CASE("it falls silent on every LAN: stopped, as after a goodbye, without one") {
  Rig rig(2);
  settle(rig, 3);
  for (size_t i = 0; i < 3; i++) all_lans(drained_peer(rig, i), false);
  rig.run(Duration::seconds(1));
  for (uint64_t id = 2; id < 5; id++) {
    CHECK(is_stopped(rig, id));
    CHECK(rig.path(id, 0).reason == Reason::kDrained);
  }
  CHECK(rig.count(EventKind::kPathStopped) == 6);
  for (const EventKind blame : {EventKind::kPathDown, EventKind::kLanDown, EventKind::kFailover,
                                EventKind::kLanFailover, EventKind::kIsolated}) {
    CHECK(rig.count(blame) == 0);
  }
}

TEST_CASE("one LAN of it dies while another is heard: a cut like any other") {
  Rig rig(2);
  settle(rig, 2);
  rig::Peer& peer = drained_peer(rig);
  peer.speaks[0] = false;
  rig.run(Duration::ms(50));
  CHECK(rig.path(2, 0).state == PathState::kDown);
  CHECK(rig.path(2, 0).reason == Reason::kSilent);
  CHECK(rig.path(2, 0).alternate == kB);
  peer.speaks[1] = false;  // and now it goes
  rig.run(Duration::ms(50));
  CHECK(is_stopped(rig, 2));
  CHECK(rig.path(2, 0).alternate == kB);  // stays
  CHECK(rig.count(EventKind::kPathDown) == 1);
  // The same run is heard again on B alone: A is left as long as it is not good again.
  peer.speaks[1] = true;
  rig.run(Duration::ms(300));
  CHECK(rig.path(2, 1).state == PathState::kUp);
  CHECK(rig.path(2, 0).state == PathState::kDown);
  CHECK(rig.path(2, 0).alternate == kB);
  peer.speaks[0] = true;
  rig.run(Duration::ms(300));
  CHECK(rig.all_up());
  CHECK(!rig.path(2, 0).alternate);
}

TEST_CASE("it is heard again: at once, its run the same or another, and drained until it says so") {
  for (const bool restarts : {false, true}) {
    Rig rig(2);
    settle(rig, 1);
    rig::Peer& peer = drained_peer(rig);
    all_lans(peer, false);
    rig.run(Duration::ms(150));
    REQUIRE(is_stopped(rig, 2));
    if (restarts) {
      peer.incarnation = Incarnation{2};
      peer.sequence.fill(0);
    }
    all_lans(peer, true);
    rig.run(Duration::ms(100));
    CHECK(rig.all_up());
    CHECK(rig.count(EventKind::kPeerRestarted) == (restarts ? 1 : 0));
    CHECK(rig.count(EventKind::kPeerDrained) == 1);
    all_lans(peer, false);
    rig.run(Duration::ms(150));
    CHECK(is_stopped(rig, 2));
    peer.drained = false;
    all_lans(peer, true);
    rig.run(Duration::ms(100));
    REQUIRE(rig.all_up());
    CHECK(rig.count(EventKind::kPeerUndrained) == 1);
    all_lans(peer, false);
    rig.run(Duration::ms(100));
    CHECK(rig.path(2, 0).state == PathState::kDown);
  }
}

// Three of four are gone from A, but two of them are being worked on.
TEST_CASE("a drained host is no witness against a LAN") {
  for (const bool drained : {true, false}) {
    Rig rig(2);
    settle(rig, 4);
    for (size_t i = 0; i < 2; i++) rig.peers[i].drained = drained;
    rig.run(Duration::ms(20));
    for (size_t i = 0; i < 3; i++) rig.peers[i].speaks[0] = false;
    rig.run(Duration::ms(100));
    CHECK(rig.count(EventKind::kLanDown) == (drained ? 0 : 1));
    for (uint64_t id = 2; id < 5; id++) CHECK(rig.path(id, 0).alternate == kB);
    CHECK(rig.path(5, 0).state == PathState::kUp);
  }
}

TEST_CASE("LANs are read one after another: an older word does not undo a newer one") {
  Rig rig(2);
  settle(rig, 1);
  rig::Peer& peer = drained_peer(rig);
  Heartbeat old = rig.beat_of(peer, 1, MessageType::kInq);
  old.drained = false;
  old.sequence = ++peer.sequence[1];
  const Instant now = rig.now;
  rig.now = now - Duration::ms(5);  // its arrival
  rig.deliver(old, 1);
  rig.now = now;
  CHECK(rig.peer(2).drained);
  CHECK(rig.count(EventKind::kPeerUndrained) == 0);
}

TEST_CASE("whoever says this and that with every packet is not told with every packet") {
  Rig rig(1);
  settle(rig, 1);
  for (int i = 0; i < 500; i++) {
    rig.peers[0].drained = !rig.peers[0].drained;
    rig.inquire(rig.peers[0], 0);
  }
  CHECK(rig.count(EventKind::kPeerDrained) + rig.count(EventKind::kPeerUndrained) <= 8);
  rig.peers[0].drained = true;
  rig.run(Duration::ms(200));
  CHECK(rig.peer(2).drained);  // what it goes on saying is taken in
}

}  // namespace
}  // namespace faild
