// A seeded generator (SplitMix64, Steele, Lea and Flood 2014): enough for phases and jitter, the
// same on every machine. Not for secrets.
#pragma once

#include <cstdint>

namespace faild {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  [[nodiscard]] uint64_t next() {
    state_ += 0x9E3779B97F4A7C15ULL;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  // Uniform in [0, bound); the bias of the modulo is below 2^-32 for every bound that faild uses.
  [[nodiscard]] uint64_t below(uint64_t bound) { return bound == 0 ? 0 : next() % bound; }

 private:
  uint64_t state_;
};

}  // namespace faild
