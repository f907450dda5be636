// Threads of the bench and their order of importance. The daemons under test run at SCHED_FIFO 50.
//
//   99  stall watchers, one a core: whatever keeps them off the core is the machine itself
//   80  the agent's command thread while it cuts and heals
//   60  route watchers: above the daemon, so that an instant is read when it happens (a few us of
//   work each)
//   45  the agent's command thread at all other times: sorting its records at 80 kept the daemons
//       from their cores for half a millisecond, which is a failure at 0.2 ms; and where a load
//       program listens for its end, above the load itself
//   40  the senders of streams and TCP flows, 30 their receivers: applications, below the daemon as
//   they would be in production
#pragma once

#include <cstddef>

namespace faild::bench {

inline constexpr int kStallPriority = 99;
inline constexpr int kCutPriority = 80;
inline constexpr int kWatchPriority = 60;
inline constexpr int kDaemonPriority = 50;
inline constexpr int kCommandPriority = 45;
inline constexpr int kSendPriority = 40;
inline constexpr int kReceivePriority = 30;
inline constexpr int kGeneratorPriority = 35;

inline constexpr int kAnyCpu = -1;

// Names the calling thread, asks for SCHED_FIFO and pins it when `cpu` is given. False: SCHED_FIFO
// was refused (the thread goes on at ordinary priority, and the agent's hello says so).
bool set_up_thread(const char* name, int priority, int cpu = kAnyCpu);

// Asks for SCHED_FIFO at another priority, for the calling thread.
bool set_priority(int priority);

}  // namespace faild::bench
