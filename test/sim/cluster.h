// A whole cluster under virtual time: real Engines, LANs that lose, delay, duplicate and reorder,
// and a kernel that is a map from destinations to routes. Everything is decided by one seed, so a
// failing run is replayed by its number.
//
// Used by the simulation tests. The clock jumps to the next event (a packet's arrival, an engine's
// poll_at, a fault of the scenario): a minute of a cluster costs milliseconds.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "core/engine.h"

namespace faild::sim {

// What one LAN does to packets from one host to another.
struct Link {
  bool cut = false;
  Duration delay = Duration::us(50);
  Duration jitter = Duration::us(20);
  uint32_t loss_per_mille = 0;
  uint32_t duplicate_per_mille = 0;
  // The scenario's promise: never more than this many packets in a row are lost between two hosts,
  // of those to everybody and of those to one. One kind makes up for none of the other.
  std::optional<uint32_t> most_in_a_row;
};

// The routing part of a kernel: our tables, our rules, and how a packet to an address would travel.
class Kernel {
 public:
  void carry_out(const RouteOp& op);
  [[nodiscard]] int check(const RouteOp& op) const;  // errno that a real kernel would give
  // The interface that a packet to `destination` leaves by; nullopt: as the main table says (the
  // LAN's own).
  [[nodiscard]] std::optional<uint32_t> way_to(const IpAddress& destination) const;
  void dump(Instant now, Engine& engine) const;
  [[nodiscard]] size_t size() const { return entries_.size(); }
  [[nodiscard]] const std::vector<KernelEntry>& entries() const { return entries_; }
  [[nodiscard]] bool holds(const RouteKey& key) const;
  bool remove(const RouteKey& key);

  uint64_t changes = 0;    // operations on routes and rules carried out
  uint64_t redundant = 0;  // of these, the ones that changed nothing: nobody should ask for them

 private:
  std::vector<KernelEntry> entries_;
};

struct HostOptions {
  bool requestor = true;
  bool drained = false;  // the whole host
  std::array<Timing, kMaxLans> timing = on_all_lans({Duration::ms(10), 3, 10});

  [[nodiscard]] static std::array<Timing, kMaxLans> on_all_lans(const Timing& timing) {
    std::array<Timing, kMaxLans> all;
    all.fill(timing);
    return all;
  }
};

struct Host {
  HostOptions options;
  uint64_t incarnation = 0;
  std::unique_ptr<Engine> engine;  // null while the daemon is not running
  Kernel kernel;
  Instant stalled_until;  // its thread does not run before
  bool stopping = false;  // has said goodbye: judges nobody any more
  struct Answer {
    Instant at;
    RouteResult result;
  };
  std::deque<Answer> answers;  // of the kernel, on their way to the engine
  // What its thread has yet to read: of entries that others removed; or, since news was lost, all.
  std::deque<RouteKey> news;
  bool dump_wanted = false;
  [[nodiscard]] bool has_news() const { return dump_wanted || !news.empty(); }
  std::vector<std::pair<RouteKey, Instant>> told;  // when it last read of each such entry
  // So long it leaves an entry alone that was removed again at once (kRepairPause).
  Instant leaves_alone_until;
  std::vector<Event> events;
};

class Cluster {
 public:
  Cluster(uint64_t seed, size_t lans, const std::vector<HostOptions>& hosts);

  void start(size_t host);                 // a new incarnation
  void kill(size_t host);                  // SIGKILL: routes stay
  void stop(size_t host);                  // goodbye and clean-up
  void stall(size_t host, Duration time);  // its thread sleeps; packets wait in its sockets
  void carrier(size_t lan, size_t host, bool present);  // the host's own interface; cuts nothing
  // A reload: the host's timing on that LAN is now another one.
  void retime(size_t lan, size_t host, const Timing& timing);
  // It is drained from now on, or not: its silence would be planned. Over restarts.
  void drain(size_t host, bool drained);
  // Its kernel drops packets before the daemon reads them, and counts them.
  void drop_received(size_t lan, size_t host, uint32_t count);
  Link& link(size_t lan, size_t from, size_t to);
  void cut_lan(size_t lan, bool cut);
  void cut_host(size_t lan, size_t host, bool cut, bool outgoing = true, bool incoming = true);
  void set_loss(uint32_t per_mille, uint32_t most_in_a_row);

  void run(Duration time);
  // Runs until `done`, at most `limit`; returns how long it took, or nothing.
  [[nodiscard]] std::optional<Duration> run_until(const std::function<bool()>& done,
                                                  Duration limit);

  [[nodiscard]] Instant now() const { return now_; }
  [[nodiscard]] Host& host(size_t i) { return hosts_[i]; }
  [[nodiscard]] size_t size() const { return hosts_.size(); }
  [[nodiscard]] std::optional<PathRow> path(size_t from, size_t to, size_t lan) const;
  [[nodiscard]] bool all_up() const;
  // The LAN on which traffic from one host to another's address on `lan` travels.
  [[nodiscard]] size_t way(size_t from, size_t to, size_t lan) const;
  [[nodiscard]] size_t count(size_t host, EventKind kind) const;
  [[nodiscard]] uint64_t trace() const { return trace_; }  // a hash of everything that happened
  // One input to one engine; its effects are carried out.
  void step(size_t host, const std::function<void(Engine&, Effects&)>& input);
  void resync(size_t host);
  // Somebody else removes an entry from its kernel. The news may be lost (ENOBUFS); then everything
  // is looked at.
  void remove_entry(size_t host, RouteKey key, bool told);
  // Called after every step of every engine.
  std::function<void(size_t host)> after_step;

  [[nodiscard]] Plan plan_of(size_t host) const;
  [[nodiscard]] static IpAddress address(size_t lan, size_t host);
  [[nodiscard]] static HostId id(size_t host) { return HostId{0x1000 + host}; }
  [[nodiscard]] size_t lans() const { return lans_; }

 private:
  void replan(size_t host);
  struct Flight {
    Instant at,
        stamped;  // the kernel's stamp; later than it when the receiver's thread was stalled
    uint64_t order;
    size_t to, lan, from;
    std::vector<uint8_t> bytes;
    bool operator<(const Flight& o) const { return at != o.at ? at > o.at : order > o.order; }
  };
  void carry_out(size_t host);
  void answer(size_t host);
  void read_news(size_t host);
  void tell_removed(size_t host, const RouteKey& key);
  void send(size_t from, const SendPacket& packet);
  void launch(size_t from, size_t to, size_t lan, const SendPacket& packet);
  void arrive(const Flight& flight);
  void wake(size_t host);
  [[nodiscard]] Instant next_wake(size_t host) const;
  [[nodiscard]] bool advance(Instant limit);
  void note(uint64_t value) { trace_ = (trace_ ^ value) * 0x100000001B3ULL; }

  size_t lans_;
  Random random_;
  std::vector<Host> hosts_;
  std::vector<Link> links_;
  struct LostInARow {
    uint32_t to_all = 0, to_one = 0;
  };
  std::vector<LostInARow> lost_in_a_row_;  // by link
  std::priority_queue<Flight> flights_;
  std::unique_ptr<Effects> effects_ = std::make_unique<Effects>();
  Instant now_ = Instant::from_ns(1'000'000'000);
  uint64_t order_ = 0;
  uint64_t trace_ = 0xcbf29ce484222325ULL;
};

}  // namespace faild::sim
