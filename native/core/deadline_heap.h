// The earliest deadline of many paths: a binary heap over path slots with fixed memory.
//
// Used lazily: a packet does not touch it. A path's entry may be earlier than its real deadline;
// when it comes to the top the engine looks at the path and puts the real one in. So a path costs
// one heap operation per detection time, not one per packet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/memory.h"
#include "base/time.h"

namespace faild {

class DeadlineHeap {
 public:
  explicit DeadlineHeap(size_t slots, Memory* memory = general_heap())
      : heap_(memory), at_(slots, memory), place_(slots, kAbsent, memory) {
    heap_.reserve(slots);
  }

  struct Entry {
    uint32_t slot;
    Instant at;
  };
  [[nodiscard]] std::optional<Entry> top() const {
    if (heap_.empty()) return std::nullopt;
    return Entry{heap_[0], at_[heap_[0]]};
  }
  [[nodiscard]] std::optional<Instant> find(uint32_t slot) const {
    if (place_[slot] == kAbsent) return std::nullopt;
    return at_[slot];
  }

  void set(uint32_t slot, Instant at) {
    FAILD_CHECK(slot < at_.size());
    at_[slot] = at;
    if (place_[slot] == kAbsent) {
      place_[slot] = static_cast<uint32_t>(heap_.size());
      heap_.push_back(slot);  // within the capacity reserved
    }
    const uint32_t place = rise(place_[slot]);
    sink(place);
  }

  void remove(uint32_t slot) {
    const uint32_t place = place_[slot];
    if (place == kAbsent) return;
    const uint32_t last = heap_.back();
    heap_.pop_back();
    place_[slot] = kAbsent;
    if (last == slot) return;
    heap_[place] = last;
    place_[last] = place;
    sink(rise(place));
  }

 private:
  static constexpr uint32_t kAbsent = UINT32_MAX;

  // Ties are broken by slot, so that the same inputs give the same order on every machine.
  [[nodiscard]] bool before(uint32_t a, uint32_t b) const {
    return at_[a] != at_[b] ? at_[a] < at_[b] : a < b;
  }
  void swap_places(uint32_t i, uint32_t j) {
    std::swap(heap_[i], heap_[j]);
    place_[heap_[i]] = i;
    place_[heap_[j]] = j;
  }
  uint32_t rise(uint32_t i) {
    while (i > 0 && before(heap_[i], heap_[(i - 1) / 2])) {
      swap_places(i, (i - 1) / 2);
      i = (i - 1) / 2;
    }
    return i;
  }
  void sink(uint32_t i) {
    for (;;) {
      uint32_t first = i;
      for (uint32_t child = 2 * i + 1; child <= 2 * i + 2; child++) {
        if (child < heap_.size() && before(heap_[child], heap_[first])) first = child;
      }
      if (first == i) return;
      swap_places(i, first);
      i = first;
    }
  }

  std::pmr::vector<uint32_t> heap_;   // slots, earliest first
  std::pmr::vector<Instant> at_;      // by slot
  std::pmr::vector<uint32_t> place_;  // by slot: index in heap_
};

}  // namespace faild
