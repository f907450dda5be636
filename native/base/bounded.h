// Containers that never allocate after construction. Overflow is the caller's to handle: push says
// false.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "base/check.h"

namespace faild {

// A vector with room for N trivially copyable elements inside itself.
template <typename T, size_t N>
class BoundedVector {
 public:
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] bool full() const { return size_ == N; }
  [[nodiscard]] size_t room() const { return N - size_; }
  [[nodiscard]] static constexpr size_t capacity() { return N; }

  [[nodiscard]] bool push(const T& value) {
    if (size_ == N) return false;
    items_[size_++] = value;
    return true;
  }
  // The next free element, to be filled in place (saves copying a packet); nullptr when full.
  [[nodiscard]] T* extend() { return size_ == N ? nullptr : &items_[size_++]; }
  void clear() { size_ = 0; }
  void truncate(size_t size) {
    FAILD_CHECK(size <= size_);
    size_ = size;
  }

  T& operator[](size_t i) {
    FAILD_CHECK(i < size_);
    return items_[i];
  }
  const T& operator[](size_t i) const {
    FAILD_CHECK(i < size_);
    return items_[i];
  }
  T* begin() { return items_.data(); }
  T* end() { return items_.data() + size_; }
  const T* begin() const { return items_.data(); }
  const T* end() const { return items_.data() + size_; }
  T* data() { return items_.data(); }
  const T* data() const { return items_.data(); }

 private:
  size_t size_ = 0;
  std::array<T, N> items_{};
};

// Text of at most N bytes, cut silently at N: for names that are shown, never for keys.
template <size_t N>
class BoundedText {
 public:
  BoundedText() = default;
  explicit BoundedText(std::string_view text) { assign(text); }
  void assign(std::string_view text) {
    size_ = static_cast<unsigned char>(text.size() < N ? text.size() : N);
    std::memcpy(bytes_.data(), text.data(), size_);
  }
  [[nodiscard]] std::string_view view() const { return {bytes_.data(), size_}; }
  bool operator==(const BoundedText& o) const { return view() == o.view(); }

 private:
  static_assert(N < 256);
  std::array<char, N> bytes_{};
  unsigned char size_ = 0;
};

}  // namespace faild
