// The bench's clock: every instant that it reports is CLOCK_MONOTONIC in nanoseconds, the same for
// all namespaces.
//
// The bench keeps a clock of its own so that nothing that it measures depends on the daemon's code.
#pragma once

#include <time.h>

#include <cstdint>

namespace faild::bench {

using Nanoseconds = int64_t;

inline constexpr Nanoseconds kMicrosecond = 1000;
inline constexpr Nanoseconds kMillisecond = 1000 * kMicrosecond;
inline constexpr Nanoseconds kSecond = 1000 * kMillisecond;

[[nodiscard]] inline Nanoseconds read_clock(clockid_t clock) {
  timespec at{};
  clock_gettime(clock, &at);
  return at.tv_sec * kSecond + at.tv_nsec;
}

[[nodiscard]] inline Nanoseconds now() { return read_clock(CLOCK_MONOTONIC); }

// What to subtract from a kernel receive timestamp (CLOCK_REALTIME) to get an instant. Of three
// readings the tightest pair counts, so that being preempted between the two clocks does not shift
// it.
[[nodiscard]] inline Nanoseconds realtime_offset() {
  Nanoseconds best_width = INT64_MAX;
  Nanoseconds offset = 0;
  for (int i = 0; i < 3; i++) {
    const Nanoseconds before = now();
    const Nanoseconds real = read_clock(CLOCK_REALTIME);
    const Nanoseconds after = now();
    if (after - before >= best_width) continue;
    best_width = after - before;
    offset = real - (before + after) / 2;
  }
  return offset;
}

inline void sleep_until(Nanoseconds deadline) {
  const timespec at{deadline / kSecond, deadline % kSecond};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) != 0) {
  }
}

// Sleeps most of the way and spins the last part: for deadlines too close together to sleep.
inline void spin_until(Nanoseconds deadline) {
  while (now() < deadline) {
  }
}

}  // namespace faild::bench
