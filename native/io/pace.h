// Whether to wake for each packet or to poll, decided from how many came lately. Pure; the reactor
// asks it each round.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace faild {

class Pace {
 public:
  // What packets are counted by. A sleep shorter than 50 us costs more than it saves.
  [[nodiscard]] static Duration quantum(Duration shortest_interval) {
    return std::clamp(shortest_interval / 16, Duration::us(50), Duration::ms(5));
  }
  // How long to sleep while polling. A wake-up costs some 20 us on a virtual machine (measured), as
  // much as a hundred packets, so an eighth of the shortest interval: the kernel's timestamps keep
  // that delay out of every verdict and every round trip, and only what a peer says comes so much
  // later. No longer than 5 ms, for which the receive ring has ample room.
  [[nodiscard]] static Duration nap(Duration shortest_interval) {
    return std::clamp(shortest_interval / 8, Duration::us(50), Duration::ms(5));
  }

  void note(Instant now, uint64_t packets, Duration quantum) {
    packets_ += packets;
    const Duration elapsed = now - window_start_;
    if (elapsed < quantum * kWindow) return;
    // Hysteresis: at a steady rate between the two the mode stays.
    const auto rate_limit = polling_ ? kLeaveBelow : kEnterFrom;
    polling_ = packets_ * static_cast<uint64_t>(quantum.in_ns()) >=
               rate_limit * static_cast<uint64_t>(elapsed.in_ns());
    packets_ = 0;
    window_start_ = now;
  }
  [[nodiscard]] bool polling() const { return polling_; }

 private:
  static constexpr int64_t kWindow = 8;      // quanta: half an interval
  static constexpr uint64_t kEnterFrom = 4;  // packets a quantum: one wake-up then serves several
  static constexpr uint64_t kLeaveBelow = 2;

  uint64_t packets_ = 0;
  Instant window_start_;
  bool polling_ = false;
};

}  // namespace faild
