// Aim: what this host's own kernel has dropped of a LAN's packets is no silence of its peers, at
// whatever interval they speak; and it is none but that LAN's matter.
#include <doctest/doctest.h>

#include "core/path.h"
#include "unit/core_rig.h"

namespace faild {
namespace {

using rig::Rig;

constexpr LanIndex kSlow{0}, kFast{1};
constexpr Duration kLong = Duration::ms(100), kShort = Duration::ms(10);

// Peer 2 speaks every 100 ms; we do so on the first LAN, and every 10 ms on the second.
struct TwoPaces : Rig {
  explicit TwoPaces(uint32_t fail_after) : Rig(2) {
    config.plan.timing[0] = {kLong, fail_after, 1};
    config.plan.timing[1] = {kShort, fail_after, 1};
    add_peer(2).interval = kLong;
    begin();
    run(Duration::seconds(1));
    REQUIRE(all_up());
  }
  void drop(LanIndex lan) {
    engine->on_receive_drops(now, lan, 1, *effects);
    finish();
  }
  // Its next packets on the LAN, so many of them, are lost.
  void lose(LanIndex lan, int packets) {
    peers[0].speaks[lan.value] = false;
    run(kLong * packets);
    peers[0].speaks[lan.value] = true;
    peers[0].sequence[lan.value] += static_cast<uint32_t>(packets);
  }
  [[nodiscard]] Duration time_to_verdict(LanIndex lan) {
    peers[0].speaks[lan.value] = false;
    const Instant begin = now;
    while (path(2, lan.value).state == PathState::kUp && now - begin < Duration::seconds(10)) {
      run(Duration::ms(1));
    }
    return now - begin;
  }
};

TEST_CASE("a packet that the kernel dropped is not missed, though another LAN is much faster") {
  for (const uint32_t fail_after : {1U, 2U, 3U}) {
    TwoPaces rig(fail_after);
    rig.lose(kSlow, static_cast<int>(fail_after) - 1);
    rig.run(kLong - kShort);  // the next one would have come in 10 ms
    rig.peers[0].speaks[0] = false;
    rig.run(kShort);
    rig.drop(kSlow);
    rig.peers[0].speaks[0] = true;
    rig.peers[0].sequence[0]++;
    rig.run(Duration::ms(300));
    INFO("fail-after ", fail_after);
    CHECK(rig.count(EventKind::kPathDown) == 0);
  }
}

TEST_CASE("a drop costs the verdicts of its own LAN an interval, and those of others nothing") {
  const Duration detection = detection_time({3}, kLong);
  for (const LanIndex lan : {kSlow, kFast}) {
    TwoPaces rig(3);
    rig.peers[0].speaks[lan.value] = false;
    rig.run(Duration::ms(150));
    rig.drop(kSlow);
    const Duration due = lan == kSlow ? detection + kLong : detection;
    const Duration waited = Duration::ms(150) + rig.time_to_verdict(lan);
    INFO("LAN ", int{lan.value}, " after ", waited.in_us(), " us");
    CHECK(waited >= due - Duration::ms(1));
    CHECK(waited <= due + Duration::ms(1));
  }
}

TEST_CASE("traffic that waits for an alternate takes one that is excused, at once") {
  TwoPaces rig(3);
  rig.peers[0].speaks[kSlow.value] = false;
  rig.run(kLong);
  rig.peers[0].speaks[kFast.value] = false;  // it has spoken there once more
  while (rig.path(2, kSlow.value).state == PathState::kUp) rig.run(Duration::ms(1));
  CHECK_FALSE(rig.path(2, kSlow.value).alternate);  // too long since the other one was heard
  rig.drop(kFast);
  CHECK(rig.path(2, kSlow.value).alternate == kFast);
}

TEST_CASE("drops without end leave their LAN unjudged, but not for longer than they last") {
  TwoPaces rig(3);
  rig.peers[0].speaks.fill(false);
  for (int i = 0; i < 200; i++) {
    rig.run(kShort);
    rig.drop(kSlow);
  }
  CHECK(rig.path(2, 0).state == PathState::kUp);
  CHECK(rig.path(2, 1).state == PathState::kDown);
  const Duration waited = rig.time_to_verdict(kSlow);
  CHECK(waited <= detection_time({3}, kLong) + Duration::ms(1));
}

TEST_CASE("a packet that the kernel dropped leaves its LAN an alternate") {
  TwoPaces rig(1);
  rig.run(kLong - kShort);
  rig.peers[0].speaks.fill(false);
  rig.run(kShort);
  rig.drop(kSlow);
  rig.peers[0].speaks[0] = true;
  rig.run(Duration::ms(50));
  CHECK(rig.path(2, 1).state == PathState::kDown);
  CHECK(rig.path(2, 1).alternate == kSlow);
}

}  // namespace
}  // namespace faild
