// A path changes its state, and what that says of its whole LAN.
#include <algorithm>

#include "core/engine_impl.h"

namespace faild {
namespace {

// After a LAN verdict the rule is in the kernel at once; marking the paths one by one follows in
// pieces of this size.
constexpr uint32_t kSweepPerStep = 256;
// Looking through all peers to judge a LAN costs some 20 ns a peer. When half of a large cluster
// dies at once, each of its paths asks for that look: it may take a tenth of our time, after a
// burst that leaves every look to a LAN of a hundred peers.
constexpr Duration kLookPause = Duration::ns(200);  // a peer
constexpr Duration kLooksBurst = Duration::ms(10);
// Receive drops are reported at most this often, with what came together meanwhile.
constexpr Duration kDropsReportEvery = Duration::seconds(1);

}  // namespace

void Engine::Impl::count_state(Lan& lan, PathState state, int32_t by) {
  uint32_t& counter = state == PathState::kUp     ? lan.up
                      : state == PathState::kDown ? lan.down_paths
                                                  : lan.other;
  counter += static_cast<uint32_t>(by);
}

// The one place where a path's state changes. `quiet`: one event speaks for many.
void Engine::Impl::set_state(Instant now, uint32_t slot, PathState state, Reason reason,
                             Effects& effects, bool quiet) {
  Path& path = paths_[slot];
  const PathState previous = path.state;
  path.reason = reason;
  if (state == previous) return;
  Lan& lan = lans_[lan_of(slot).value];
  count_state(lan, previous, -1);
  count_state(lan, state, +1);
  if (previous == PathState::kUp && state == PathState::kDown) {
    note_flap(path, rules_for(slot), now - path.since);
    if (!path.gray) path.loss = LossShare();  // an outage is not told twice
  }
  path.state = state;
  path.since = now;
  path.suspect = false;
  path.return_at.reset();
  path.patience_at.reset();
  if (state == PathState::kDown) {
    path.verdict_at = now;
    path.detect = silence(path, attention(now)).value_or(Duration());
    path.missed = missed_packets(path, attention(now));
    if (reason == Reason::kNotHeard) note_not_heard(path);
    if (!path.hearing) path.recorder.hold();
    counters_.verdicts_down++;
    // Traffic may be on that path because of the mute.
    if (muted_ && muted_->lan != lan_of(slot)) end_mute(now, effects);
    if (reason != Reason::kNotHeard && config_.requestor) lan.urgent = true;
  } else if (state == PathState::kUp) {
    path.verdict_at = now;
    path.introduce_at.reset();
    note_pace(slot);
    counters_.verdicts_up++;
    if ((!path.neighbour_set || path.neighbour_moved) && !path.neighbour_wanted) {
      path.neighbour_wanted = true;
      neighbours_wanted_++;
    }
  }
  update_missing_of(peer_of(slot));
  mark_dirty(peer_of(slot));
  arm(slot);
  if (quiet) return;
  const EventKind kind = state == PathState::kUp     ? EventKind::kPathUp
                         : state == PathState::kDown ? EventKind::kPathDown
                                                     : EventKind::kPathStopped;
  Event event = path_event(kind, now, slot);
  event.previous = previous;
  if (state == PathState::kDown) event.id = dump_path(now, slot, effects);
  report(effects, event);
}

Event Engine::Impl::path_event(EventKind kind, Instant now, uint32_t slot) const {
  const Path& path = paths_[slot];
  Event event = make_event(kind, now);
  event.host = peers_[peer_of(slot)].host;
  event.lan = lan_of(slot);
  event.alternate = path.via ? *path.via : path.last_via.value_or(lan_of(slot));
  event.state = path.state;
  event.reason = path.reason;
  event.missed = missed_packets(path, attention(now));
  event.interval = path.interval;
  event.silence = silence(path, attention(now)).value_or(Duration());
  event.detect = path.detect;
  event.loss = path.loss;
  event.round_trip = path.round_trip.value_or(Duration());
  return event;
}

// The peer can reach us by another LAN, and shall: this one is to be freed of traffic.
bool Engine::Impl::is_turned_away(uint32_t slot) const {
  if (!is_drained(plan_, lan_of(slot))) return false;
  const auto paths = paths_of(peer_of(slot));
  for (size_t i = 0; i < paths.size(); i++) {
    const LanIndex other{static_cast<uint8_t>(i)};
    if (paths[i].state == PathState::kUp && !is_drained(plan_, other)) return true;
  }
  return false;
}

// We list a peer as missing while its path is down because *we* do not hear it, or to turn it away.
// It cannot switch, or switch back, before it knows that, so it is said at once.
void Engine::Impl::update_missing(uint32_t slot) {
  Path& path = paths_[slot];
  const bool lost = path.state == PathState::kDown && !path.hearing;
  const bool listed = lost || (path.known && is_turned_away(slot));
  if (listed == path.missing_slot.has_value()) return;
  MissingList& list = missing_[lan_of(slot).value];
  if (listed) {
    if (!lost) lans_[lan_of(slot).value].urgent = config_.requestor;
    path.missing_slot = list.join(peer_of(slot));
    return;
  }
  lans_[lan_of(slot).value].urgent = config_.requestor;
  const uint32_t place = *path.missing_slot;
  path.missing_slot.reset();
  if (const auto moved = list.leave(place)) {
    paths_[slot_of(*moved, lan_of(slot))].missing_slot = place;
  }
}

// A drained LAN turns away whoever is up elsewhere, so one path's state concerns the others.
void Engine::Impl::update_missing_of(uint32_t peer) {
  for (size_t i = 0; i < lans_.size(); i++) {
    update_missing(slot_of(peer, LanIndex{static_cast<uint8_t>(i)}));
  }
}

// A path has been silent for its detection time.
void Engine::Impl::path_silent(Instant now, uint32_t slot, Effects& effects) {
  Path& path = paths_[slot];
  const LanIndex lan = lan_of(slot);
  if (has_left(slot, attention(now))) {
    // No remnants: all that had arrived was read before this verdict.
    stop_peer(now, peer_of(slot), Instant(), Reason::kDrained, effects);
    return;
  }
  if (path.state != PathState::kUp) {
    note_silence(path);
    update_missing(slot);
    mark_dirty(peer_of(slot));
    return;
  }
  // First the LAN, while this path still counts as one that was well: if most are silent, it is one
  // event.
  judge_lan(now, slot, Reason::kLanSilent, effects);
  const bool whole = lans_[lan.value].down && lans_[lan.value].verdict_at == now;
  note_silence(path);
  set_state(now, slot, PathState::kDown, whole ? Reason::kLanSilent : Reason::kSilent, effects,
            whole);
}

// Its host has announced that it may fall silent, and no other LAN hears it: that is its absence.
// While another one does, this one is cut, as with any host.
bool Engine::Impl::has_left(uint32_t slot, Instant at) const {
  const uint32_t peer = peer_of(slot);
  return peers_[peer].drained && !has_fresh_alternate(peer, lan_of(slot), at);
}

bool Engine::Impl::has_fresh_alternate(uint32_t peer, LanIndex lan, Instant at) const {
  const auto paths = paths_of(peer);
  for (size_t i = 0; i < paths.size(); i++) {
    if (i != lan.value && is_fresh(paths[i], rules_[i], at)) return true;
  }
  return false;
}

// Have most of the peers that are alive elsewhere gone from this LAN? A dead LAN shows itself at
// the first expiry: by then every peer has been silent for one packet less than the detection time,
// whatever its phase. Peers that are silent on every LAN are dead hosts and say nothing about this
// one, nor do drained ones. One peer alone is a path, not a LAN.
bool Engine::Impl::lan_is_silent(LanIndex lan, Instant at) const {
  uint32_t all = 0, gone = 0;
  for (uint32_t peer = 0; peer < peers_.size(); peer++) {
    const Path& path = paths_[slot_of(peer, lan)];
    const bool judged = path.state == PathState::kUp || path.state == PathState::kDown;
    if (!path.known || !judged) continue;
    const bool well = path.state == PathState::kUp && is_fresh(path, rules_[lan.value], at);
    if (!well && (peers_[peer].drained || !has_fresh_alternate(peer, lan, at))) continue;
    all++;
    if (!well) gone++;
  }
  return all >= 2 && gone * 2 > all;
}

// The same question, answered at once in the plain case, however many peers there are: nobody at
// all has been heard here for longer than the slowest peer may be silent, while another LAN with as
// many peers is as lively as ever.
bool Engine::Impl::lan_is_wholly_silent(LanIndex lan, Instant at) const {
  const Lan& judged = lans_[lan.value];
  const DetectorRules& rules = rules_[lan.value];
  const auto quiet = [at](const Lan& one) {
    return one.heard_at ? at - *one.heard_at : Duration::seconds(3600);
  };
  const Duration overdue = overdue_time(rules, judged.longest);
  if (judged.up < 2 || quiet(judged) < overdue) return false;
  // Somebody may have spoken all the same: each path is asked for itself.
  if (rules.dropped_at && at - *rules.dropped_at < overdue) return false;
  for (size_t i = 0; i < lans_.size(); i++) {
    const Lan& other = lans_[i];
    const Duration lively = std::min(other.shortest * 2, overdue_time(rules_[i], other.shortest));
    if (i != lan.value && other.up * 2 > judged.up && quiet(other) < lively) return true;
  }
  return false;
}

// Whether the budget for such looks permits one more. It is real time that they take.
bool Engine::Impl::may_look_at_all(Instant now) {
  const Duration cost = kLookPause * static_cast<int64_t>(peers_.size());
  const Instant until = std::max(looks_paid_until_, now - kLooksBurst) + cost;
  if (until > now) return false;
  looks_paid_until_ = until;
  counters_.looks_at_all++;
  return true;
}

// Is the verdict on the path in `slot` one on its whole LAN? Its evidence then speaks for all.
void Engine::Impl::judge_lan(Instant now, uint32_t slot, Reason reason, Effects& effects) {
  const LanIndex lan = lan_of(slot);
  const Instant at = attention(now);
  Lan& judged = lans_[lan.value];
  if (judged.down || peers_[peer_of(slot)].drained) return;
  if (!lan_is_wholly_silent(lan, at) && !(may_look_at_all(now) && lan_is_silent(lan, at))) return;
  judged.detect = silence(paths_[slot], at).value_or(Duration());
  judged.missed = missed_packets(paths_[slot], at);
  lan_down(now, lan, reason, effects);
}

// The verdict on a whole LAN: one rule moves all its traffic. The kernel gets that rule before
// anything else is looked at; the paths are marked afterwards (sweep_lan).
void Engine::Impl::lan_down(Instant now, LanIndex lan, Reason reason, Effects& effects) {
  Lan& judged = lans_[lan.value];
  judged.down = true;
  judged.reason = reason;
  judged.since = now;
  judged.verdict_at = now;
  judged.sweep = 0;
  judged.moved_count = judged.up;
  if (judged.mode != LanMode::kMoved) {
    judged.mode = LanMode::kMoved;
    want_lan_rules(lan, true, RoutePhase::kMove, true);
    lan_verdict_now_ = true;
    counters_.lan_failovers++;
  }
  Event event = make_event(EventKind::kLanDown, now);
  event.lan = lan;
  event.reason = reason;
  event.count = judged.moved_count;
  event.missed = judged.missed;
  event.silence = judged.detect;
  event.interval = judged.shortest;
  event.id = dump_lan(now, lan, effects);
  report(effects, event);
}

// Marks the paths of a LAN that was judged dead. Overdue ones are down. One that has been heard too
// lately for that (a longer interval, a luckier phase) is suspect: its traffic is away with the
// rest until its next packet.
void Engine::Impl::sweep_lan(Instant now, LanIndex lan, Effects& effects) {
  Lan& judged = lans_[lan.value];
  if (!judged.sweep) return;
  const Instant at = attention(now);
  const auto count = static_cast<uint32_t>(peers_.size());
  const uint32_t end = std::min(count, *judged.sweep + kSweepPerStep);
  for (uint32_t peer = *judged.sweep; peer < end; peer++) {
    const uint32_t slot = slot_of(peer, lan);
    Path& path = paths_[slot];
    if (path.known && path.state == PathState::kUp) {
      if (judged.carrier && is_fresh(path, rules_[lan.value], at)) {
        path.suspect = !path.heard_at || *path.heard_at + shift_ < judged.verdict_at;
      } else if (judged.carrier && has_left(slot, at)) {
        stop_peer(now, peer, Instant(), Reason::kDrained, effects);
      } else {
        note_silence(path);
        set_state(now, slot, PathState::kDown, judged.reason, effects, true);
      }
    }
    if (path.known) mark_dirty(peer);
  }
  judged.sweep = end;
  if (end == count) judged.sweep.reset();
}

// Most of the LAN's peers are back: it is a LAN with a few bad paths again. Dead hosts (down on
// every LAN) do not count. Looked at once a round, not once a path: single paths return on their
// own account meanwhile.
void Engine::Impl::judge_lan_up(Instant now, LanIndex lan, Effects& effects) {
  Lan& judged = lans_[lan.value];
  if (!judged.down || !judged.carrier || judged.sweep || judged.up == 0) return;
  uint32_t gone = 0;
  for (uint32_t peer = 0; peer < peers_.size(); peer++) {
    const bool down = paths_[slot_of(peer, lan)].state == PathState::kDown;
    if (down && has_fresh_alternate(peer, lan, attention(now))) gone++;
  }
  if (judged.up <= gone) return;
  judged.down = false;
  judged.reason = Reason::kNone;
  judged.since = now;
  judged.verdict_at = now;
  Event event = make_event(EventKind::kLanUp, now);
  event.lan = lan;
  event.count = judged.up;
  report(effects, event);
}

// Every LAN silent at once is probably our own fault (a host cannot tell): nothing moves, since no
// alternate is fresh, and it is said once.
void Engine::Impl::judge_isolation(Instant now, Effects& effects) {
  uint32_t up = 0, down = 0;
  for (const Lan& lan : lans_) {
    up += lan.up;
    down += lan.down_paths;
  }
  const bool isolated = up == 0 && down > 0;
  if (isolated == isolated_) return;
  isolated_ = isolated;
  Event event = make_event(isolated ? EventKind::kIsolated : EventKind::kRejoined, now);
  event.count = down;
  report(effects, event);
}

void Engine::Impl::on_receive_drops(Instant now, LanIndex lan, uint32_t count, Effects& effects) {
  if (stopped_) return;
  counters_.receive_drops += count;
  const Instant at = attention(now);
  DetectorRules& rules = rules_[lan.value];
  rules.drops++;
  // Paths of that LAN may be fresh again. In a flood this is asked once for all packets of a round.
  if (rules.dropped_at != at) reconsider_waiting();
  rules.dropped_at = at;
  receive_drops_unreported_ += count;
  if (!drops_reported_at_ || now - *drops_reported_at_ >= kDropsReportEvery) {
    drops_reported_at_ = now;
    Event event = make_event(EventKind::kReceiveDrops, now);
    event.lan = lan;
    event.count = receive_drops_unreported_;
    receive_drops_unreported_ = 0;
    report(effects, event);
  }
  finish_step(now, effects);
}

void Engine::Impl::on_link(Instant now, const LinkChange& change, Effects& effects) {
  if (stopped_) return;
  Lan& lan = lans_[change.lan.value];
  effects.resync = true;  // IPv4 routes vanish without a word when a device goes down
  if (lan.carrier != change.carrier) {
    lan.carrier = change.carrier;
    if (!change.carrier) {
      // Nothing can pass our own dead interface; waiting for packets would only cost time.
      lan.detect = Duration();
      lan.missed = 0;
      if (muted_ && muted_->lan != change.lan) end_mute(now, effects);
      if (!lan.down && lan.up > 0) lan_down(now, change.lan, Reason::kCarrier, effects);
    } else {
      want_neighbours_again(change.lan);
    }
    // The direct routes go with the carrier, and come back with it.
    for (uint32_t peer = 0; plan_.rto_min && peer < peers_.size(); peer++) mark_dirty(peer);
  }
  finish_step(now, effects);
}

}  // namespace faild
