// The detector by its definition: the whole history of everything that was heard, asked and looked
// at is kept, and every question about a path is answered by reading that history backwards.
//
// Nothing is counted up, armed or remembered between two inputs but the history itself. The words
// of core/path.h and ARCHITECTURE.md are the source; the code is not. Slow on purpose.
//
// detector_test.cc gives the same inputs to this and to an Engine.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/events.h"
#include "core/path.h"
#include "wire/heartbeat.h"

namespace faild::model {

// Something that happened, in the order in which the engine was told. Times `at` are on the
// attention clock: they count the time in which the engine was able to listen.
struct Happening {
  enum class Kind : uint8_t {
    kMet,         // the first packet of a peer
    kRestarted,   // the first packet of a newer incarnation
    kPacket,      // a packet of a peer that may speak to us
    kAsked,       // we broadcast an inquiry on a LAN
    kSolicited,   // we asked one peer on one LAN
    kStoodStill,  // we were stalled: the attention clock was set back to `at`
    kDropped,     // our kernel had dropped packets of a LAN
    kSilent,      // by then the path had been silent for its detection time
    kIntroduced,  // a path that was never proven was looked at
    kVerdict,     // the path's state changed
    kLanDown,     // the whole LAN was judged dead
    kLanSwept,    // and its paths were marked
    kLanUp,
  } kind{};
  size_t peer = 0, lan = 0;
  Instant now, at;
  // kMet, kRestarted, kPacket
  MessageType type{};
  bool requestor = false, solicit = false, hears_us = false, misses_us = false, partial = false;
  Incarnation incarnation;
  Instant arrived;        // real time
  uint32_t sequence = 0;  // or the sequence that an ACK echoes
  Duration interval;      // between the packets that it lets us expect
  bool counts = false;    // it is evidence: neither late nor repeated, and no goodbye
  uint32_t gap = 0;       // packets missing between the last one of its series and this one
  // kStoodStill
  Duration stalled;
  // kVerdict, kLanDown
  PathState state{};
  Reason reason{};
};

struct OracleConfig {
  size_t peers = 1, lans = 2;
  std::array<Timing, kMaxLans> timing{};  // by LAN
  HostId host;
  Incarnation incarnation;
};

// What the oracle says of a path; the same words as in PathRow.
struct Opinion {
  PathState state = PathState::kUnknown;
  Reason reason = Reason::kNone;
  Instant since;
  std::optional<Duration> silence;
  uint32_t missed = 0, good = 0;
  uint64_t received = 0, lost = 0;
  bool operator==(const Opinion&) const = default;
};

class DetectorOracle {
 public:
  DetectorOracle(const OracleConfig& config, Instant now) : config_(config), looked_at_(now) {}

  // Inputs. `away`, by LAN: the planner's traffic for the peer takes an alternate.
  void packet(Instant now, Instant arrived, size_t peer, size_t lan, const Heartbeat& beat,
              const std::vector<bool>& away);
  void sent(Instant now, size_t lan, std::optional<size_t> peer, uint32_t sequence);
  void link(Instant now, size_t lan, bool carrier);
  void receive_drops(Instant now, size_t lan);
  // on_deadline, at this time, when it had been asked for at `due`.
  void look(Instant now, Instant due);

  [[nodiscard]] bool met(size_t peer) const;
  [[nodiscard]] Opinion opinion(Instant now, size_t peer, size_t lan) const;
  // The engine must look again no later than this.
  [[nodiscard]] std::optional<Instant> must_look_at() const;
  [[nodiscard]] uint64_t verdicts(PathState state) const;

 private:
  struct Where {
    size_t peer, lan;
  };
  using Kind = Happening::Kind;
  [[nodiscard]] Instant attention(Instant now) const { return now - shift_; }
  [[nodiscard]] std::vector<Where> all_paths() const;

  // What a packet is, by what was heard and asked before it.
  [[nodiscard]] const Happening* birth(size_t peer) const;
  [[nodiscard]] bool has_left(size_t peer) const;
  [[nodiscard]] const Happening* last_of_series(Where path, MessageType type, bool solicit) const;
  [[nodiscard]] bool is_another_run(size_t peer, Instant arrived, const Heartbeat& beat) const;
  [[nodiscard]] bool counts(Where path, const Heartbeat& beat) const;
  [[nodiscard]] bool was_asked(Where path, const Heartbeat& beat) const;

  // Questions about a path after the first `end` happenings.
  [[nodiscard]] PathState state(Where path, size_t end) const;
  [[nodiscard]] bool acked(Where path, size_t end) const;
  [[nodiscard]] HeardByPeer heard_by_peer(Where path, size_t end) const;
  [[nodiscard]] uint32_t run(Where path, size_t end) const;
  [[nodiscard]] bool hearing(Where path, size_t end) const;
  [[nodiscard]] bool doubtful(Where path) const;
  [[nodiscard]] Duration interval(Where path, size_t end) const;
  [[nodiscard]] std::optional<Instant> introduction_at(Where path, size_t end) const;
  [[nodiscard]] Duration introduction(Where path, size_t end) const;
  [[nodiscard]] Instant moved(Where path, Instant planned, size_t begin, size_t end) const;

  // And after all of them.
  [[nodiscard]] size_t all() const { return history_.size(); }
  [[nodiscard]] PathState state(Where path) const { return state(path, all()); }
  [[nodiscard]] Duration detection(size_t lan, Duration interval) const;
  [[nodiscard]] Duration overdue(size_t lan, Duration interval) const;
  [[nodiscard]] std::vector<Duration> paces(size_t lan) const;
  [[nodiscard]] Duration shortest(size_t lan) const;
  [[nodiscard]] Duration longest(size_t lan) const;
  [[nodiscard]] Duration shortest() const;
  [[nodiscard]] std::optional<Instant> heard_at(Where path) const;
  [[nodiscard]] std::optional<Instant> dropped_at(size_t lan) const;
  [[nodiscard]] Duration excused(Where path) const;
  [[nodiscard]] std::optional<Instant> silent_at(Where path) const;
  [[nodiscard]] bool fresh(Where path, Instant at) const;
  [[nodiscard]] bool fresh_elsewhere(Where path, Instant at) const;

  // Questions about whole LANs (detector_oracle_lans.cc).
  [[nodiscard]] const Happening* lan_verdict(size_t lan) const;  // while it stands
  [[nodiscard]] uint32_t count(size_t lan, PathState state) const;
  [[nodiscard]] bool most_have_gone(size_t lan, Instant at) const;
  [[nodiscard]] bool nobody_is_heard(size_t lan, Instant at) const;
  [[nodiscard]] std::optional<Instant> lan_heard_at(size_t lan) const;
  void judge_lan(Instant now, size_t lan, Reason reason);
  void lan_down(Instant now, size_t lan, Reason reason);
  void sweep(Instant now, size_t lan);
  void judge_lan_up(Instant now, size_t lan);

  // What follows from an input.
  Happening& record(Kind kind, Where path, Instant now);
  void verdict(Instant now, Where path, PathState state, Reason reason);
  void judge(Instant now, Where path);
  void fall_silent(Instant now, Where path);
  void introduce(Instant now, Where path);
  void leave(Instant now, size_t peer);
  void restart(Instant now, size_t peer, const std::vector<bool>& away);

  OracleConfig config_;
  std::vector<Happening> history_;
  std::vector<bool> carrier_ = std::vector<bool>(kMaxLans, true);
  Duration shift_;     // how far the attention clock is behind
  Instant looked_at_;  // real time
};

}  // namespace faild::model
