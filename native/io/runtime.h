// The engine at work: one Runtime is one thread that owns an Engine, its LAN sockets, its netlink
// sockets and its timer.
//
// Threads: the *owner* (any one thread; in the daemon, Node's main thread) constructs, starts,
// drains and stops; the *engine thread* does everything else and is the only one that touches the
// Engine. Between them: an SPSC event ring up, a bounded command queue with an eventfd down, and
// snapshot requests whose memory the owner brings. Nobody waits for the other, except stop(), which
// joins, and gives up on a thread that hangs.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/histogram.h"
#include "core/engine.h"
#include "wire/frame.h"

namespace faild {

enum class Transport : uint8_t {
  kAutomatic = 0,
  kRaw = 1,
  kUdp = 2
};  // automatic: raw where CAP_NET_RAW permits

// How everybody on a LAN is reached. What comes by another way is heard all the same, so hosts may
// differ.
struct Everybody {
  enum class By : uint8_t { kBroadcast = 0, kMulticast = 1, kUnicast = 2 } by = By::kBroadcast;
  IpAddress group = heartbeat_group_v4();  // IPv4; that of IPv6 is fixed
  // kUnicast: each of these that lies in a LAN's subnet gets a packet of its own there
  BoundedVector<IpAddress, kMaxStaticPeers> peers;
};

struct RuntimeConfig {
  EngineConfig engine;
  uint16_t port = 9311;
  Transport transport = Transport::kAutomatic;
  Everybody everybody;
  std::string network_namespace;  // path to enter (setns on the engine's thread); empty: stay
  int realtime_priority = 50;     // SCHED_FIFO; 0: do not ask
  std::optional<int> cpu;         // pin the engine's thread
};

// What went wrong, so that an operator knows what to do: a stable code, the errno, and one
// sentence.
struct RuntimeError {
  std::string code;  // "EPERM_NET_RAW", "ENOLAN", "EADDRINUSE", ...
  int error = 0;     // errno
  std::string message;
};

// How the thread turned out, fixed once it runs.
struct RuntimeFacts {
  Transport transport = Transport::kRaw;  // never automatic
  std::string transport_hint;             // how to get raw, where only udp was permitted
  bool realtime = false;                  // SCHED_FIFO was granted
  int realtime_error = 0;                 // errno when it was not
  std::string realtime_hint;              // how to grant it
  size_t memory_bytes = 0;                // the thread's own memory; it never grows
  bool memory_locked = true;              // and cannot be paged out
  int lock_error = 0;                     // errno when it can
  std::string lock_hint;                  // how to grant it
};

// What the transports and the kernel refused, over all LANs. `frame_errors` is indexed by
// FrameError (wire/frame.h).
struct TransportCounters {
  uint64_t send_errors = 0;
  int32_t last_send_error = 0;  // errno
  std::array<uint64_t, kFrameErrors> frame_errors{};
  uint64_t own_packets = 0;  // our own broadcasts, looped back by the kernel (udp)
};
// The last operation that the kernel refused, and the kernel's own words for why (extended ACK).
struct RouteRefusal {
  uint32_t id = 0;
  int32_t error = 0;
  BoundedText<96> message;
  RouteOp op;
};

// What the engine's thread measures of itself and of the kernel, since its start.
struct Histograms {
  // How much later it ran than its timer was set to, of every wait that reached that time, whatever
  // ended it. What comes before its time is no matter of the timer.
  Histogram timer_lateness;
  // From the system call that hands the kernel a batch of route operations (128 at most) to its
  // last answer.
  Histogram netlink_round_trip;
};

// A consistent copy of the tables. The owner makes it with room for every peer; the engine's thread
// fills it, some rows a wake-up, and publishes it. Whole rows are consistent; rows may be some
// wake-ups apart.
struct Snapshot {
  Instant taken;
  std::vector<PeerRow> peers;
  std::vector<PathRow> paths;
  std::vector<LanRow> lans;
  Counters counters;
  TransportCounters transport;
  Histograms histograms;
  RouteRefusal last_refusal;

  // Asked for with a query: these rings of the flight recorder, and no tables.
  std::optional<ProbeQuery> query;
  std::vector<Recording> recordings;
  uint64_t recordings_left_out = 0;  // there were more than kMaxRecordings
};

class Runtime {
 public:
  using Wake =
      void (*)(void*);  // called on the engine's thread, at most once until drain() is called again

  Runtime(RuntimeConfig config, Wake wake, void* context);
  ~Runtime();  // stops, however long that takes: the thread uses what is freed here
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Opens everything and starts the thread. Nothing is left behind when it returns an error.
  [[nodiscard]] std::optional<RuntimeError> start();
  // Says goodbye three times (when `goodbye`), cleans up what carries no traffic, ends the thread,
  // closes everything. False: the thread hangs, it has gone no round for 2 s. It may be asked
  // again; its routes stay as they are.
  bool stop(bool goodbye);

  [[nodiscard]] const RuntimeFacts& facts() const;
  // Copies up to `room` events to `out`; returns how many. `*lost` grows when the ring overflowed.
  // Clears the wake flag before reading, so that no event is left without a wake-up.
  [[nodiscard]] size_t drain(Event* out, size_t room, uint64_t* lost);
  [[nodiscard]] bool submit(const Command& command);  // false: queue full
  // What the events of the last drain() rest on, and perhaps some of the next one: up to `room`.
  [[nodiscard]] size_t drain_dumps(ProbeDump* out, size_t room);
  // The next probe for who listens (Command::kTap), oldest first. False: there is none yet.
  [[nodiscard]] bool take_tapped(TappedProbe* out);
  // Asks for a snapshot: of the tables, or with a query of the flight recorder. An event kAnswer
  // with this id tells that take_snapshot will find it. One at a time: false while another is under
  // way.
  [[nodiscard]] bool request_snapshot(uint32_t id,
                                      const std::optional<ProbeQuery>& query = std::nullopt);
  [[nodiscard]] std::unique_ptr<Snapshot> take_snapshot();
  // Grows whenever the engine's thread goes round its loop: a watchdog's food. Any thread may read
  // it.
  [[nodiscard]] uint64_t heartbeat_count() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// The interfaces of a network namespace (empty: this thread's), with their usable addresses.
struct InterfaceInfo {
  LanConfig lan;  // name empty
  uint32_t mtu = 0;
  bool admin_up = false, broadcast = false, loopback = false;
  std::string kind;  // "veth", "bridge", ...; empty for an ordinary device
};
[[nodiscard]] std::optional<RuntimeError> list_interfaces(const std::string& network_namespace,
                                                          std::vector<InterfaceInfo>* out);

// Removes every route, rule and neighbour entry that carries kRouteProtocol, in both families,
// whoever made it: for `faild cleanup`, without a daemon. `*removed` counts them, also when an
// error ends the work half-way.
[[nodiscard]] std::optional<RuntimeError> cleanup_kernel(const std::string& network_namespace,
                                                         uint32_t* removed);

}  // namespace faild
