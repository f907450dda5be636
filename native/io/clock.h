// The only place in faild that reads a clock (a test bans it elsewhere), and the bridge from the
// kernel's receive timestamps to Instants.
//
// The kernel stamps packets with CLOCK_REALTIME, which an operator or NTP may step at any moment.
// So a stamp is turned into an age at once, with both clocks read together, and the age is clamped:
// a packet cannot be younger than now, and not older than the moment when its socket was last found
// empty. A step of the clock then costs at most the time since that moment, and never more than one
// round of the loop.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace faild {

struct ClockReading {
  Instant now;              // CLOCK_MONOTONIC
  int64_t realtime_ns = 0;  // CLOCK_REALTIME at the same moment
};

[[nodiscard]] Instant monotonic_now();
[[nodiscard]] ClockReading read_clocks();

// When a packet with the kernel's stamp `stamp_ns` arrived, given that it arrived after
// `not_before`.
[[nodiscard]] Instant arrival_time(const ClockReading& reading, int64_t stamp_ns,
                                   Instant not_before);

}  // namespace faild
