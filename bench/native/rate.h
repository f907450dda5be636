// The most events within any one second, looked at every tenth of a second: what a ceiling "per
// second" is held against.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>

#include "clock.h"

namespace faild::bench {

class Rate {
 public:
  void note(Nanoseconds at, int64_t count) {
    const int64_t tenth = at / (kSecond / kParts);
    // Parts of the second that have gone by without an event are empty.
    const int64_t gone = std::min<int64_t>(tenth - tenth_, kParts);
    for (int64_t i = 0; i < gone; i++) parts_[static_cast<size_t>((tenth - i) % kParts)] = 0;
    tenth_ = std::max(tenth, tenth_);
    parts_[static_cast<size_t>(tenth_ % kParts)] += count;
    peak_ = std::max(peak_, std::accumulate(parts_.begin(), parts_.end(), int64_t{0}));
  }
  [[nodiscard]] int64_t take_peak() {
    const int64_t peak = peak_;
    peak_ = 0;
    return peak;
  }

 private:
  static constexpr int64_t kParts = 10;
  std::array<int64_t, kParts> parts_{};
  int64_t tenth_ = 0, peak_ = 0;
};

}  // namespace faild::bench
