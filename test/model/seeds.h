// Which seeds a model test runs. Each seed is one random life, decided by that number alone;
// FAILD_SEED=<n> replays one. Sanitizers run a few of them: they look at memory, not at judgment.
//
// Used by every test of this folder.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <initializer_list>

namespace faild::model {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr uint64_t kSeedsDivisor = 10;
#else
inline constexpr uint64_t kSeedsDivisor = 1;
#endif

// Calls `live(seed)` for 1 .. count and for those `kept` because they once found a fault, or for
// the one that the environment names.
template <typename Live>
void each_seed(uint64_t count, Live live, std::initializer_list<uint64_t> kept = {}) {
  if (const char* only = std::getenv("FAILD_SEED")) {
    live(std::strtoull(only, nullptr, 10));
    return;
  }
  for (uint64_t seed = 1; seed <= count / kSeedsDivisor; seed++) live(seed);
  for (const uint64_t seed : kept) live(seed);
}

}  // namespace faild::model
