// TCP between hosts under test, as its users would notice a failover: a dialogue (a small request,
// a small answer, the next request) and a bulk flow at a bounded rate.
//
// What counts is how long the application had to wait: for an answer, or for the next bytes. The
// kernel's own timers decide that, so nothing here sets a time-out.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "clock.h"
#include "json.h"
#include "outcome.h"
#include "samples.h"

namespace faild::bench {

// What one flow has waited for.
class Waits {
 public:
  explicit Waits(Nanoseconds shortest);
  void begin(Nanoseconds at);
  void end(Nanoseconds at);
  void forget();  // whatever is awaited now does not count
  // {"waits": [[from, to]] of those that are noted, "since": of the one in progress, 0: none,
  //  "durations": {ns}}
  void report(Json& json);

 private:
  struct Span {
    Nanoseconds from, to;
  };
  const Nanoseconds shortest_;  // of those that are noted one by one
  std::mutex mutex_;
  Nanoseconds since_ = 0;
  std::vector<Span> spans_;
  Samples durations_{1 << 18};
};

struct TcpEnd {
  std::string network_namespace, address;
};

class TcpFlows {
 public:
  // The client asks every `period`, or as soon as the answer came when that is later.
  [[nodiscard]] Failure add_dialogue(const std::string& name, const TcpEnd& client,
                                     const TcpEnd& server, uint16_t port, Nanoseconds period);
  // From `from` to `to`, paced by the kernel to `bytes_per_second`.
  [[nodiscard]] Failure add_bulk(const std::string& name, const TcpEnd& from, const TcpEnd& to,
                                 uint16_t port, uint32_t bytes_per_second);
  void set_active(bool active);
  void report(Json& json);

 private:
  struct Flow {
    std::string name;
    int near = -1, far = -1;
    Nanoseconds period = 0;
    Waits waits;
    explicit Flow(Nanoseconds shortest) : waits(shortest) {}
  };
  [[nodiscard]] Failure add(std::unique_ptr<Flow> flow, const TcpEnd& near, const TcpEnd& far,
                            uint16_t port);
  void rest_while_inactive() const;
  void ask(Flow* flow);
  static void answer(Flow* flow);
  void pour(Flow* flow);
  static void drink(Flow* flow);

  std::vector<std::unique_ptr<Flow>> flows_;
  std::atomic<bool> active_ = false;
};

}  // namespace faild::bench
