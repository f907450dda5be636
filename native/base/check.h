// FAILD_CHECK states what our own code guarantees; breaking it is a bug of ours and ends the
// process at once. Remote input never reaches a CHECK: it is parsed into a valid type or dropped
// with a named reason.
#pragma once

#include <cstdio>
#include <cstdlib>

#define FAILD_CHECK(condition)                                                                   \
  do {                                                                                           \
    if (!(condition)) [[unlikely]] {                                                             \
      std::fprintf(stderr, "faild: CHECK failed: %s (%s:%d)\n", #condition, __FILE__, __LINE__); \
      std::abort();                                                                              \
    }                                                                                            \
  } while (false)
