// Sees every frame on the switches' ports, for the timeline of a failover: the stream's packets and
// the daemons' heartbeats, each with the kernel's timestamp, on its way in from a host and on its
// way out to one.
//
// A packet socket stands before the cutter on the way in and behind it on the way out, so a frame
// that was cut is seen once, and one that passed twice.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "clock.h"
#include "json.h"
#include "outcome.h"

namespace faild::bench {

class Sniffer {
 public:
  // Adds a port; its number in the records is the order of adding. The first one starts the thread.
  [[nodiscard]] Failure add(const std::string& network_namespace, const std::string& interface);
  // "frames": [[at, port, 1: to a host, kind, identity]] since the last report. Kind: 0 of a
  // stream, else the heartbeat's type; identity: the same frame on two ports has the same.
  void report(Json& json);

 private:
  struct Frame {
    Nanoseconds at;
    int64_t port, to_host, kind, identity;
  };
  static constexpr size_t kRoom = 1 << 17;
  void run();
  void read_port(size_t port);
  void note(size_t port, const uint8_t* bytes, size_t size, bool to_host, Nanoseconds at);

  std::mutex mutex_;
  std::vector<int> ports_;
  std::vector<Frame> frames_;
};

}  // namespace faild::bench
