// A crowd of simulated peers towards one real daemon: N hosts with ids, MAC and IP addresses of
// their own on every LAN, played by one thread through one AF_PACKET socket a LAN.
//
// Each is a requestor: it broadcasts an INQ an interval on every LAN, its phase its own, answers
// the daemon's solicits, and solicits the daemon until that has ACKed it, as a real host does. What
// goes over the wire is made by the daemon's own codec (native/wire). A host's INQ is made once and
// only renumbered after that (voice.h), so that the crowd itself costs little beyond the kernel's
// part.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/net.h"
#include "clock.h"
#include "json.h"
#include "outcome.h"
#include "rate.h"
#include "voice.h"
#include "wire/heartbeat.h"

namespace faild::bench {

// How a host behaves on a LAN.
enum class Manner : uint8_t {
  kHonest,
  kSilent,      // neither sends nor answers
  kDeaf,        // one way: does not hear the daemon, and lists it as missing
  kAloof,       // one way: does not hear the daemon, and has never heard of it
  kRestarting,  // a new incarnation every so often, its sequence from the beginning
  kUsurper,     // claims its neighbour's address beside its own, under ever new advert versions
  kStray,       // claims to stand on another LAN than it does
  kReplayer,    // sends its last packets again
  kBabbler,     // sends garbage beside its own packets
};
[[nodiscard]] std::optional<Manner> parse_manner(const std::string& name);

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
  // All hosts start, and speak for the first time within one interval.
  void begin();
  // Sends what is due and answers what has come.
  void step();
  void set_manner(size_t lan, size_t first, size_t count, Manner manner);
  [[nodiscard]] size_t lan_count() const { return lans_.size(); }
  [[nodiscard]] size_t host_count() const { return order_.count; }
  // Since the last report: "at", "begun", "refused", and for each of "lans": "sent", "heard" (what
  // the daemon sent), of `sent` the "solicits" and "answers", the peaks of both in any one second;
  // and since the daemon's start: the hosts that it has ACKed ("met"), the last one at "metAt".
  void report(Json& json);

 private:
  static constexpr size_t kBatch = 64;
  // One host on one LAN.
  struct Place {
    Voice voice;
    Manner manner = Manner::kHonest;
    uint32_t sequence = 0, unicast_sequence = 0;
    bool acked = false;  // by the daemon's present incarnation
    uint32_t asked = 0;  // our last solicit
    Nanoseconds ask_again_after = 0;
  };
  struct Lan {
    int socket = -1;
    Prefix subnet;
    std::vector<Place> places;        // by host
    std::vector<Nanoseconds> ask_at;  // by host: when it solicits the daemon (again)
    int64_t sent = 0, heard = 0, solicits = 0, answers = 0, met = 0;
    Nanoseconds met_at = 0;
    Rate sent_rate, heard_rate;
  };
  // The daemon, as its packets tell.
  struct Daemon {
    HostId host;
    Incarnation incarnation;
    std::array<MacAddress, kMaxLans> mac;
    std::array<IpAddress, kMaxLans> ip;
  };
  [[nodiscard]] IpAddress address_of(size_t lan, size_t host) const;
  [[nodiscard]] FrameAddresses to_all(size_t lan, size_t host) const;
  [[nodiscard]] FrameAddresses to_daemon(size_t lan, size_t host) const;
  [[nodiscard]] Heartbeat introduce(size_t lan, size_t host) const;
  [[nodiscard]] bool hears(size_t lan, size_t host) const;
  void renew_voice(size_t lan, size_t host);
  void take_turn(size_t lan, size_t host);
  void misbehave(size_t lan, size_t host);
  void babble(size_t lan, size_t host);
  void restart(size_t host);
  void send_alone(size_t lan, const FrameAddresses& addresses, const Heartbeat& beat);
  void flush(size_t lan);
  void listen(size_t lan);
  void notice_daemon(size_t lan, const MacAddress& mac, const IpAddress& ip);
  void plan_to_ask(Lan& lan);
  void ask_some(size_t lan);
  void ask(size_t lan, size_t host);
  void take_answer(size_t lan, size_t host);
  void answer(size_t lan, size_t host, Nanoseconds arrived);

  CrowdOrder order_;
  std::vector<Lan> lans_;
  std::vector<Incarnation> incarnations_;  // by host
  Daemon daemon_;
  uint32_t cluster_ = 0;
  Nanoseconds started_ = 0;  // 0: not begun
  uint64_t turns_ = 0;       // broadcasts made, a host on all LANs each
  uint32_t random_ = 1;
  // What the next flush sends: voices where they stand, packets for once in `frames_`.
  std::array<iovec, kBatch> parts_{};
  std::array<std::array<uint8_t, kMaxFrameBytes>, kBatch> frames_;
  size_t pending_ = 0;
  Heartbeat heard_;
  int64_t refused_ = 0;
};

}  // namespace faild::bench
