// Memory that will soon be touched is asked for, so that it comes while something else is done.
// A hint: it changes nothing, and any address may be given.
#pragma once

#include <cstddef>

namespace faild {

inline constexpr size_t kCacheLine = 64;

inline void fetch_ahead(const void* start, size_t bytes) {
  const auto* line = static_cast<const char*>(start);
  for (const char* end = line + bytes; line < end; line += kCacheLine) __builtin_prefetch(line);
}

}  // namespace faild
