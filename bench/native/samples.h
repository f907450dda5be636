// A bounded list of measured durations, and what one says of it: the maximum is never left out.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "json.h"

namespace faild::bench {

class Samples {
 public:
  explicit Samples(size_t room) : room_(room) { values_.reserve(room); }

  void add(int64_t value) {
    if (values_.size() < room_)
      values_.push_back(value);
    else
      overflow_++;
  }
  // {"count","min","p50","p99","p999","max"}, in the samples' own unit, nearest rank; then forgets
  // them.
  void report(Json& json) {
    std::sort(values_.begin(), values_.end());
    json.open('{').field("count", static_cast<int64_t>(values_.size() + overflow_));
    if (!values_.empty()) {
      json.field("min", values_.front()).field("p50", rank(500)).field("p99", rank(990));
      json.field("p999", rank(999)).field("max", values_.back());
    }
    json.close('}');
    values_.clear();
    overflow_ = 0;
  }

 private:
  [[nodiscard]] int64_t rank(size_t permille) const {
    return values_[(permille * values_.size() + 999) / 1000 - 1];
  }
  size_t room_;
  size_t overflow_ = 0;
  std::vector<int64_t> values_;
};

}  // namespace faild::bench
