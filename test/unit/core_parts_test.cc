// The core's small parts: deadline heap, missing list, peer table, the detector's rules, the
// planner's functions.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/random.h"
#include "core/deadline_heap.h"
#include "core/missing_list.h"
#include "core/path.h"
#include "core/peer_table.h"
#include "core/planner.h"

namespace faild {
namespace {

constexpr Instant at_ms(int64_t ms) { return Instant::from_ns(ms * 1'000'000); }

TEST_CASE("the deadline heap agrees with a sorted list") {
  for (uint64_t seed = 1; seed <= 20; seed++) {
    INFO("seed ", seed);
    Random random(seed);
    DeadlineHeap heap(50);
    std::map<uint32_t, Instant> list;
    for (int step = 0; step < 2000; step++) {
      const auto slot = static_cast<uint32_t>(random.below(50));
      if (random.below(3) == 0) {
        heap.remove(slot);
        list.erase(slot);
      } else {
        list[slot] = at_ms(static_cast<int64_t>(random.below(30)));
        heap.set(slot, list[slot]);
      }
      const auto first =
          std::min_element(list.begin(), list.end(), [](const auto& a, const auto& b) {
            return a.second != b.second ? a.second < b.second : a.first < b.first;
          });
      const auto kept = list.find(slot);
      CHECK(heap.find(slot) == (kept == list.end() ? std::nullopt : std::optional(kept->second)));
      REQUIRE(heap.top().has_value() == !list.empty());
      if (list.empty()) continue;
      CHECK(heap.top()->slot == first->first);
      CHECK(heap.top()->at == first->second);
    }
  }
}

TEST_CASE("the missing list's window rotates over everybody, also while members leave") {
  MissingList list(200);
  std::vector<uint32_t> place(200);
  for (uint32_t peer = 0; peer < 200; peer++) place[peer] = list.join(peer);
  std::vector<int> seen(200);
  for (int packet = 0; packet < 4; packet++) {
    list.next_window(kMaxMissing, [&](uint32_t peer) { seen[peer]++; });
  }
  CHECK(std::all_of(seen.begin(), seen.end(), [](int count) { return count >= 1; }));
  for (uint32_t peer = 0; peer < 197; peer++) {
    if (const auto moved = list.leave(place[peer])) place[*moved] = place[peer];
  }
  std::vector<uint32_t> rest;
  list.next_window(kMaxMissing, [&](uint32_t peer) { rest.push_back(peer); });
  std::sort(rest.begin(), rest.end());
  CHECK(rest == std::vector<uint32_t>{197, 198, 199});
}

TEST_CASE("the peer table finds everybody and refuses the one too many") {
  PeerTable table(100, 1);
  for (uint64_t i = 1; i <= 100; i++) CHECK(table.add(HostId{i << 32}) == i - 1);
  CHECK_FALSE(table.add(HostId{7}));
  for (uint64_t i = 1; i <= 100; i++) CHECK(table.find(HostId{i << 32}) == i - 1);
  CHECK_FALSE(table.find(HostId{7}));
}

TEST_CASE("ids that somebody chose to collide are found as fast as others") {
  for (const int shift : {0, 16, 32, 48}) {
    for (uint64_t seed = 1; seed <= 5; seed++) {
      PeerTable table(kMaxPeers, seed);
      for (uint64_t i = 0; i < kMaxPeers; i++) REQUIRE(table.add(HostId{(i + 1) << shift}));
      CHECK_MESSAGE(table.longest_search() < 200, "shift ", shift, " seed ", seed);
    }
  }
}

void check_judgment(const Path& path) {
  const bool heard_there = path.heard_by_peer == HeardByPeer::kYes;
  const bool good = path.hearing && path.acked && heard_there;
  const auto verdict = judge(path);
  if (path.state == PathState::kUp && !path.hearing) {
    REQUIRE(verdict);
    CHECK(verdict->reason == Reason::kSilent);
  } else if (path.state == PathState::kUp && path.heard_by_peer == HeardByPeer::kNo) {
    REQUIRE(verdict);
    CHECK(verdict->reason == Reason::kNotHeard);
  } else if (good && (path.state == PathState::kUnknown ||
                      (path.state == PathState::kDown && !path.doubtful))) {
    REQUIRE(verdict);
    CHECK(verdict->state == PathState::kUp);
  } else {
    CHECK_FALSE(verdict);
  }
}

// The table in path.h, spelled out: every state with every combination of evidence.
TEST_CASE("judge: the whole table") {
  for (const auto state :
       {PathState::kUnknown, PathState::kUp, PathState::kDown, PathState::kStopped}) {
    for (const auto heard : {HeardByPeer::kUnknown, HeardByPeer::kYes, HeardByPeer::kNo}) {
      for (unsigned flags = 0; flags < 8; flags++) {
        Path path;
        path.state = state;
        path.heard_by_peer = heard;
        path.hearing = (flags & 1U) != 0;
        path.acked = (flags & 2U) != 0;
        path.doubtful = (flags & 4U) != 0;
        check_judgment(path);
      }
    }
  }
}

TEST_CASE("a dead path is heard again only after `restore_after` good packets in a row") {
  const DetectorRules rules{3, 4};
  Path path;
  path.state = PathState::kDown;
  for (int i = 0; i < 3; i++) note_heard(path, rules, at_ms(i), true);
  CHECK_FALSE(path.hearing);
  note_heard(path, rules, at_ms(5), false);  // one was lost: from the start
  for (int i = 0; i < 2; i++) note_heard(path, rules, at_ms(6 + i), true);
  CHECK_FALSE(path.hearing);
  note_heard(path, rules, at_ms(9), true);
  CHECK(path.hearing);
  note_silence(path);
  CHECK_FALSE(path.hearing);
  CHECK(path.good == 0);
}

TEST_CASE("times: tolerance, detection, missed packets, freshness") {
  const DetectorRules rules{3, 10};
  CHECK(tolerance(Duration::ms(1)) == Duration::us(150));
  CHECK(tolerance(Duration::seconds(10)) == Duration::us(5100));
  CHECK(detection_time(rules, Duration::ms(1)) == Duration::us(3150));
  CHECK(overdue_time({1, 1}, Duration::ms(1)) == Duration::us(1150));
  Path path;
  CHECK_FALSE(silence(path, at_ms(5)));
  CHECK(missed_packets(path, at_ms(5)) == 0);
  path.interval = Duration::ms(1);
  path.heard_at = at_ms(10);
  path.state = PathState::kUp;
  CHECK(*silence(path, at_ms(9)) == Duration());  // read late, or set back: never negative
  CHECK(missed_packets(path, at_ms(11)) == 0);
  CHECK(missed_packets(path, at_ms(14)) == 3);
  CHECK(is_fresh(path, rules, at_ms(12)));
  CHECK_FALSE(is_fresh(path, rules, at_ms(13)));
  path.state = PathState::kUnknown;
  CHECK_FALSE(is_fresh(path, rules, at_ms(11)));
}

TEST_CASE("patience: what revalidation takes and half as much again, whatever the settings") {
  Path path;
  path.interval = Duration::ms(10);
  CHECK(patience(path, {3, 10}) == Duration::ms(150) + detection_time({3, 10}, path.interval));
  path.interval = Duration::seconds(3600);
  path.flaps = 6;
  const DetectorRules slowest{1000, 100000, Duration::seconds(1)};
  CHECK(patience(path, slowest) > Duration::seconds(365LL * 24 * 3600));
  CHECK(Instant::from_ns(0) + patience(path, slowest) * 2 > Instant::from_ns(0));
}

TEST_CASE("sequences wrap") {
  CHECK(comes_after(1, 0));
  CHECK(comes_after(0, UINT32_MAX));
  CHECK(comes_after(5, UINT32_MAX - 5));
  CHECK_FALSE(comes_after(UINT32_MAX, 0));
  CHECK_FALSE(comes_after(7, 7));
}

struct Paths {
  std::array<Path, 3> paths;
  Plan plan;
  std::array<DetectorRules, 3> rules;
  Paths() {
    for (size_t i = 0; i < 3; i++) {
      paths[i].state = PathState::kUp;
      paths[i].interval = Duration::ms(10);
      paths[i].heard_at = at_ms(100);
      FAILD_CHECK(plan.preference.push(LanIndex{static_cast<uint8_t>(2 - i)}));
    }
  }
  std::optional<LanIndex> alternate(uint8_t lan, Instant now = at_ms(105)) {
    return choose_alternate(paths, LanIndex{lan}, plan, rules, now);
  }
};

TEST_CASE("the alternate: in the plan's order, up and fresh, and kept while it is up") {
  Paths it;
  CHECK(it.alternate(0) == LanIndex{2});
  it.paths[2].heard_at = at_ms(70);
  CHECK(it.alternate(0) == LanIndex{1});
  CHECK(choose_standby(it.paths, LanIndex{0}, it.plan) == LanIndex{2});
  it.paths[0].via = LanIndex{1};
  it.paths[2].heard_at = at_ms(100);
  CHECK(it.alternate(0) == LanIndex{1});
  it.paths[1].state = PathState::kDown;
  CHECK(it.alternate(0) == LanIndex{2});
  it.paths[2].state = PathState::kStopped;
  CHECK_FALSE(it.alternate(0));
  CHECK_FALSE(choose_standby(it.paths, LanIndex{0}, it.plan));
}

TEST_CASE("many virtual addresses leave a place for each subnet") {
  LanConfig lan;
  for (const char* text : {"10.1.0.2/24", "10.1.0.50/32", "10.1.0.51/24", "10.1.0.52/32",
                           "10.1.0.53/32", "fd00:1::2/64", "fe80::2/64", "fd00:1::3/64"}) {
    add_address(lan, *parse_prefix(text));
  }
  REQUIRE(lan.addresses.full());
  CHECK(lan.addresses[0] == *parse_prefix("10.1.0.2/24"));
  CHECK(lan.addresses[1] == *parse_prefix("10.1.0.50/32"));
  CHECK(lan.addresses[2] == *parse_prefix("10.1.0.51/24"));
  CHECK(lan.addresses[3] == *parse_prefix("fd00:1::2/64"));

  LanConfig subnets;  // each of another one: the first stay
  for (const char* text :
       {"10.1.0.2/24", "10.3.0.2/24", "10.4.0.2/24", "10.5.0.2/24", "10.6.0.2/24"}) {
    add_address(subnets, *parse_prefix(text));
  }
  CHECK(subnets.addresses[3] == *parse_prefix("10.5.0.2/24"));
}

TEST_CASE("gateways, sources and what may be routed") {
  LanConfig ours;
  REQUIRE(ours.addresses.push(*parse_prefix("10.2.0.1/16")));
  REQUIRE(ours.addresses.push(*parse_prefix("fd00:2::1/64")));
  REQUIRE(ours.addresses.push(*parse_prefix("fe80::1/64")));
  LanAdvert there;
  REQUIRE(there.addresses.push(*parse_prefix("fe80::2/64")));
  REQUIRE(there.addresses.push(*parse_prefix("192.0.2.2/24")));
  CHECK(choose_gateway(there, ours, Family::kIpv6) == parse_ip("fe80::2"));
  CHECK(choose_gateway(there, ours, Family::kIpv4) == parse_ip("fe80::2"));
  REQUIRE(there.addresses.push(*parse_prefix("10.2.0.2/16")));
  CHECK(choose_gateway(there, ours, Family::kIpv4) == parse_ip("10.2.0.2"));
  LanConfig v4_only;  // IPv6 is disabled on that interface
  REQUIRE(v4_only.addresses.push(*parse_prefix("172.16.0.1/24")));
  CHECK_FALSE(choose_gateway(there, v4_only, Family::kIpv6).has_value());
  CHECK_FALSE(choose_gateway(there, v4_only, Family::kIpv4).has_value());
  CHECK(choose_source(ours, *parse_ip("10.2.0.9")) == *parse_ip("10.2.0.1"));
  CHECK(choose_source(ours, *parse_ip("fd00:2::9")) == *parse_ip("fd00:2::1"));
  CHECK(is_routable(ours, *parse_ip("10.2.0.9")));
  CHECK_FALSE(is_routable(ours, *parse_ip("10.2.0.1")));  // ours
  CHECK_FALSE(is_routable(ours, *parse_ip("8.8.8.8")));   // outside
  CHECK_FALSE(is_routable(ours, *parse_ip("fe80::9")));   // link-local
  CHECK(same_lan(there, ours) == true);
  LanAdvert other;
  REQUIRE(other.addresses.push(*parse_prefix("10.3.0.2/16")));
  CHECK(same_lan(other, ours) == false);
  LanAdvert silent;
  REQUIRE(silent.addresses.push(*parse_prefix("fe80::2/64")));
  CHECK_FALSE(same_lan(silent, ours).has_value());
}

}  // namespace
}  // namespace faild
