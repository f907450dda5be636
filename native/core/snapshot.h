// Rows of the engine's tables, for reading from outside. Plain values: copying one is a consistent
// read.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bounded.h"
#include "base/ids.h"
#include "base/net.h"
#include "base/time.h"
#include "core/config.h"
#include "core/events.h"
#include "wire/heartbeat.h"

namespace faild {

struct PathRow {
  HostId host;
  LanIndex lan;
  PathState state{};
  Reason reason{};
  Instant since;                       // of the state
  std::optional<Duration> silence;     // since the last packet heard
  Duration interval;                   // announced by the peer
  uint32_t missed = 0;                 // packets overdue now
  uint32_t good = 0;                   // good packets in a row while being revalidated
  uint32_t good_needed = 0;            // and how many it takes
  std::optional<Duration> round_trip;  // smoothed
  std::optional<LanIndex> alternate;   // traffic for this path's addresses takes this LAN now
  std::optional<LanIndex> standby;     // and would take this one if the LAN died now
  uint64_t received = 0, lost = 0;     // packets; lost by gaps in the sequence
  LossShare loss;                      // of late, smoothed
  uint32_t failovers = 0;
  bool forced = false;  // moved by a command
  BoundedVector<Prefix, kMaxAddressesPerLan> addresses;
  MacAddress mac;
};

struct PeerRow {
  HostId host;
  Incarnation incarnation;
  HostName name;
  bool requestor = false;
  bool drained = false;  // it may fall silent by plan
  bool untold = false;   // it has yet to acknowledge whether we are drained
};

enum class LanState : uint8_t { kNoPeer = 0, kUp = 1, kDown = 2 };

struct LanRow {
  LanIndex index;
  BoundedText<32> name;
  InterfaceName interface;
  LanState state{};
  Instant since;
  bool carrier = false;
  bool moved = false;  // the LAN's rule is in force
  uint32_t muted = 0;  // kMutedIn, kMutedOut
  std::optional<Instant> muted_until;
  uint32_t paths_up = 0, paths_down = 0, paths_other = 0;
  BoundedVector<Prefix, kMaxAddressesPerLan> addresses;
  Timing timing;  // as the plan says
  Duration pace;  // between our inquiries now; shorter while a longer interval is announced
  uint64_t sent = 0, received = 0;
};

struct Counters {
  uint64_t packets_received = 0, packets_sent = 0, acks_sent = 0, solicits_sent = 0;
  uint64_t verdicts_down = 0, verdicts_up = 0, failovers = 0, switchbacks = 0, lan_failovers = 0;
  uint64_t route_ops = 0, route_errors = 0, route_repairs = 0, resyncs = 0;
  uint64_t stalls = 0, receive_drops = 0, sends_deferred = 0, events_lost = 0;
  Duration late_max, late_total;  // of the thread's wake-ups that were late enough to void a round
  uint64_t looks_at_all = 0;      // times that all peers were looked through to judge one LAN
  std::array<uint64_t, kDrops> drops{};
  std::array<uint64_t, kDecodeErrors> decode_errors{};
};

}  // namespace faild
