// Making the engine's thread what it must be: named, undisturbed by signals, scheduled in real time
// where permitted, woken exactly, with memory that is not paged out. Called by Runtime, on the
// thread itself.
#pragma once

#include <pthread.h>

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

// Whether all that the thread needs is locked: its own memory, the mailbox, its stack. `error`: the
// first errno of the three.
void note_locking(int error, RuntimeFacts* facts);

}  // namespace faild
