// What the engine reports: fixed-size records, written by the engine, read by whoever sits above.
//
// Events are hints; the path table is the truth. A lost event is counted and the reader looks at
// the table again.
#pragma once

#include <cstdint>

#include "base/ids.h"
#include "base/net.h"
#include "base/time.h"
#include "core/config.h"

namespace faild {

enum class PathState : uint8_t {
  kUnknown = 0,  // not yet proven both ways; no action follows from it
  kUp = 1,       // we hear the peer and the peer hears us
  kDown = 2,     // judged dead: traffic belongs on an alternate
  // the peer's daemon said goodbye, or its drained host fell silent; its routes stay as they are
  kStopped = 3,
};
inline constexpr size_t kPathStates = 4;

// Why a path is in its state.
enum class Reason : uint8_t {
  kNone = 0,
  kHandshake,    // up: heard, and the peer has ACKed us
  kRevalidated,  // up again after `restore_after` good packets
  kSilent,       // down: `fail_after` packets missed
  kNotHeard,     // down: the peer says that it does not hear us
  kLanSilent,    // down: most peers of this LAN fell silent together
  kCarrier,      // down: our own interface lost its carrier or went away
  // down: the peer is up on another LAN, has an address here, and was never heard here
  kNeverHeard,
  kAdopted,   // down: a failover in force was found in the kernel at the start
  kGoodbye,   // stopped
  kOperator,  // a command
  kLossy,     // down: it loses more packets than policy allows
  kSlow,      // down: its round-trip time is longer than policy allows
  kDrained,   // stopped: the host was drained, and is silent on every LAN
};
inline constexpr size_t kReasons = 14;

enum class EventKind : uint8_t {
  kPeerFound = 1,  // first packet of a host; `name` and its addresses are in the table
  kPeerRestarted,  // a newer incarnation
  kPeerChanged,    // name or addresses
  // gone for long, its place in a full table went to another; or no longer allowed (kOperator)
  kPeerForgotten,
  kPathUp,       // path; `previous`
  kPathDown,     // path, reason, evidence
  kPathStopped,  // goodbye, or the planned silence of a drained host
  kLanDown,      // LAN judgment: `count` paths moved as one
  kLanUp,
  // the kernel has acknowledged: traffic for path's addresses takes `alternate`; all timings
  kFailover,
  kSwitchback,   // the kernel has acknowledged: traffic is back on its own LAN
  kLanFailover,  // the same for a whole LAN by one rule
  kLanSwitchback,
  kIsolated,  // every LAN is silent: the fault is probably ours, nothing is changed
  kRejoined,
  kStalled,  // this thread ran `late` behind; deadlines were shifted, no verdict was given
  // the kernel dropped `count` packets of this LAN unread; its paths are excused for them
  kReceiveDrops,
  // a packet was refused: `drop`, first of its kind in 10 s, `count` since the last report
  kDropped,
  kRouteFailed,    // the kernel refused an operation: `error` (errno), `destination`
  kRouteRepaired,  // somebody deleted `destination` of ours; put back
  kAdopted,        // `count` routes of an earlier run were found in force
  kTableFull,      // a peer was not taken in: max_peers reached
  // heartbeats on the LAN do not count by command: `count` says which (kMutedIn, kMutedOut),
  // `silence` for how long at most
  kLanMuted,
  kLanUnmuted,     // they do again; `silence`: for how long they did not
  kPeerDrained,    // the host says that it may fall silent by plan
  kPeerUndrained,  // it does not say so any more
  kAnswer,         // to a command: `id`, `error`
};

// A packet that is refused, beyond what the decoders refuse (wire/heartbeat.h, wire/frame.h).
enum class Drop : uint8_t {
  kOtherCluster = 0,
  kOwnPacket,  // our own host id came back: a loop, or two hosts with one id
  // claims another prefix than the LAN it arrived on: two LANs are joined somewhere
  kCrossConnected,
  kOldIncarnation,
  kOldSequence,  // duplicated or reordered
  kUnknownAck,   // answers nothing that we asked recently
  kNotForUs,     // an ACK to another host
  kTableFull,
  kMalformed,   // the decoder's word; see its own counters
  kTooOften,    // restarts faster than any host can
  kMuted,       // by command (kLanMuted)
  kNotAllowed,  // the list of peers (Plan::allowed) does not name it
};
inline constexpr size_t kDrops = 12;

// Bits of kLanMuted's `count`: what arrives is not read, what would be sent is not.
inline constexpr uint32_t kMutedIn = 1, kMutedOut = 2;

struct Event {
  EventKind kind{};
  Instant at;
  HostId host;  // zero: about a LAN or about us
  LanIndex lan;
  LanIndex alternate;  // failover
  PathState state{}, previous{};
  Reason reason{};
  Drop drop{};
  uint32_t missed = 0;  // packets that should have come since the last one
  Duration interval;    // the peer's announced interval
  Duration silence;     // since the last packet heard
  LossShare loss;       // of late
  Duration round_trip;  // smoothed; zero: not measured
  Duration detect;      // failover: last packet heard -> verdict
  Duration apply;       // failover, switchback: verdict -> the kernel's acknowledgment
  Duration late;        // stalled
  uint32_t count = 0;
  uint32_t id = 0;  // answer; path or LAN down: of its dumps
  int32_t error = 0;
  Prefix destination;
};

[[nodiscard]] inline Event make_event(EventKind kind, Instant at) {
  Event event;
  event.kind = kind;
  event.at = at;
  return event;
}

[[nodiscard]] const char* to_string(PathState state);
[[nodiscard]] const char* to_string(Reason reason);
[[nodiscard]] const char* to_string(EventKind kind);
[[nodiscard]] const char* to_string(Drop drop);

}  // namespace faild
