// The flight recorder: the last probes of every path, sent and received, and how punctual each was.
// It is what an operator wants to see after a verdict: was the peer late, was the network, or was
// it us?
//
// One ring a path for what concerns that peer alone, and one a LAN for what we send to everybody
// there: an INQ goes to a thousand peers, and is noted once. Readers put the two together. Writing
// costs one count and sixteen bytes.
//
// A path that is judged down because it is silent keeps in its ring what it held then, until its
// peer is heard again: what we send in vain meanwhile would bury the evidence. Of the ring of its
// LAN, which goes on, copies from the last few verdicts are kept.
//
// Owned by the engine. At a `down` verdict it is copied (ProbeDump), because the ring moves on
// while the event is on its way; at any other time a snapshot reads it. Whoever wants each probe as
// it passes has it put into Effects as well (Command::kTap): a ring of eight, read again and again,
// would show what is slow enough for the reader.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "base/bounded.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/time.h"

namespace faild {

enum class ProbeKind : uint8_t {
  kInq = 0,     // to everybody
  kAck,         // to one of those
  kSolicit,     // an INQ to one peer
  kSolicitAck,  // the answer to that
  kBye,
};
inline constexpr size_t kProbeKinds = 5;
[[nodiscard]] const char* to_string(ProbeKind kind);

struct Probe {
  Instant at;             // sent, or arrived; real clock
  uint32_t sequence = 0;  // of an ACK: that of the inquiry which it answers
  ProbeKind kind : 3 {};
  bool sent : 1 = false;     // by us
  bool urgent : 1 = false;   // out of turn
  bool unheard : 1 = false;  // says that its sender does not hear whom it is for
  bool refused : 1 = false;  // duplicated, reordered or replayed: no evidence
  uint32_t lag_us : 24 = 0;

  static constexpr int64_t kLongestLagUs = (1 << 24) - 1;  // what is longer is told as 16.8 s

  // Of an ACK that was received: the round trip. Of all else that was received: how long it lay
  // unread. Of what we sent: how much later than it was due.
  [[nodiscard]] Duration lag() const { return Duration::us(lag_us); }
  void set_lag(Duration lag) {
    lag_us = static_cast<uint32_t>(std::clamp<int64_t>(lag.in_us(), 0, kLongestLagUs)) & 0xffffff;
  }
};
static_assert(sizeof(Probe) == 16, "four to a cache line");

// One ring as it is read.
struct Recording {
  HostId host;  // zero: what we send to everybody on this LAN
  LanIndex lan;
  Duration interval;   // between the packets that may be expected
  uint64_t count = 0;  // probes since the start; the last of `probes` has this number
  // As it was at this verdict, and has been kept since; none: as it is.
  std::optional<Instant> verdict;
  BoundedVector<Probe, kProbesKept> probes;  // oldest first
};

// Whose probes are wanted, and with them what we send to everybody there.
struct ProbeQuery {
  HostId host;                  // zero: of everybody
  std::optional<LanIndex> lan;  // none: of all

  // `from` zero: what we send to everybody.
  [[nodiscard]] bool wants(HostId from, LanIndex on) const {
    const bool by_host = host == HostId{} || from == HostId{} || from == host;
    return by_host && (!lan || *lan == on);
  }
};

// A probe on its way to who listens.
struct TappedProbe {
  Probe probe;
  HostId host;               // as that of a Recording
  Duration interval;         // likewise
  uint32_t lost_before = 0;  // so many found no room directly before it
  LanIndex lan;
};
static_assert(sizeof(TappedProbe) <= 48, "thousands lie between the threads");

// What was recorded of a path when it was judged down.
struct ProbeDump {
  uint32_t id = 0;  // of the event that it belongs to
  Recording path, lan;
};

// The ring itself. It lies in the Path (or Lan) that it belongs to: a table of its own would be one
// more page to touch for each packet, and was measured to cost some 5 ns more at a thousand peers.
class FlightRecorder {
 public:
  void note(const Probe& probe) {
    if (held_) {
      if (probe.sent || probe.refused) return;
      held_ = false;
    }
    // A flood of refused packets takes one place, not all.
    if (probe.refused && count_ > 0 && place(count_ - 1).refused) count_--;
    place(count_++) = probe;
  }
  // From now on nothing is noted, until the peer is heard.
  void hold() { held_ = true; }
  [[nodiscard]] bool held() const { return held_; }
  [[nodiscard]] uint64_t count() const { return count_; }
  void read(Recording* out) const {
    out->count = count_;
    out->probes.clear();
    for (uint64_t i = count_ - std::min<uint64_t>(count_, kProbesKept); i < count_; i++) {
      FAILD_CHECK(out->probes.push(probes_[i % kProbesKept]));
    }
  }

 private:
  static_assert((kProbesKept & (kProbesKept - 1)) == 0, "the place is found by masking");
  [[nodiscard]] Probe& place(uint64_t number) { return probes_[number % kProbesKept]; }

  uint64_t count_ : 63 = 0;
  bool held_ : 1 = false;
  std::array<Probe, kProbesKept> probes_;
};
static_assert(sizeof(FlightRecorder) == sizeof(uint64_t) + kProbesKept * sizeof(Probe));

// A LAN's ring as it was at the last verdicts on its paths; verdicts between two of our packets
// share one copy.
class VerdictRecorder {
 public:
  void keep(Instant verdict, const FlightRecorder& recorder) {
    if (count_ > 0 && latest().recorder.count() == recorder.count()) return;
    copies_[count_++ % kVerdictsKept] = {verdict, recorder};
  }
  // The `i`th of kVerdictsKept, in no order. False: there is none.
  [[nodiscard]] bool read(size_t i, Recording* out) const {
    if (i >= std::min<uint64_t>(count_, kVerdictsKept)) return false;
    out->verdict = copies_[i].verdict;
    copies_[i].recorder.read(out);
    return true;
  }

 private:
  struct Copy {
    Instant verdict;
    FlightRecorder recorder;
  };
  [[nodiscard]] const Copy& latest() const { return copies_[(count_ - 1) % kVerdictsKept]; }

  uint64_t count_ = 0;
  std::array<Copy, kVerdictsKept> copies_;
};

}  // namespace faild
