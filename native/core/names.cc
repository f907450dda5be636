// The words of core/events.h and flight_recorder.h in kebab-case: the same in logs, metrics, status
// and docs, on both sides of the addon.
//
// Switches without a default, so that the compiler names the enumerator that a new event forgot.
#include "core/events.h"
#include "core/flight_recorder.h"

namespace faild {

const char* to_string(PathState state) {
  switch (state) {
    case PathState::kUnknown: return "unknown";
    case PathState::kUp: return "up";
    case PathState::kDown: return "down";
    case PathState::kStopped: return "stopped";
  }
  return "invalid";
}

const char* to_string(Reason reason) {
  switch (reason) {
    case Reason::kNone: return "none";
    case Reason::kHandshake: return "handshake";
    case Reason::kRevalidated: return "revalidated";
    case Reason::kSilent: return "silent";
    case Reason::kNotHeard: return "not-heard";
    case Reason::kLanSilent: return "lan-silent";
    case Reason::kCarrier: return "carrier";
    case Reason::kNeverHeard: return "never-heard";
    case Reason::kAdopted: return "adopted";
    case Reason::kGoodbye: return "goodbye";
    case Reason::kOperator: return "operator";
    case Reason::kLossy: return "lossy";
    case Reason::kSlow: return "slow";
    case Reason::kDrained: return "drained";
  }
  return "invalid";
}

const char* to_string(EventKind kind) {
  switch (kind) {
    case EventKind::kPeerFound: return "peer-found";
    case EventKind::kPeerRestarted: return "peer-restarted";
    case EventKind::kPeerChanged: return "peer-changed";
    case EventKind::kPeerForgotten: return "peer-forgotten";
    case EventKind::kPathUp: return "path-up";
    case EventKind::kPathDown: return "path-down";
    case EventKind::kPathStopped: return "path-stopped";
    case EventKind::kLanDown: return "lan-down";
    case EventKind::kLanUp: return "lan-up";
    case EventKind::kFailover: return "failover";
    case EventKind::kSwitchback: return "switchback";
    case EventKind::kLanFailover: return "lan-failover";
    case EventKind::kLanSwitchback: return "lan-switchback";
    case EventKind::kIsolated: return "isolated";
    case EventKind::kRejoined: return "rejoined";
    case EventKind::kStalled: return "stalled";
    case EventKind::kReceiveDrops: return "receive-drops";
    case EventKind::kDropped: return "dropped";
    case EventKind::kRouteFailed: return "route-failed";
    case EventKind::kRouteRepaired: return "route-repaired";
    case EventKind::kAdopted: return "adopted";
    case EventKind::kTableFull: return "table-full";
    case EventKind::kLanMuted: return "lan-muted";
    case EventKind::kLanUnmuted: return "lan-unmuted";
    case EventKind::kPeerDrained: return "peer-drained";
    case EventKind::kPeerUndrained: return "peer-undrained";
    case EventKind::kAnswer: return "answer";
  }
  return "invalid";
}

const char* to_string(Drop drop) {
  switch (drop) {
    case Drop::kOtherCluster: return "other-cluster";
    case Drop::kOwnPacket: return "own-packet";
    case Drop::kCrossConnected: return "cross-connected";
    case Drop::kOldIncarnation: return "old-incarnation";
    case Drop::kOldSequence: return "old-sequence";
    case Drop::kUnknownAck: return "unknown-ack";
    case Drop::kNotForUs: return "not-for-us";
    case Drop::kTableFull: return "table-full";
    case Drop::kMalformed: return "malformed";
    case Drop::kTooOften: return "too-often";
    case Drop::kMuted: return "muted";
    case Drop::kNotAllowed: return "not-allowed";
  }
  return "invalid";
}

const char* to_string(ProbeKind kind) {
  switch (kind) {
    case ProbeKind::kInq: return "inq";
    case ProbeKind::kAck: return "ack";
    case ProbeKind::kSolicit: return "solicit";
    case ProbeKind::kSolicitAck: return "solicit-ack";
    case ProbeKind::kBye: return "bye";
  }
  return "invalid";
}

}  // namespace faild
