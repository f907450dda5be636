// A crowd of simulated peers towards one real daemon: N hosts with ids, MAC and IP addresses of
// their own on every LAN, played by one thread through one AF_PACKET socket a LAN.
//
// Each peer is a requestor: it broadcasts an INQ an interval on every LAN, its phase its own, and
// answers the daemon's solicits. It misses nobody. What goes over the wire is made by the daemon's
// own codec (native/wire), so a peer here is in its packets a peer like any other.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/net.h"
#include "clock.h"
#include "json.h"
#include "outcome.h"
#include "wire/heartbeat.h"

namespace faild::bench {

struct CrowdOrder {
  std::string network_namespace;
  size_t count = 0;
  Nanoseconds interval = 0;
  uint16_t port = 9311;
  std::string cluster = "default";
  struct Lan {
    std::string interface;
    Prefix subnet;  // peer number i has its address 256 + i
  };
  std::vector<Lan> lans;
};

class Crowd {
 public:
  [[nodiscard]] Failure open(const CrowdOrder& order);
  // Sends what is due and answers what has come.
  void step();
  // From now on the first `count` peers send nothing on a LAN.
  void silence(size_t lan, size_t count) { lans_[lan].silent = count; }
  [[nodiscard]] size_t lan_count() const { return lans_.size(); }
  // {"sent", "refused", "received", "answered"} since the last report.
  void report(Json& json);

 private:
  static constexpr size_t kBatch = 64;
  struct Lan {
    int socket = -1;
    Prefix subnet;
    size_t silent = 0;
    std::vector<uint32_t> sequences, unicast_sequences;  // by peer
  };
  [[nodiscard]] Heartbeat introduce(size_t peer) const;
  [[nodiscard]] IpAddress address_of(size_t lan, size_t peer) const;
  void broadcast(size_t lan, size_t peer);
  void flush(size_t lan);
  void listen(size_t lan);
  void answer(size_t lan, const Heartbeat& asked, const MacAddress& mac, const IpAddress& ip,
              Nanoseconds arrived);

  CrowdOrder order_;
  std::vector<Lan> lans_;
  Incarnation incarnation_;
  uint32_t cluster_ = 0;
  Nanoseconds started_ = 0;
  uint64_t turns_ = 0;  // broadcasts made, a peer on all LANs each
  size_t pending_ = 0;
  std::array<std::array<uint8_t, kMaxFrameBytes>, kBatch> frames_;
  std::array<size_t, kBatch> frame_bytes_{};
  Heartbeat heard_;
  int64_t sent_ = 0, refused_ = 0, received_ = 0, answered_ = 0;
};

}  // namespace faild::bench
