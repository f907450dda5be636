// The earliest deadline of many paths: a heap over path slots with fixed memory.
//
// Used lazily: a packet does not touch it. A path's entry may be earlier than its real deadline;
// when it comes to the top the engine looks at the path and puts the real one in. So a path costs
// one heap operation per detection time, not one per packet.
//
// What is compared lies side by side, four children to a cache line, so that a large heap costs a
// cache miss a level, and has few levels. When a slot is due lies beside its place as well: what a
// packet asks for is then found without a look at the heap.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/memory.h"
#include "base/prefetch.h"
#include "base/time.h"

namespace faild {

class DeadlineHeap {
 public:
  explicit DeadlineHeap(size_t slots, Memory* memory = general_heap())
      : heap_(memory), places_(slots, Place(), memory) {
    heap_.reserve(slots);
  }

  struct Entry {
    uint32_t slot;
    Instant at;
  };
  [[nodiscard]] std::optional<Entry> top() const {
    if (heap_.empty()) return std::nullopt;
    return heap_[0];
  }
  [[nodiscard]] std::optional<Instant> find(uint32_t slot) const {
    if (places_[slot].number == kAbsent) return std::nullopt;
    return places_[slot].at;
  }

  // It will soon be looked for.
  void fetch(uint32_t slot) const { fetch_ahead(&places_[slot], sizeof(Place)); }

  void set(uint32_t slot, Instant at) {
    FAILD_CHECK(slot < places_.size());
    Place& place = places_[slot];
    if (place.number == kAbsent) {
      place.number = static_cast<uint32_t>(heap_.size());
      heap_.push_back({slot, at});  // within the capacity reserved
    }
    place.at = heap_[place.number].at = at;
    sink(rise(place.number));
  }

  void remove(uint32_t slot) {
    const uint32_t place = places_[slot].number;
    if (place == kAbsent) return;
    const Entry last = heap_.back();
    heap_.pop_back();
    places_[slot].number = kAbsent;
    if (last.slot == slot) return;
    put(place, last);
    sink(rise(place));
  }

 private:
  static constexpr uint32_t kAbsent = UINT32_MAX;
  static constexpr uint32_t kChildren = 4;

  // Ties are broken by slot, so that the same inputs give the same order on every machine.
  [[nodiscard]] static bool before(const Entry& a, const Entry& b) {
    return a.at != b.at ? a.at < b.at : a.slot < b.slot;
  }
  void put(uint32_t place, const Entry& entry) {
    heap_[place] = entry;
    places_[entry.slot].number = place;
  }
  uint32_t rise(uint32_t place) {
    const Entry entry = heap_[place];
    while (place > 0) {
      const uint32_t parent = (place - 1) / kChildren;
      if (!before(entry, heap_[parent])) break;
      put(place, heap_[parent]);
      place = parent;
    }
    put(place, entry);
    return place;
  }
  void sink(uint32_t place) {
    const Entry entry = heap_[place];
    const auto size = static_cast<uint32_t>(heap_.size());
    for (uint32_t child = place * kChildren + 1; child < size; child = place * kChildren + 1) {
      const uint32_t end = std::min(child + kChildren, size);
      uint32_t first = child;
      for (uint32_t i = child + 1; i < end; i++) {
        if (before(heap_[i], heap_[first])) first = i;
      }
      if (!before(heap_[first], entry)) break;
      put(place, heap_[first]);
      place = first;
    }
    put(place, entry);
  }

  struct Place {
    Instant at;
    uint32_t number = kAbsent;  // in heap_
  };
  std::pmr::vector<Entry> heap_;    // earliest first
  std::pmr::vector<Place> places_;  // by slot
};

}  // namespace faild
