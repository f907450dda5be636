// The detector's rules for one path; path.h tells the story.
#include "core/path.h"

#include <algorithm>

namespace faild {

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

void note_heard(Path& path, const DetectorRules& rules, Instant at, bool consecutive) {
  path.received++;
  path.suspect = false;
  // Arrivals are ordered per socket, but a clamp of the clock or a second transport may not be.
  if (!path.heard_at || at > *path.heard_at) path.heard_at = at;
  path.good = consecutive ? path.good + 1 : 1;
  // A path that was never judged is heard from its first packet on: the handshake is its proof, not
  // the count.
  if (path.state == PathState::kUnknown || path.good >= rules.restore_after) path.hearing = true;
}

void note_silence(Path& path) {
  path.hearing = false;
  path.good = 0;
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
      if (!path.hearing) return Verdict{PathState::kDown, Reason::kSilent};
      if (path.heard_by_peer == HeardByPeer::kNo) {
        return Verdict{PathState::kDown, Reason::kNotHeard};
      }
      return std::nullopt;
    case PathState::kDown:
      if (both_ways) return Verdict{PathState::kUp, Reason::kRevalidated};
      return std::nullopt;
    case PathState::kStopped: return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Duration> silence(const Path& path, Instant now) {
  if (!path.heard_at) return std::nullopt;
  return std::max(now - *path.heard_at, Duration());
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
  return path.state == PathState::kUp && quiet && *quiet < overdue_time(rules, path.interval);
}

}  // namespace faild
