#include "model/detector_oracle.h"

#include <algorithm>

namespace faild::model {

// --- durations, from the comments of core/path.h

namespace {
constexpr uint32_t kLargestGap = 100000;  // beyond it the sequence has jumped

Duration slack(Duration interval) {
  return std::min(Duration::us(100), interval / 4) + std::min(interval / 20, Duration::ms(5));
}
}  // namespace

Duration DetectorOracle::detection(size_t lan, Duration interval) const {
  return interval * config_.timing[lan].fail_after + slack(interval);
}
Duration DetectorOracle::overdue(size_t lan, Duration interval) const {
  return interval * std::max(1U, config_.timing[lan].fail_after - 1) + slack(interval);
}
// --- packets

std::vector<DetectorOracle::Where> DetectorOracle::all_paths() const {
  std::vector<Where> paths;
  for (size_t peer = 0; peer < config_.peers; peer++) {
    for (size_t lan = 0; met(peer) && lan < config_.lans; lan++) paths.push_back({peer, lan});
  }
  return paths;
}

// Where the peer's present incarnation begins.
const Happening* DetectorOracle::birth(size_t peer) const {
  for (size_t i = all(); i-- > 0;) {
    const Happening& h = history_[i];
    const bool begins = h.kind == Kind::kMet || h.kind == Kind::kRestarted;
    if (begins && h.peer == peer) return &h;
  }
  return nullptr;
}

bool DetectorOracle::met(size_t peer) const { return birth(peer) != nullptr; }

bool DetectorOracle::has_left(size_t peer) const {
  for (const Happening* h = birth(peer); h != history_.data() + all(); h++) {
    if (h->kind == Kind::kPacket && h->peer == peer && h->type == MessageType::kBye) return true;
  }
  return false;
}

// A newer incarnation, or one that speaks on for a second after its goodbye. (An older one counts
// after ten seconds of absence; here no packet is late by so much.)
bool DetectorOracle::is_another_run(size_t peer, Instant arrived, const Heartbeat& beat) const {
  if (beat.incarnation != birth(peer)->incarnation || beat.type == MessageType::kBye) {
    return beat.incarnation > birth(peer)->incarnation;
  }
  for (const Happening* h = birth(peer); h != history_.data() + all(); h++) {
    const bool left = h->kind == Kind::kPacket && h->peer == peer && h->type == MessageType::kBye;
    if (left) return arrived - h->arrived >= Duration::seconds(1);
  }
  return false;
}

// Inquiries, solicits and acknowledgments of either are four series, each counted for itself.
const Happening* DetectorOracle::last_of_series(Where path, MessageType type, bool solicit) const {
  for (const Happening* h = history_.data() + all(); h-- != birth(path.peer);) {
    const bool here = h->kind == Kind::kPacket && h->peer == path.peer && h->lan == path.lan;
    if (here && h->counts && h->type == type && h->solicit == solicit) return h;
  }
  return nullptr;
}

// An ACK counts when we asked that, and lately.
bool DetectorOracle::was_asked(Where path, const Heartbeat& beat) const {
  size_t newer = 0;  // inquiries on this LAN
  for (size_t i = all(); i-- > 0;) {
    const Happening& h = history_[i];
    const bool to_us = h.lan == path.lan && h.peer == path.peer;
    if (beat.solicit && &h == birth(path.peer)) return false;  // asked of an earlier run
    if (beat.solicit && to_us && h.kind == Kind::kPacket && h.counts &&
        h.type == MessageType::kAck && h.solicit) {
      return false;  // answered
    }
    if (beat.solicit && to_us && h.kind == Kind::kSolicited) {
      return h.sequence == beat.echo_sequence;
    }
    if (beat.solicit || h.kind != Kind::kAsked || h.lan != path.lan) continue;
    if (h.sequence == beat.echo_sequence) return newer < 64;
    newer++;
  }
  return false;
}

bool DetectorOracle::counts(Where path, const Heartbeat& beat) const {
  if (beat.type == MessageType::kBye) return false;
  const Happening* last = last_of_series(path, beat.type, beat.solicit);
  if (beat.type == MessageType::kInq) {
    const bool silent = !hearing(path, all()) && run(path, all()) == 0;
    return !last || silent || comes_after(beat.sequence, last->sequence);
  }
  if (beat.to != config_.host || beat.to_incarnation != config_.incarnation) return false;
  if (!was_asked(path, beat)) return false;
  return beat.solicit || !last || comes_after(beat.echo_sequence, last->sequence);
}

void DetectorOracle::packet(Instant now, Instant arrived, size_t peer, size_t lan,
                            const Heartbeat& beat, const std::vector<bool>& away) {
  const Where path{peer, lan};
  const bool first = !met(peer);
  if (first && beat.type == MessageType::kBye) return;
  if (!first && beat.incarnation < birth(peer)->incarnation) return;
  if (!first && is_another_run(peer, arrived, beat)) {
    if (now - birth(peer)->now < Duration::ms(100)) return;  // faster than any host can
    restart(now, peer, away);
    history_.back().incarnation = beat.incarnation;
  } else if (!first && has_left(peer)) {
    return;
  }
  const Duration interval = beat.requestor ? beat.interval : config_.timing[lan].interval;
  if (first) {
    Happening& met = record(Kind::kMet, path, now);
    met.incarnation = beat.incarnation;
    met.interval = interval;
    met.requestor = beat.requestor;
  }
  const bool counts_here = counts(path, beat);
  const bool answer = beat.type == MessageType::kAck;
  const uint32_t sequence = answer ? beat.echo_sequence : beat.sequence;
  const Happening* last = last_of_series(path, beat.type, beat.solicit);
  const uint32_t gap = last && !beat.solicit ? sequence - last->sequence - 1 : 0;
  Happening& h = record(Kind::kPacket, path, now);
  h.at = arrived - shift_;
  h.arrived = arrived;
  h.type = beat.type;
  h.solicit = beat.solicit;
  h.hears_us = beat.hears_you;
  h.misses_us = beat.misses(config_.host);
  h.partial = beat.missing_is_partial;
  h.sequence = sequence;
  h.interval = interval;
  h.counts = counts_here;
  h.gap = gap;
  if (beat.type == MessageType::kBye) leave(now, peer);
  if (counts_here) judge(now, path);  // leave() may have moved the history
}

void DetectorOracle::sent(Instant now, size_t lan, std::optional<size_t> peer, uint32_t sequence) {
  const Kind kind = peer ? Kind::kSolicited : Kind::kAsked;
  record(kind, {peer.value_or(0), lan}, now).sequence = sequence;
}

// --- questions about a path

namespace {
bool is_at(const Happening& h, size_t peer, size_t lan) { return h.peer == peer && h.lan == lan; }
bool is_not_heard(const Happening& h) {
  return h.kind == Happening::Kind::kVerdict && h.reason == Reason::kNotHeard;
}
// A regular packet, of those that a path is expected to bring at its interval.
bool is_regular(const Happening& h) {
  return h.kind == Happening::Kind::kPacket && h.counts && !h.solicit;
}
}  // namespace

PathState DetectorOracle::state(Where path, size_t end) const {
  for (size_t i = end; i-- > 0;) {
    const Happening& h = history_[i];
    if (h.kind == Kind::kVerdict && is_at(h, path.peer, path.lan)) return h.state;
  }
  return PathState::kUnknown;
}

// Its present incarnation has ACKed us.
bool DetectorOracle::acked(Where path, size_t end) const {
  for (size_t i = end; i-- > 0;) {
    const Happening& h = history_[i];
    if (h.kind == Kind::kRestarted && h.peer == path.peer) return false;
    if (h.kind != Kind::kPacket || !is_at(h, path.peer, path.lan)) continue;
    if (h.counts && h.type == MessageType::kAck) return true;
  }
  return false;
}

// The latest word of its present incarnation. A full list that does not name us counts once we are
// acked; before that, or of a part of a list, it only takes back that we were named.
HeardByPeer DetectorOracle::heard_by_peer(Where path, size_t end) const {
  bool doubted = false;
  for (size_t i = end; i-- > 0;) {
    const Happening& h = history_[i];
    if (h.kind == Kind::kRestarted && h.peer == path.peer) return HeardByPeer::kUnknown;
    if (h.kind != Kind::kPacket || !is_at(h, path.peer, path.lan) || !h.counts) continue;
    const bool answer = h.type == MessageType::kAck;
    if (!answer && h.solicit) continue;
    const bool yes = answer ? h.hears_us : !h.misses_us && !h.partial && acked(path, i);
    const bool no = answer ? !h.hears_us : h.misses_us;
    if (yes) return HeardByPeer::kYes;
    if (no) return doubted ? HeardByPeer::kUnknown : HeardByPeer::kNo;
    doubted = true;
  }
  return HeardByPeer::kUnknown;
}

// Good packets in a row, up to now. A silence ends them, and the verdict that the peer does not
// hear us.
uint32_t DetectorOracle::run(Where path, size_t end) const {
  uint32_t good = 0;
  for (size_t i = end; i-- > 0;) {
    const Happening& h = history_[i];
    if (!is_at(h, path.peer, path.lan)) continue;
    if (h.kind == Kind::kSilent || is_not_heard(h)) return good;
    if (!is_regular(h)) continue;
    good++;
    if (h.gap > 0) return good;
  }
  return good;
}

// Since it was last silent it has been proven: by a run that is long enough, or, while it had never
// been judged, by any packet that is no mere question.
bool DetectorOracle::hearing(Where path, size_t end) const {
  for (size_t i = end; i-- > 0;) {
    const Happening& h = history_[i];
    if (!is_at(h, path.peer, path.lan)) continue;
    if (h.kind == Kind::kSilent) return false;
    const bool answer = h.kind == Kind::kPacket && h.counts && h.type == MessageType::kAck;
    if (!is_regular(h) && !answer) continue;
    if (is_regular(h) && run(path, i + 1) >= config_.timing[path.lan].restore_after) return true;
    if (state(path, i) == PathState::kUnknown) return true;
  }
  return false;
}

// Since the last verdict that the peer does not hear us, no run was long enough.
bool DetectorOracle::doubtful(Where path) const {
  for (size_t i = all(); i-- > 0;) {
    const Happening& h = history_[i];
    if (!is_at(h, path.peer, path.lan)) continue;
    if (is_regular(h) && run(path, i + 1) >= config_.timing[path.lan].restore_after) return false;
    if (is_not_heard(h)) return true;
  }
  return false;
}

Duration DetectorOracle::interval(Where path, size_t end) const {
  for (size_t i = end; i-- > 0;) {
    const Happening& h = history_[i];
    const bool evidence = h.kind == Kind::kPacket && h.counts;
    if (evidence && is_at(h, path.peer, path.lan)) return h.interval;
    if (h.kind != Kind::kMet || h.peer != path.peer) continue;
    return h.requestor ? h.interval : config_.timing[path.lan].interval;
  }
  return config_.timing[path.lan].interval;
}

// The latest arrival; never later than what the attention clock was set back to afterwards.
std::optional<Instant> DetectorOracle::heard_at(Where path) const {
  std::optional<Instant> latest, set_back;
  for (size_t i = all(); i-- > 0;) {
    const Happening& h = history_[i];
    if (h.kind == Kind::kStoodStill) set_back = set_back ? std::min(*set_back, h.at) : h.at;
    if (h.kind != Kind::kPacket || !is_at(h, path.peer, path.lan) || !h.counts) continue;
    const Instant heard = set_back ? std::min(h.at, *set_back) : h.at;
    latest = latest ? std::max(*latest, heard) : heard;
  }
  return latest;
}

// Each time that packets were dropped since its last regular one, this may have been among them;
// but no silence after the last drop is excused.
Duration DetectorOracle::excused(Where path) const {
  const auto last = dropped_at(path.lan), heard = heard_at(path);
  if (!last || !heard || *last <= *heard) return Duration();
  int64_t times = 0;
  for (size_t i = all(); i-- > 0;) {
    const Happening& h = history_[i];
    const bool jumped = h.type == MessageType::kInq && h.gap > kLargestGap;
    if (is_at(h, path.peer, path.lan) && is_regular(h) && !jumped) break;
    if (h.kind == Kind::kDropped && h.lan == path.lan) times++;
  }
  return std::min(interval(path, all()) * times, *last - *heard);
}

// When its silence becomes a fact, if nothing more is heard.
std::optional<Instant> DetectorOracle::silent_at(Where path) const {
  if (!hearing(path, all()) && run(path, all()) == 0) return std::nullopt;
  const auto heard = heard_at(path);
  if (!heard) return std::nullopt;
  return *heard + detection(path.lan, interval(path, all())) + excused(path);
}

bool DetectorOracle::fresh(Where path, Instant at) const {
  const auto heard = heard_at(path);
  return state(path) == PathState::kUp && heard &&
         at - *heard < overdue(path.lan, interval(path, all())) + excused(path);
}

bool DetectorOracle::fresh_elsewhere(Where path, Instant at) const {
  for (size_t lan = 0; lan < config_.lans; lan++) {
    if (lan != path.lan && fresh({path.peer, lan}, at)) return true;
  }
  return false;
}

// Two detection times and at least 500 ms, by the longer of its interval and ours: elsewhere a peer
// may speak more often than here.
Duration DetectorOracle::introduction(Where path, size_t end) const {
  const Duration pace = std::max(interval(path, end), config_.timing[path.lan].interval);
  return std::max(detection(path.lan, pace) * 2, Duration::ms(500));
}

// A stall pulls forward what was planned during it, by the clock that was then set back; and
// another interval asks for more time, or less.
Instant DetectorOracle::moved(Where path, Instant planned, size_t begin, size_t end) const {
  for (size_t i = begin; i < end; i++) {
    const Happening& h = history_[i];
    const bool late = h.kind == Kind::kStoodStill && planned >= h.at + h.stalled;
    if (late) planned = planned - h.stalled;
    const bool heard = h.kind == Kind::kPacket && h.counts && is_at(h, path.peer, path.lan);
    if (heard) planned = planned + (introduction(path, i + 1) - introduction(path, i));
  }
  return planned;
}

// A peer that was met, or that has restarted, gets so long to prove each path; when that was in
// vain, another detection time.
std::optional<Instant> DetectorOracle::introduction_at(Where path, size_t end) const {
  for (size_t i = end; i-- > 0;) {
    const Happening& h = history_[i];
    const bool here = is_at(h, path.peer, path.lan);
    const bool begins = (h.kind == Kind::kMet || h.kind == Kind::kRestarted) && h.peer == path.peer;
    if (here && h.kind == Kind::kVerdict) return std::nullopt;
    if (here && h.kind == Kind::kIntroduced) {
      const Duration again = detection(path.lan, config_.timing[path.lan].interval);
      return moved(path, h.at + again, i + 1, end);
    }
    if (!begins) continue;
    if (const auto before = introduction_at(path, i)) return moved(path, *before, i, end);
    if (state(path, i) != PathState::kUnknown) return std::nullopt;
    return moved(path, h.at + introduction(path, i + 1), i + 1, end);
  }
  return std::nullopt;
}

// --- what follows

Happening& DetectorOracle::record(Kind kind, Where path, Instant now) {
  Happening& h = history_.emplace_back();
  h.kind = kind;
  h.peer = path.peer;
  h.lan = path.lan;
  h.now = now;
  h.at = attention(now);
  return h;
}

void DetectorOracle::verdict(Instant now, Where path, PathState state, Reason reason) {
  Happening& h = record(Kind::kVerdict, path, now);
  h.state = state;
  h.reason = reason;
}

void DetectorOracle::judge(Instant now, Where path) {
  const auto heard_there = heard_by_peer(path, all());
  const bool both_ways =
      hearing(path, all()) && acked(path, all()) && heard_there == HeardByPeer::kYes;
  const PathState before = state(path);
  if (before == PathState::kUnknown && both_ways) {
    verdict(now, path, PathState::kUp, Reason::kHandshake);
  } else if (before == PathState::kDown && both_ways && !doubtful(path)) {
    verdict(now, path, PathState::kUp, Reason::kRevalidated);
  } else if (before == PathState::kUp && heard_there == HeardByPeer::kNo) {
    verdict(now, path, PathState::kDown, Reason::kNotHeard);
    judge_lan(now, path.lan, Reason::kNotHeard);
  }
}

void DetectorOracle::fall_silent(Instant now, Where path) {
  const bool was_up = state(path) == PathState::kUp;
  if (was_up) judge_lan(now, path.lan, Reason::kLanSilent);
  const Happening* whole = lan_verdict(path.lan);
  const Reason reason = whole && whole->now == now ? Reason::kLanSilent : Reason::kSilent;
  record(Kind::kSilent, path, now);
  if (was_up) verdict(now, path, PathState::kDown, reason);
}

// A path that could not be proven is dead from the start, if its peer lives elsewhere. The oracle
// asks only while the path is unknown: a verdict ends its introduction.
void DetectorOracle::introduce(Instant now, Where path) {
  const bool hears = hearing(path, all());
  const bool deaf = !hears || heard_by_peer(path, all()) == HeardByPeer::kNo;
  record(Kind::kIntroduced, path, now);
  const auto dropped = dropped_at(path.lan);
  const Duration lately = detection(path.lan, config_.timing[path.lan].interval);
  if (dropped && attention(now) - *dropped < lately) return;
  if (!deaf || !fresh_elsewhere(path, attention(now))) return;
  const Reason reason = !heard_at(path) ? Reason::kNeverHeard
                        : hears         ? Reason::kNotHeard
                                        : Reason::kSilent;
  record(Kind::kSilent, path, now);
  verdict(now, path, PathState::kDown, reason);
  judge_lan(now, path.lan, Reason::kLanSilent);
}

void DetectorOracle::leave(Instant now, size_t peer) {
  for (size_t lan = 0; lan < config_.lans; lan++) {
    record(Kind::kSilent, {peer, lan}, now);
    verdict(now, {peer, lan}, PathState::kStopped, Reason::kGoodbye);
  }
}

// One that had said goodbye begins anew; traffic that is still away returns when that is proven.
void DetectorOracle::restart(Instant now, size_t peer, const std::vector<bool>& away) {
  const bool returns = has_left(peer);
  for (size_t lan = 0; returns && lan < config_.lans; lan++) {
    const PathState state = away[lan] ? PathState::kDown : PathState::kUnknown;
    verdict(now, {peer, lan}, state, away[lan] ? Reason::kAdopted : Reason::kNone);
  }
  record(Kind::kRestarted, {peer, 0}, now);
}

void DetectorOracle::receive_drops(Instant now, size_t lan) {
  record(Kind::kDropped, {0, lan}, now);
}

void DetectorOracle::look(Instant now, Instant due) {
  if (now - due > std::max(Duration::us(250), shortest() / 4)) {
    shift_ += now - looked_at_;
    record(Kind::kStoodStill, {}, now).stalled = now - looked_at_;
  }
  looked_at_ = now;
  for (const Where path : all_paths()) {
    const auto silent = silent_at(path);
    if (silent && *silent <= attention(now)) fall_silent(now, path);
    const auto introduction = introduction_at(path, all());
    if (introduction && *introduction <= attention(now)) introduce(now, path);
  }
  for (size_t lan = 0; lan < config_.lans; lan++) {
    sweep(now, lan);
    judge_lan_up(now, lan);
  }
}

// --- answers

Opinion DetectorOracle::opinion(Instant now, size_t peer, size_t lan) const {
  const Where path{peer, lan};
  Opinion it;
  it.since = history_.front().now;
  for (const Happening& h : history_) {
    if (h.kind == Kind::kMet && h.peer == peer) it.since = h.now;
    if (!is_at(h, peer, lan)) continue;
    if (h.kind == Kind::kVerdict) {
      it.state = h.state;
      it.reason = h.reason;
      it.since = h.now;
    }
    if (h.kind != Kind::kPacket || !h.counts) continue;
    it.received++;
    if (h.gap <= kLargestGap) it.lost += h.gap;
  }
  it.good = run(path, all());
  const auto heard = heard_at(path);
  if (!heard) return it;
  it.silence = std::max(attention(now) - *heard, Duration());
  const Duration pace = interval(path, all());
  while (*it.silence >= pace * (it.missed + 1) + slack(pace)) it.missed++;
  return it;
}

std::optional<Instant> DetectorOracle::must_look_at() const {
  std::optional<Instant> earliest;
  for (const Where path : all_paths()) {
    for (const auto at : {silent_at(path), introduction_at(path, all())}) {
      if (at) earliest = earliest ? std::min(*earliest, *at + shift_) : *at + shift_;
    }
  }
  return earliest;
}

uint64_t DetectorOracle::verdicts(PathState state) const {
  return static_cast<uint64_t>(std::count_if(history_.begin(), history_.end(), [&](const auto& h) {
    return h.kind == Kind::kVerdict && h.state == state;
  }));
}

}  // namespace faild::model
