#include "io/clock.h"

#include <ctime>

namespace faild {
namespace {

// Being preempted between the two clocks would pass as age; a reading within this is good enough.
constexpr Duration kPairGap = Duration::us(5);
constexpr int kPairTries = 3;

int64_t read_ns(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return t.tv_sec * 1'000'000'000LL + t.tv_nsec;
}

}  // namespace

Instant monotonic_now() { return Instant::from_ns(read_ns(CLOCK_MONOTONIC)); }

ClockReading read_clocks() {
  ClockReading reading;
  for (int i = 0; i < kPairTries; i++) {
    const Instant before = monotonic_now();
    reading.realtime_ns = read_ns(CLOCK_REALTIME);
    reading.now = monotonic_now();
    if (reading.now - before <= kPairGap) break;
  }
  return reading;
}

Instant arrival_time(const ClockReading& reading, int64_t stamp_ns, Instant not_before) {
  // Any 64-bit stamp is possible after a step; the comparison must not overflow.
  const uint64_t age_bits =
      static_cast<uint64_t>(reading.realtime_ns) - static_cast<uint64_t>(stamp_ns);
  const Duration age = Duration::ns(static_cast<int64_t>(age_bits));
  if (age <= Duration()) return reading.now;
  if (age >= reading.now - not_before) return not_before < reading.now ? not_before : reading.now;
  return reading.now - age;
}

}  // namespace faild
