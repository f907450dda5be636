// A cluster of 10,000 hosts under virtual time: a handful of full engines, and speakers.
//
// Ten thousand engines that each know ten thousand peers are 2 * 10^8 paths, some 400 GB. So a few
// hosts run the whole engine, tables and verdicts and all, and the rest are *speakers*: each sends
// its heartbeats on both LANs, its phase its own, answers solicits and solicits the engines until
// they have ACKed it, with the daemon's codec. What a speaker does not do: judge its peers, list
// them as missing, or receive the other speakers. The kernel of each engine obeys after 20 us.
// virtual_main.cc tells the story.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <queue>
#include <vector>

#include "base/random.h"
#include "core/engine.h"
#include "rate.h"
#include "wire/heartbeat.h"

namespace faild::bench {

struct VirtualOrder {
  size_t hosts = 0;  // of which the first `engines` are full
  size_t engines = 2;
  Duration interval;
};

class VirtualCluster {
 public:
  static constexpr size_t kLans = 2;

  explicit VirtualCluster(const VirtualOrder& order);

  void run(Duration time);
  void cut_lan(size_t lan, bool cut) { cut_[lan] = cut; }
  // The link of one speaker to one LAN.
  void cut_speaker(size_t lan, size_t speaker, bool cut) { speakers_[speaker].cut[lan] = cut; }

  // What one engine has come to.
  struct Seen {
    std::vector<Event> events;  // without those of single paths coming up
    Instant last_up;
    std::array<Rate, kLans> rate;  // packets in and out
    uint64_t packets = 0;
    int64_t busy_ns = 0;  // real time inside the engine
  };
  [[nodiscard]] Seen& seen(size_t engine) { return nodes_[engine].seen; }
  [[nodiscard]] const Counters& counters(size_t i) const { return nodes_[i].engine->counters(); }
  [[nodiscard]] bool all_up() const;
  [[nodiscard]] Instant now() const { return now_; }
  [[nodiscard]] size_t engines() const { return nodes_.size(); }
  [[nodiscard]] HostId speaker_id(size_t speaker) const { return id_of(nodes_.size() + speaker); }

 private:
  struct Node {
    std::unique_ptr<Engine> engine;
    std::deque<std::pair<Instant, RouteResult>> answers;
    Seen seen;
  };
  struct Speaker {
    std::array<bool, kLans> cut{};
    std::array<uint32_t, kLans> sequence{}, unicast_sequence{};
  };
  using Bytes = std::shared_ptr<const std::vector<uint8_t>>;
  // A packet on its way to an engine, or a speaker's wish to solicit one.
  struct Flight {
    Instant at;
    uint64_t order = 0;
    size_t engine = 0, lan = 0, from = 0;  // `from`: the host's number
    Bytes bytes;                           // none: the wish
    bool operator<(const Flight& o) const { return at != o.at ? at > o.at : order > o.order; }
  };

  [[nodiscard]] static HostId id_of(size_t host) { return HostId{0x1000 + host}; }
  [[nodiscard]] static IpAddress address_of(size_t lan, size_t host);
  [[nodiscard]] static size_t host_at(const IpAddress& ip);
  [[nodiscard]] static MacAddress mac_of(size_t lan, size_t host);
  void start_engine(size_t i);
  [[nodiscard]] Instant next_turn() const;
  void speak();
  [[nodiscard]] Heartbeat introduce(size_t lan, size_t host) const;
  [[nodiscard]] static Bytes write(const Heartbeat& beat);
  void launch(size_t engine, size_t lan, size_t from, const Bytes& bytes);
  void arrive(const Flight& flight);
  void ask(const Flight& wish);
  void wake(size_t engine);
  template <typename Input>
  void step(size_t engine, Input input);
  void carry_out(size_t engine);
  void deliver(size_t from, const SendPacket& packet);
  void hear(size_t speaker, size_t engine, const SendPacket& packet);

  VirtualOrder order_;
  std::vector<Node> nodes_;
  std::vector<Speaker> speakers_;
  std::array<bool, kLans> cut_{};
  std::priority_queue<Flight> flights_;
  std::unique_ptr<Effects> effects_ = std::make_unique<Effects>();
  Random random_{1};
  Instant start_ = Instant::from_ns(1'000'000'000), now_ = start_;
  uint64_t turns_ = 0, flown_ = 0;
  Heartbeat heard_;
};

}  // namespace faild::bench
