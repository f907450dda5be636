// How good this machine is for a daemon: how late its timers are for a thread like the engine's,
// and how fast its kernel changes routes. For `faild bench` and the bench's micro scenario, by the
// means that the engine itself uses; no daemon is involved, and nobody's traffic is touched.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "io/runtime.h"

namespace faild {

struct TimerOrder {
  int realtime_priority = 50;  // as in RuntimeConfig
  std::optional<int> cpu;
  Duration period;
};

// Fills `late` with how late so many wake-ups were, a period apart, on a thread that is prepared as
// the engine's. Returns when it is done. `*realtime`: whether SCHED_FIFO was granted.
[[nodiscard]] std::optional<RuntimeError> measure_timers(const TimerOrder& order,
                                                         std::span<Duration> late, bool* realtime);

// From the request to the kernel's acknowledgment.
struct RouteChange {
  Duration add, replace, remove;
};

// Adds a host route in kScratchTable, replaces its next hop, and removes it, as often as `changes`
// has places. The routes lead out of `ifindex` to `gateway`, as an exception's would. None is left
// when it returns, also when the kernel refuses one.
[[nodiscard]] std::optional<RuntimeError> measure_routes(const std::string& network_namespace,
                                                         uint32_t ifindex, const IpAddress& gateway,
                                                         std::span<RouteChange> changes);

}  // namespace faild
