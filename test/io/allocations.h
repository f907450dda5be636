// Counts what the engines' threads allocate while a test asks for it: after the start that must be
// nothing. Used by trouble_test.cc.
#pragma once

#include <cstdint>

namespace faild::lab {

void count_allocations();                         // from now on, from zero
[[nodiscard]] uint64_t allocations_of_engines();  // ends the count

}  // namespace faild::lab
