// A single-producer, single-consumer ring of fixed-size records: events up, commands down.
//
// Bounded, wait-free, no allocation after construction. One thread pushes, one pops; neither ever
// waits. Each side keeps a copy of the other's index and looks at the shared one only when the copy
// says full or empty, so that a burst does not bounce cache lines.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>

namespace faild {

template <typename T, size_t N>
class SpscRing {
  static_assert((N & (N - 1)) == 0, "a power of two, so that the index wraps by masking");

 public:
  // Producer. False: full.
  [[nodiscard]] bool push(const T& value) {
    const size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_seen_ == N) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (tail - head_seen_ == N) return false;
    }
    items_[tail & (N - 1)] = value;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  // Consumer. False: empty.
  [[nodiscard]] bool pop(T* value) {
    const size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_seen_) {
      tail_seen_ = tail_.load(std::memory_order_acquire);
      if (head == tail_seen_) return false;
    }
    *value = items_[head & (N - 1)];
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

 private:
  static constexpr size_t kLine = 64;
  alignas(kLine) std::atomic<size_t> tail_{0};
  size_t head_seen_ = 0;  // producer's
  alignas(kLine) std::atomic<size_t> head_{0};
  size_t tail_seen_ = 0;  // consumer's
  alignas(kLine) std::array<T, N> items_{};
};

}  // namespace faild
