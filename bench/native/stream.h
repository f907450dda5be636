// UDP streams between hosts under test: what an application would have seen. Evenly paced, numbered
// and stamped packets; one thread sends them all, one receives them all, with sockets that live in
// the hosts' namespaces.
//
// Arrival is the kernel's receive timestamp, so the receiver may read late and in batches, which
// keeps it cheap.
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

struct StreamPacket {
  uint32_t sequence;
  uint32_t reserved;
  Nanoseconds sent;
};

// One stream's receiving end and its records.
class Arrivals {
 public:
  Arrivals();
  // `interface`: the index of the interface that it came in by.
  void add(const StreamPacket& packet, Nanoseconds arrived, uint32_t interface);
  // {"received", "gaps": [[from, to]], "losses": [[first, count, sent before, sent after]], "late":
  // [[sequence, at]],
  //  "paths": [[at, interface]], "journey": {ns}}; a late packet takes itself off an earlier loss.
  void report(Json& json);

 private:
  struct Row {
    int64_t values[4];
  };
  static constexpr size_t kRoom = 1 << 15;
  static void add_row(std::vector<Row>& rows, Row row);
  static void report_rows(Json& json, const char* name, std::vector<Row>& rows, size_t columns);
  void note_order(const StreamPacket& packet, Nanoseconds arrived);

  static constexpr Nanoseconds kShortestGap = 400 * kMicrosecond;  // of those that are noted
  bool started_ = false;
  uint32_t next_ = 0;
  uint32_t interface_ = 0;
  int64_t received_ = 0;
  Nanoseconds last_arrived_ = 0, last_sent_ = 0;
  std::vector<Row> gaps_, losses_, late_, paths_;
  Samples journey_;
};

class Streams {
 public:
  // Adds one; only before start().
  [[nodiscard]] Failure add(const std::string& name, const std::string& from_namespace,
                            const std::string& from, const std::string& to_namespace,
                            const std::string& to, uint16_t port);
  void start();
  // A packet of each stream every `period` (below kSpin: by spinning); 0: rest.
  void set_period(Nanoseconds period) { period_ = period; }
  // {"pacing": {lateness in ns}, "refused": sends that failed, "<name>": arrivals, ...}
  void report(Json& json);

 private:
  struct Stream {
    std::string name;
    int sender = -1, receiver = -1;
    uint32_t sequence = 0;
    Arrivals arrivals;
  };
  static constexpr Nanoseconds kSpin = 50 * kMicrosecond;
  void send_all();
  void send_one(Stream& stream);
  void receive_all();
  void receive_one(Stream& stream);

  std::vector<std::unique_ptr<Stream>> streams_;
  std::atomic<Nanoseconds> period_ = 0;
  std::mutex sending_, receiving_;  // the records of each side
  Samples pacing_{1 << 20};
  int64_t refused_ = 0;
};

}  // namespace faild::bench
