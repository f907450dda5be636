// Tells stalls of the machine from faults of ours: one thread a core, at a priority that nothing
// under test reaches, wakes on a short timer and notes each time that it woke late. While it could
// not run, nothing else could.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "clock.h"
#include "json.h"
#include "samples.h"

namespace faild::bench {

class StallWatch {
 public:
  void start();                         // a thread a core, at rest
  void set_period(Nanoseconds period);  // 0: rest
  // {"cores": [lateness in ns, ...], "stalls": [[core, since, late], ...]} since the last report:
  // all whose lateness reached kStall.
  void report(Json& json);

 private:
  static constexpr Nanoseconds kStall = 500 * kMicrosecond;
  struct Stall {
    int core;
    Nanoseconds since, late;
  };
  void run(int core);
  void note(int core, Nanoseconds due, Nanoseconds late);

  std::atomic<Nanoseconds> period_ = 0;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Samples>> lateness_;
  std::vector<Stall> stalls_;
};

}  // namespace faild::bench
