#include "stall_watch.h"

#include <thread>

#include "threads.h"

namespace faild::bench {
namespace {

constexpr size_t kRoomForSamples = 1 << 20;
constexpr size_t kRoomForStalls = 1 << 14;
constexpr Nanoseconds kRest =
    20 * kMillisecond;  // how long a resting watcher takes to notice its period

}  // namespace

void StallWatch::start() {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  stalls_.reserve(kRoomForStalls);
  for (int core = 0; core < cores; core++) {
    lateness_.push_back(std::make_unique<Samples>(kRoomForSamples));
  }
  for (int core = 0; core < cores; core++) std::thread(&StallWatch::run, this, core).detach();
}

void StallWatch::set_period(Nanoseconds period) { period_ = period; }

void StallWatch::run(int core) {
  set_up_thread("stall-watch", kStallPriority, core);
  while (true) {
    const Nanoseconds period = period_;
    const Nanoseconds due = now() + (period == 0 ? kRest : period);
    sleep_until(due);
    if (period != 0) note(core, due, now() - due);
  }
}

void StallWatch::note(int core, Nanoseconds due, Nanoseconds late) {
  const std::lock_guard lock(mutex_);
  lateness_[static_cast<size_t>(core)]->add(late);
  if (late >= kStall && stalls_.size() < kRoomForStalls) stalls_.push_back({core, due, late});
}

void StallWatch::report(Json& json) {
  const std::lock_guard lock(mutex_);
  json.open('{').key("cores").open('[');
  for (const auto& samples : lateness_) samples->report(json);
  json.close(']').key("stalls").open('[');
  for (const Stall& stall : stalls_) json.row({stall.core, stall.since, stall.late});
  json.close(']').close('}');
  stalls_.clear();
}

}  // namespace faild::bench
