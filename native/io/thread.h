// Making the engine's thread what it must be: named, undisturbed by signals, scheduled in real time
// where permitted, woken exactly, with memory that is not paged out. Called by Runtime, on the
// thread itself.
#pragma once

#include <pthread.h>

#include <cstddef>
#include <optional>

#include "io/runtime.h"

namespace faild {

// Starts a thread with every signal blocked from its first instruction on; they are Node's to
// handle.
[[nodiscard]] std::optional<RuntimeError> start_thread(pthread_t* thread, void* (*main)(void*),
                                                       void* argument);

// Name, timer slack, stack, SCHED_FIFO (`facts` says how it went), pinning.
[[nodiscard]] std::optional<RuntimeError> prepare_thread(const RuntimeConfig& config,
                                                         RuntimeFacts* facts);

// Keeps this memory in RAM as far as RLIMIT_MEMLOCK allows. Never mlockall: it aborts V8 in the
// same process.
void lock_memory(const void* memory, size_t size);

}  // namespace faild
