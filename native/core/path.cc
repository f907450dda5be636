// The detector's rules for one path; path.h tells the story.
#include "core/path.h"

#include <algorithm>

namespace faild {
namespace {

constexpr int kMaxFlaps = 6;  // 2^6 times as many good packets
// Each packet weighs 1/64: one lost counts 1.6 %, and is forgotten after some two hundred.
constexpr unsigned kLossShift = 6;
// A longer gap says no more than that everything was lost.
constexpr uint32_t kLossesCounted = 512;
// With a limit on it, the round-trip time is worth a packet in ten, but never a flood of them.
constexpr Duration kRoundTripEvery = Duration::seconds(30);
constexpr Duration kWatchedRoundTripFloor = Duration::ms(50);
constexpr int64_t kWatchedRoundTripIntervals = 10;
constexpr Duration kIntroductionFloor = Duration::ms(500);
constexpr Duration kLongestPatience = Duration::seconds(365LL * 24 * 3600);

}  // namespace

Duration round_trip_pace(const DetectorRules& rules, Duration interval) {
  if (!rules.round_trip_limit) return kRoundTripEvery;
  return std::clamp(interval * kWatchedRoundTripIntervals, kWatchedRoundTripFloor, kRoundTripEvery);
}

uint32_t good_needed(const Path& path, const DetectorRules& rules) {
  return rules.restore_after << path.flaps;
}

void note_flap(Path& path, const DetectorRules& rules, Duration lasted) {
  if (!rules.flap_window) {
    path.flaps = 0;
  } else if (lasted < *rules.flap_window) {
    path.flaps = static_cast<uint8_t>(std::min(path.flaps + 1, kMaxFlaps));
  } else {
    const int64_t quiet = lasted.in_ns() / rules.flap_window->in_ns();
    path.flaps = static_cast<uint8_t>(std::max<int64_t>(path.flaps - quiet, 0));
  }
}

void note_loss(Path& path, uint32_t missed) {
  uint32_t& loss = path.loss.value;
  for (uint32_t i = std::min(missed, kLossesCounted); i > 0; i--) {
    loss += (kLossOfAll - loss) >> kLossShift;
  }
  loss -= loss >> kLossShift;
}

void note_quality(Path& path, const DetectorRules& rules) {
  const bool was_lossy = path.gray == Reason::kLossy, was_slow = path.gray == Reason::kSlow;
  path.gray.reset();
  if (rules.loss_limit) {
    const uint32_t limit = was_lossy ? rules.loss_limit->value / 2 : rules.loss_limit->value;
    if (path.loss.value > limit) path.gray = Reason::kLossy;
  }
  if (rules.round_trip_limit && path.round_trip && !path.gray) {
    const Duration limit = was_slow ? *rules.round_trip_limit * 3 / 4 : *rules.round_trip_limit;
    if (*path.round_trip > limit) path.gray = Reason::kSlow;
  }
  if (path.gray && path.state != PathState::kUnknown) path.hearing = false;
}

Duration tolerance(Duration interval) {
  const Duration wake_up = std::min(Duration::us(100), interval / 4);
  return wake_up + std::min(interval / 20, Duration::ms(5));
}

Duration detection_time(const DetectorRules& rules, Duration interval) {
  return interval * rules.fail_after + tolerance(interval);
}

Duration overdue_time(const DetectorRules& rules, Duration interval) {
  return interval * std::max<int64_t>(1, int64_t{rules.fail_after} - 1) + tolerance(interval);
}

Duration introduction_time(const DetectorRules& rules, Duration interval) {
  return std::max(detection_time(rules, interval) * 2, kIntroductionFloor);
}

// Packets an hour apart of which millions are needed are more than nanoseconds can count.
Duration patience(const Path& path, const DetectorRules& rules) {
  const Duration pace = std::max(path.interval, Duration::ns(1));
  const int64_t most = kLongestPatience.in_ns() / pace.in_ns();
  const int64_t packets = std::min<int64_t>(good_needed(path, rules), most);
  return pace * packets * 3 / 2 + detection_time(rules, path.interval);
}

void note_heard(Path& path, const DetectorRules& rules, Instant at, bool consecutive) {
  path.received++;
  path.suspect = false;
  // Arrivals are ordered per socket, but a clamp of the clock or a second transport may not be.
  if (!path.heard_at || at > *path.heard_at) path.heard_at = at;
  path.good = consecutive ? path.good + 1 : 1;
  // A path that was never judged is heard from its first packet on: the handshake is its proof, not
  // the count.
  const bool proven = path.good >= good_needed(path, rules) && !path.gray;
  if (path.state == PathState::kUnknown || proven) path.hearing = true;
  if (proven) path.doubtful = false;
}

void note_silence(Path& path) {
  path.hearing = false;
  path.good = 0;
}

void note_not_heard(Path& path) {
  path.good = 0;
  path.doubtful = true;
}

void note_restart(Path& path) {
  path.acked = false;
  path.heard_by_peer = HeardByPeer::kUnknown;
  path.sequence.reset();
  path.echo.reset();
  path.solicited.reset();
  path.solicit_sequence.reset();
  path.solicit_backoff = Duration();
  path.solicit_at.reset();
}

std::optional<Verdict> judge(const Path& path) {
  const bool both_ways = path.hearing && path.acked && path.heard_by_peer == HeardByPeer::kYes;
  switch (path.state) {
    case PathState::kUnknown:
      if (both_ways) return Verdict{PathState::kUp, Reason::kHandshake};
      return std::nullopt;
    case PathState::kUp:
      if (!path.hearing) return Verdict{PathState::kDown, path.gray.value_or(Reason::kSilent)};
      if (path.heard_by_peer == HeardByPeer::kNo) {
        return Verdict{PathState::kDown, Reason::kNotHeard};
      }
      return std::nullopt;
    case PathState::kDown:
      if (both_ways && !path.doubtful) return Verdict{PathState::kUp, Reason::kRevalidated};
      return std::nullopt;
    case PathState::kStopped: return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Duration> silence(const Path& path, Instant now) {
  if (!path.heard_at) return std::nullopt;
  return std::max(now - *path.heard_at, Duration());
}

Duration excused(const Path& path, const DetectorRules& rules) {
  if (!path.heard_at || !rules.dropped_at) return Duration();
  const Duration before = *rules.dropped_at - std::max(*path.heard_at, rules.since);
  if (before <= Duration()) return Duration();
  const Duration pace = std::max(path.interval, Duration::ns(1));
  const int64_t times = rules.drops - path.drops_seen;
  return times > before.in_ns() / pace.in_ns() ? before : pace * times;
}

Instant silent_at(const Path& path, const DetectorRules& rules) {
  return std::max(*path.heard_at, rules.since) + detection_time(rules, path.interval) +
         excused(path, rules);
}

uint32_t missed_packets(const Path& path, Instant now) {
  const auto quiet = silence(path, now);
  if (!quiet || path.interval <= Duration()) return 0;
  const Duration late = *quiet - tolerance(path.interval);
  if (late <= Duration()) return 0;
  return static_cast<uint32_t>(std::min<int64_t>(late.in_ns() / path.interval.in_ns(), UINT32_MAX));
}

bool is_fresh(const Path& path, const DetectorRules& rules, Instant now) {
  const auto quiet = silence(path, now);
  return path.state == PathState::kUp && quiet &&
         *quiet < overdue_time(rules, path.interval) + excused(path, rules);
}

}  // namespace faild
