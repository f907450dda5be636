// Time as two strong types. Nobody below io/ reads a clock: `now` is always a parameter.
//
// An Instant is a point on CLOCK_MONOTONIC (or on a simulator's virtual clock), a Duration the
// distance between two. Both count nanoseconds in 64 bits: 292 years, so arithmetic never overflows
// in practice.
#pragma once

#include <compare>
#include <cstdint>

namespace faild {

class Duration {
 public:
  constexpr Duration() = default;
  [[nodiscard]] static constexpr Duration ns(int64_t n) { return Duration(n); }
  [[nodiscard]] static constexpr Duration us(int64_t n) { return Duration(n * 1000); }
  [[nodiscard]] static constexpr Duration ms(int64_t n) { return Duration(n * 1000000); }
  [[nodiscard]] static constexpr Duration seconds(int64_t n) { return Duration(n * 1000000000); }

  [[nodiscard]] constexpr int64_t in_ns() const { return ns_; }
  [[nodiscard]] constexpr int64_t in_us() const { return ns_ / 1000; }

  constexpr auto operator<=>(const Duration&) const = default;
  constexpr Duration operator+(Duration o) const { return Duration(ns_ + o.ns_); }
  constexpr Duration operator-(Duration o) const { return Duration(ns_ - o.ns_); }
  constexpr Duration operator*(int64_t n) const { return Duration(ns_ * n); }
  constexpr Duration operator/(int64_t n) const { return Duration(ns_ / n); }
  constexpr Duration& operator+=(Duration o) {
    ns_ += o.ns_;
    return *this;
  }

 private:
  explicit constexpr Duration(int64_t n) : ns_(n) {}
  int64_t ns_ = 0;
};

class Instant {
 public:
  constexpr Instant() = default;
  [[nodiscard]] static constexpr Instant from_ns(int64_t n) { return Instant(n); }
  [[nodiscard]] constexpr int64_t in_ns() const { return ns_; }

  constexpr auto operator<=>(const Instant&) const = default;
  constexpr Instant operator+(Duration d) const { return Instant(ns_ + d.in_ns()); }
  constexpr Instant operator-(Duration d) const { return Instant(ns_ - d.in_ns()); }
  constexpr Duration operator-(Instant o) const { return Duration::ns(ns_ - o.ns_); }

 private:
  explicit constexpr Instant(int64_t n) : ns_(n) {}
  int64_t ns_ = 0;
};

}  // namespace faild
