#include "io/measure.h"

#include <memory>

#include "io/clock.h"
#include "io/network_namespace.h"
#include "io/route_writer.h"
#include "io/thread.h"

namespace faild {
namespace {

// --- timers

struct TimerWork {
  RuntimeConfig config;
  Duration period;
  std::span<Duration> late;
  RuntimeFacts facts;
  std::optional<RuntimeError> error;
};

void sleep_until(Instant at) {
  const timespec due{at.in_ns() / 1'000'000'000, at.in_ns() % 1'000'000'000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, nullptr) == EINTR) continue;
}

void* timer_main(void* argument) {
  auto* work = static_cast<TimerWork*>(argument);
  work->error = prepare_thread(work->config, &work->facts);
  if (work->error) return nullptr;
  Instant due = monotonic_now();
  for (Duration& late : work->late) {
    due = due + work->period;
    sleep_until(due);
    const Instant awake = monotonic_now();
    late = awake - due;
    due = std::max(due, awake - work->period);  // one stall is one late wake-up, not many
  }
  return nullptr;
}

// --- routes

// TEST-NET-1 (RFC 5737): the address of nobody.
constexpr uint8_t kHostsOfNobody = 254;
IpAddress address_of_nobody(size_t i) {
  return {Family::kIpv4, {192, 0, 2, static_cast<uint8_t>(1 + i % kHostsOfNobody)}};
}

class RouteTrial {
 public:
  RouteTrial(uint32_t ifindex, const IpAddress& gateway) {
    op_.target.out_ifindex = ifindex;
    op_.target.gateway = gateway;
    op_.key.table = kScratchTable;
    op_.priority = 1;
  }

  [[nodiscard]] std::optional<RuntimeError> open() { return writer_.open(); }

  // errno
  [[nodiscard]] int run(size_t i, RouteChange* change) {
    op_.key.destination = {address_of_nobody(i), 32};
    int error = submit(RouteOp::Kind::kSet, &change->add);
    op_.target.also_direct_ifindex = op_.target.out_ifindex;
    if (error == 0) error = submit(RouteOp::Kind::kSet, &change->replace);
    const int left = submit(RouteOp::Kind::kRemove, &change->remove);
    op_.target.also_direct_ifindex = 0;
    return error == 0 ? left : error;
  }

 private:
  int submit(RouteOp::Kind kind, Duration* took) {
    op_.kind = kind;
    op_.id++;
    RouteResult result;
    const Instant asked = monotonic_now();
    writer_.submit({&op_, 1}, {&result, 1});
    *took = monotonic_now() - asked;
    return result.error;
  }

  RouteOp op_;
  RouteWriter writer_;
};

}  // namespace

std::optional<RuntimeError> measure_timers(const TimerOrder& order, std::span<Duration> late,
                                           bool* realtime) {
  TimerWork work;
  work.config.realtime_priority = order.realtime_priority;
  work.config.cpu = order.cpu;
  work.period = order.period;
  work.late = late;
  pthread_t thread{};
  if (auto error = start_thread(&thread, timer_main, &work)) return error;
  pthread_join(thread, nullptr);
  *realtime = work.facts.realtime;
  return work.error;
}

std::optional<RuntimeError> measure_routes(const std::string& network_namespace, uint32_t ifindex,
                                           const IpAddress& gateway,
                                           std::span<RouteChange> changes) {
  return in_namespace(network_namespace, [&]() -> std::optional<RuntimeError> {
    const auto trial = std::make_unique<RouteTrial>(ifindex, gateway);  // its buffers are large
    if (auto error = trial->open()) return error;
    for (size_t i = 0; i < changes.size(); i++) {
      if (const int error = trial->run(i, &changes[i])) {
        return make_error("EROUTE", error, "the kernel refused a route in faild's scratch table");
      }
    }
    return std::nullopt;
  });
}

}  // namespace faild
