// How often something took how long: counts in buckets whose bounds never change, as Prometheus has
// them. To add one is some comparisons: no allocation, no lock, no clock.
//
// Whoever measures owns it; others get a copy, with the Snapshot.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/time.h"

namespace faild {

class Histogram {
 public:
  // Inclusive. From less than a timer is ever late, and less than the kernel needs for one route,
  // to what no host lives with; 1-2-5, like the histograms of lib/metrics, so that one panel may
  // show both.
  static constexpr std::array<Duration, 16> kBounds = {
      Duration::us(10),  Duration::us(20),  Duration::us(50),  Duration::us(100),
      Duration::us(200), Duration::us(500), Duration::ms(1),   Duration::ms(2),
      Duration::ms(5),   Duration::ms(10),  Duration::ms(20),  Duration::ms(50),
      Duration::ms(100), Duration::ms(200), Duration::ms(500), Duration::seconds(1)};

  void add(Duration length) {
    FAILD_CHECK(length >= Duration());
    size_t bucket = 0;
    while (bucket < kBounds.size() && length > kBounds[bucket]) bucket++;
    counts_[bucket]++;
    sum_ += length;
  }

  // One for each bound, not those of the bounds below as well; the last: longer than all of them.
  [[nodiscard]] const std::array<uint64_t, kBounds.size() + 1>& counts() const { return counts_; }
  [[nodiscard]] Duration sum() const { return sum_; }
  [[nodiscard]] uint64_t count() const {
    uint64_t all = 0;
    for (const uint64_t count : counts_) all += count;
    return all;
  }

 private:
  std::array<uint64_t, kBounds.size() + 1> counts_{};
  Duration sum_;
};

}  // namespace faild
