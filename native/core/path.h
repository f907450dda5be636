// The detector's state for one path, and the rules by which it changes. The unit of detection is
// (peer, LAN).
//
// A path is up when we hear the peer AND the peer hears us. Each half has its own evidence:
//
//   hearing        packets of the peer arrive here; lost after `fail_after` missed ones, or when
//                  they arrive too badly (gray); won back by `restore_after` good ones in a row
//   heard_by_peer  the peer's word: its missing list, or the `hears_you` flag of its ACK. Its
//   silence about us counts
//                  only once its current incarnation has ACKed our current one (`acked`): a peer
//                  that has just started knows nobody, and so misses nobody
//
// Times here are on the engine's *attention clock*: CLOCK_MONOTONIC less the time in which our own
// thread was stalled. Silence is measured in time during which we were able to listen, so that a
// stall of ours never counts against a peer. Only `since` and `verdict_at`, which are shown or
// subtracted from the kernel's answers, are on the real clock.
//
// Owned by the engine; pure values and pure rules, no I/O.
#pragma once

#include <cstdint>
#include <optional>

#include "base/ids.h"
#include "base/net.h"
#include "base/prefetch.h"
#include "base/time.h"
#include "core/config.h"
#include "core/events.h"
#include "core/flight_recorder.h"

namespace faild {

enum class HeardByPeer : uint8_t { kUnknown, kYes, kNo };

// What every packet of a healthy path looks at or changes lies first, in few cache lines: among
// many peers each of them is a miss.
struct alignas(kCacheLine) Path {
  // Does it exist: the peer has an address on this LAN, or was heard on it.
  bool known = false;
  std::optional<uint8_t> remote_lan;  // which of the peer's adverts describes its place on this LAN

  PathState state = PathState::kUnknown;
  bool hearing = false;  // we hear the peer

  // The peer hears us.
  HeardByPeer heard_by_peer = HeardByPeer::kUnknown;
  bool acked = false;     // its current incarnation has ACKed ours, on this LAN
  bool doubtful = false;  // a not-heard verdict: whatever it says now, it has to prove itself

  // How well it works while it is heard.
  bool suspect = false;        // its LAN was judged dead; not heard since
  std::optional<Reason> gray;  // kLossy or kSlow: heard, but judged not worth using
  uint8_t flaps = 0;           // doublings of what revalidation needs
  uint32_t good = 0;           // good packets in a row
  LossShare loss;              // smoothed over some 64 packets
  uint32_t drops_seen = 0;     // `DetectorRules::drops` at the last regular packet

  std::optional<uint32_t> sequence;  // of its last broadcast INQ
  Duration interval;                 // between the packets that we may expect
  std::optional<Instant> heard_at;   // arrival of the last one
  uint64_t received = 0, lost = 0;

  MacAddress mac;                        // the peer's, as seen on this LAN
  IpAddress heard_from;                  // its probe's source
  std::optional<uint32_t> missing_slot;  // place in our missing list for this LAN

  // The solicited handshake.
  std::optional<Instant> solicit_at;         // when to ask (again)
  std::optional<uint32_t> solicit_sequence;  // asked and not yet answered

  // A path that is never heard at all while the peer is up elsewhere is judged then.
  std::optional<Instant> introduce_at;
  std::optional<Instant> return_at;  // hold time or settling time ends
  // down but being revalidated: move after all if it takes longer than this
  std::optional<Instant> patience_at;
  Instant since;  // of `state`

  FlightRecorder recorder;

  // What few packets touch.

  Reason reason = Reason::kNone;
  std::optional<uint32_t> echo;        // our INQ that its last ACK to a broadcast answered
  std::optional<uint32_t> solicited;   // of its last solicit to us, a sequence of its own
  std::optional<Instant> answered_at;  // when we last answered one; real clock
  Instant broadcast_until;             // so far its budget of broadcast ACKs is spent; real clock
  Instant solicit_sent;
  Duration solicit_backoff;
  std::optional<Duration> round_trip;
  Instant mac_at;  // when `mac` was taken over; real clock
  bool neighbour_wanted = false, neighbour_set = false;
  bool neighbour_moved = false;  // what is set bears another MAC address than `mac`

  // Where the traffic for the peer's addresses on this LAN goes. The planner's; see planner.h.
  bool untold = false;               // `via` has changed, but no address was there to report it by
  bool returning = false;            // both LANs serve until `return_at`
  bool forced = false;               // moved by the operator, not by a verdict
  bool return_permitted = false;     // manual switchback: the operator said so
  std::optional<LanIndex> via;       // in force: it takes this LAN
  std::optional<LanIndex> standby;   // prepared: it would take this LAN
  std::optional<LanIndex> last_via;  // where the traffic was before it came back
  uint32_t failovers = 0;

  uint32_t missed = 0;  // packets that should have come by the verdict
  Instant verdict_at;   // real clock
  Duration detect;      // last packet heard -> verdict
};

// What the detector is told of a LAN's paths: by the plan (config.h), and by this host's kernel.
struct DetectorRules {
  uint32_t fail_after = 3;
  uint32_t restore_after = 10;
  std::optional<Duration> flap_window = std::nullopt;
  std::optional<LossShare> loss_limit = std::nullopt;
  std::optional<Duration> round_trip_limit = std::nullopt;
  // Since when the detection time is not longer than now: silence from before is no evidence, so
  // that a change of the rules is no verdict. Attention clock.
  Instant since = Instant();
  // How often this host's kernel has dropped packets of the LAN unread, and when last. Attention
  // clock.
  uint32_t drops = 0;
  std::optional<Instant> dropped_at = std::nullopt;
};

// Slack beyond f x interval: one late wake-up of the sender and of the network. 100 us is what an
// idle SCHED_FIFO thread needs at p99 (docs/benchmarks.md), but no more than a quarter of the
// interval, where f - 1 whole packets are slack enough; a twentieth of the interval covers ordinary
// scheduling at long intervals, and more than 5 ms would only delay the verdict.
[[nodiscard]] Duration tolerance(Duration interval);
// Silence after which a path is dead: f x interval + tolerance.
[[nodiscard]] Duration detection_time(const DetectorRules& rules, Duration interval);
// Silence that is worth noticing when the *whole LAN* shows it, and that disqualifies an alternate:
// one packet less.
[[nodiscard]] Duration overdue_time(const DetectorRules& rules, Duration interval);

// Good packets in a row that revalidation needs: `restore_after`, doubled by each flap, at most 64
// times as many.
[[nodiscard]] uint32_t good_needed(const Path& path, const DetectorRules& rules);
// How long a path that is being revalidated may take before its traffic moves after all: the time
// that its good packets need, half as much again, and a detection time.
[[nodiscard]] Duration patience(const Path& path, const DetectorRules& rules);
// How long a peer that is up elsewhere may stay unheard on a LAN before that is a verdict.
[[nodiscard]] Duration introduction_time(const DetectorRules& rules, Duration interval);
// How often the path's round-trip time is sampled.
[[nodiscard]] Duration round_trip_pace(const DetectorRules& rules, Duration interval);

// The path has gone down after having been up for `lasted`.
void note_flap(Path& path, const DetectorRules& rules, Duration lasted);
// The sequence says that so many packets were lost before the one that has arrived.
void note_loss(Path& path, uint32_t missed);
// Good or gray? Once gray, it is good again only well below the limit, so that a value which hovers
// there moves nothing to and fro.
void note_quality(Path& path, const DetectorRules& rules);

// A packet of the peer has arrived. `consecutive`: it directly follows the last one.
void note_heard(Path& path, const DetectorRules& rules, Instant at, bool consecutive);
// The path has been silent for its detection time, or its LAN is gone.
void note_silence(Path& path);
// The path has gone down because the peer does not hear us. We hear the peer, so that no silence
// would hold it down: it has to bring `restore_after` good packets from here on, or a peer that
// says this and that by turns would move its traffic to and fro with every packet. Who really did
// not hear us needs as many itself before it says that it does, so both ends return together.
void note_not_heard(Path& path);
// The peer has restarted: what its former incarnation knew of us is void.
void note_restart(Path& path);

// The verdict that the evidence asks for, or nothing when the state stands. The whole transition
// table:
//
//   state    evidence                                          next   reason
//   unknown  hearing, acked, heard by the peer                 up     handshake
//   up       not hearing                                       down   silent, or lossy or slow
//   up       the peer says that it does not hear us            down   not-heard
//   down     hearing, acked, heard by the peer, not doubtful   up     revalidated
//   stopped  (only a new incarnation leaves it: note_restart's caller)
//
// unknown -> down happens only by the introduction (engine) and by adoption (planner): both name
// their own reason.
struct Verdict {
  PathState state;
  Reason reason;
};
[[nodiscard]] std::optional<Verdict> judge(const Path& path);

[[nodiscard]] std::optional<Duration> silence(const Path& path, Instant now);
// How much of a path's silence proves nothing, because packets of its LAN were dropped here: each
// time one of them may have been this peer's, so an interval a time; but what has passed since the
// last one counts in full, so that a LAN's death is noticed all the same when they end.
[[nodiscard]] Duration excused(const Path& path, const DetectorRules& rules);
// When a path that was heard will have been silent for its detection time. Attention clock.
[[nodiscard]] Instant silent_at(const Path& path, const DetectorRules& rules);
// Packets that should have come by now and have not.
[[nodiscard]] uint32_t missed_packets(const Path& path, Instant now);
// Heard lately enough to trust traffic to it: an alternate must be up and fresh.
[[nodiscard]] bool is_fresh(const Path& path, const DetectorRules& rules, Instant now);

// True when `a` comes after `b` in a 32-bit sequence that wraps (RFC 1982).
[[nodiscard]] constexpr bool comes_after(uint32_t a, uint32_t b) {
  return static_cast<int32_t>(a - b) > 0;
}

}  // namespace faild
