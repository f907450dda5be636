// The engine's frame: construction, time, and the end of every step.
#include "core/engine.h"

#include <algorithm>

#include "core/engine_impl.h"

namespace faild {
namespace {

// A wake-up later than this voids the round: a quarter of the interval, and never less than what a
// healthy SCHED_FIFO thread on an idle machine needs (p99.9 is 226 us, see FACTS).
constexpr Duration kLatenessFloor = Duration::us(250);
// Stalls and drops are reported at most this often, with what came together meanwhile.
constexpr Duration kStallReportEvery = Duration::seconds(1);
// Learned neighbour entries are written again at this pace, below the kernel's 30 s of
// base_reachable_time.
constexpr Duration kNeighboursEvery = Duration::seconds(20);

}  // namespace

Engine::Impl::Impl(const EngineConfig& config, Instant now, Memory* memory)
    : config_(config),
      lan_count_(static_cast<uint32_t>(config.lans.size())),
      plan_(config.plan),
      peers_(config.max_peers, config.seed, memory),
      paths_(config.max_peers * config.lans.size(), memory),
      lans_(memory),
      missing_(memory),
      heap_(config.max_peers * config.lans.size(), memory),
      store_(route_places(config), memory, config.seed),
      last_run_(now),
      looked_at_(now),
      next_tick_(now),
      dirty_(config.max_peers, 0, memory),
      dirty_flags_(config.max_peers, 0, memory),
      neighbours_again_at_(now + kNeighboursEvery) {
  FAILD_CHECK(config.host != HostId{} && config.incarnation != Incarnation{});
  FAILD_CHECK(!config.lans.empty());
  lans_.reserve(config.lans.size());
  missing_.reserve(config.lans.size());
  for (const LanConfig& lan : config.lans) {
    lans_.emplace_back();
    lans_.back().config = lan;
    lans_.back().carrier = lan.carrier;
    lans_.back().since = now;
    missing_.emplace_back(config.max_peers, memory);
  }
  start_turns(now);
  refresh_advert();
}

// --- deadlines

std::optional<Instant> Engine::Impl::path_deadline(uint32_t slot) const {
  const Path& path = paths_[slot];
  std::optional<Instant> earliest;
  const auto consider = [&](std::optional<Instant> at) {
    if (at && (!earliest || *at < *earliest)) earliest = at;
  };
  if ((path.hearing || path.good > 0) && path.heard_at) consider(silent_at(path, rules_for(slot)));
  consider(path.solicit_at);
  consider(path.introduce_at);
  consider(path.return_at);
  consider(path.patience_at);
  return earliest;
}

// Makes sure that the heap wakes us early enough for this path; being too early costs one look.
void Engine::Impl::arm(uint32_t slot) {
  const auto deadline = path_deadline(slot);
  if (!deadline) return;
  const auto entry = heap_.find(slot);
  if (!entry || *deadline < *entry) heap_.set(slot, *deadline);
}

Instant Engine::Impl::poll_at() const {
  if (synced_ && (store_.ready() || (stopped_ && neighbours_wanted_ > 0))) return last_run_;
  Instant at = next_tick_;
  if (const auto retry = store_.retry_at()) at = std::min(at, *retry);
  if (stopped_) return at;
  if ((synced_ && dirty_count_ > 0) || relocate_) return last_run_;
  for (const Lan& lan : lans_) {
    if (lan.sweep || lan.urgent) return last_run_;
  }
  if (config_.requestor) at = std::min(at, next_send_);
  if (muted_) at = std::min(at, muted_->until);
  if (const auto top = heap_.top()) at = std::min(at, top->at + shift_);
  return at;
}

// The heap is put right one round ahead (fire_deadlines), so that a verdict which is due before the
// next round stands in it as it is; an entry that is merely early belongs to a path that is well.
std::optional<Instant> Engine::Impl::verdict_at() const {
  const auto top = heap_.top();
  if (!top || stopped_) return std::nullopt;
  const Path& path = paths_[top->slot];
  if (path.state != PathState::kUp || !path.hearing || !path.heard_at) return std::nullopt;
  const Instant verdict_at = silent_at(path, rules_for(top->slot));
  if (top->at < verdict_at) return std::nullopt;
  return verdict_at + shift_;
}

// The engine was built before its thread and its sockets were ready: the clock of its duties starts
// now.
void Engine::Impl::begin(Instant now) {
  looked_at_ = now;
  next_tick_ = now + shortest_;
  for (Lan& lan : lans_) {
    if (lan.next_send < now) lan.next_send = next_turn(now, lan.pace);
  }
  note_next_send();
}

// The attention clock has been set back, after what waited in the sockets was read by the old one.
// Arrivals in its future would make us deaf to the path's next failure for as long as the stall
// was; what was planned then would come as much too late. (Something planned before may be pulled
// forward with it, which does no harm.) And whoever found no fresh alternate then may find one now.
void Engine::Impl::stand_still(Instant at, Duration stalled) {
  const auto pull = [&](std::optional<Instant>& planned) {
    const bool late = planned && *planned >= at + stalled;
    if (late) planned = *planned - stalled;
    return late;
  };
  const auto clip = [&](std::optional<Instant>& arrived) {
    const bool ahead = arrived && *arrived > at;
    if (ahead) arrived = at;
    return ahead;
  };
  for (Lan& lan : lans_) {
    clip(lan.heard_at);
    pull(lan.solicit_gate);
  }
  for (DetectorRules& rules : rules_) {
    rules.since = std::min(rules.since, at);
    clip(rules.dropped_at);
  }
  for (uint32_t slot = 0; slot < peers_.size() * lans_.size(); slot++) {
    Path& path = paths_[slot];
    bool changed = clip(path.heard_at);
    changed |= pull(path.solicit_at);
    changed |= pull(path.introduce_at);
    changed |= pull(path.return_at);
    changed |= pull(path.patience_at);
    if (changed) arm(slot);
  }
  reconsider_waiting();
}

// Our own thread was late: what we did not hear meanwhile proves nothing. The attention clock
// stands still for the time since we last looked, not just for the lateness: a stall that began
// between two ticks shows only its end.
void Engine::Impl::notice_stall(Instant now, Effects& effects) {
  const Duration late = now - poll_at();
  if (late <= std::max(kLatenessFloor, shortest_ / 4)) return;
  const Duration stalled = now - looked_at_;
  shift_ += stalled;
  stand_still(attention(now), stalled);
  counters_.stalls++;
  counters_.late_total += late;
  counters_.late_max = std::max(counters_.late_max, late);
  stalls_unreported_++;
  stall_worst_ = std::max(stall_worst_, late);
  if (stall_reported_at_ && now - *stall_reported_at_ < kStallReportEvery) return;
  stall_reported_at_ = now;
  Event event = make_event(EventKind::kStalled, now);
  event.late = stall_worst_;
  event.count = stalls_unreported_;
  report(effects, event);
  stalls_unreported_ = 0;
  stall_worst_ = Duration();
}

void Engine::Impl::on_deadline(Instant now, Effects& effects) {
  notice_stall(now, effects);
  looked_at_ = now;
  if (muted_ && now >= muted_->until) end_mute(now, effects);
  if (!stopped_) {
    fire_deadlines(now, effects);
    // A LAN's rule goes out before anything else is looked at; the rest follows in the next step.
    for (size_t i = 0; i < lans_.size() && !lan_verdict_now_; i++) {
      sweep_lan(now, LanIndex{static_cast<uint8_t>(i)}, effects);
      judge_lan_up(now, LanIndex{static_cast<uint8_t>(i)}, effects);
      tend_lan(now, LanIndex{static_cast<uint8_t>(i)});
    }
    if (!lan_verdict_now_) relocate_some(now, effects);
    // After the verdicts, so that the missing lists are today's.
    if (!lan_verdict_now_) send_inquiries(now, effects);
  }
  store_.retry(now);
  if (orphans_until_ && now >= *orphans_until_) {
    orphans_until_.reset();
    remove_orphans();
  }
  if (now >= neighbours_again_at_) {
    neighbours_again_at_ = now + kNeighboursEvery;
    want_neighbours_again(std::nullopt);
    measure_intervals();
    for (uint32_t peer = 0; ledger_full_ && peer < peers_.size(); peer++) mark_dirty(peer);
  }
  next_tick_ = now + shortest_;
  finish_step(now, effects);
}

void Engine::Impl::fire_deadlines(Instant now, Effects& effects) {
  const Instant at = attention(now);
  // Entries that are only lazily early are put right one round ahead, while we are awake anyway:
  // they never wake us.
  const Instant look_ahead = at + shortest_;
  while (const auto top = heap_.top()) {
    if (top->at > look_ahead || lan_verdict_now_) break;
    const auto real = path_deadline(top->slot);
    if (!real) {
      heap_.remove(top->slot);
    } else if (*real <= at) {
      heap_.remove(top->slot);
      fire_path(now, top->slot, effects);
      arm(top->slot);
    } else if (*real > top->at) {
      heap_.set(top->slot, *real);
    } else {
      break;
    }
  }
  judge_isolation(now, effects);
}

// Everything of this path that is due. Each branch disarms what it handles, so that the loop above
// always advances.
void Engine::Impl::fire_path(Instant now, uint32_t slot, Effects& effects) {
  Path& path = paths_[slot];
  const Instant at = attention(now);
  if ((path.hearing || path.good > 0) && path.heard_at && at >= silent_at(path, rules_for(slot))) {
    path_silent(now, slot, effects);
  }
  if (path.solicit_at && at >= *path.solicit_at) send_solicit(now, slot, effects);
  if (path.introduce_at && at >= *path.introduce_at) introduce(now, slot, effects);
  const auto due = [&] {
    return (path.return_at && at >= *path.return_at) ||
           (path.patience_at && at >= *path.patience_at);
  };
  if (due()) decide_peer(now, peer_of(slot));
  FAILD_CHECK(!due());
}

// A path that was never proven. If the peer is up on another LAN, has an address on this one, and
// for a whole detection time and more is not heard here (or says that it does not hear us), then
// this path is dead from the start: a host that boots while LAN A is broken must still reach its
// peers' addresses on A. As long as we do hear the peer, the handshake goes on and `unknown` takes
// no action; to have heard it once, before the LAN broke, is not enough. Nor does it count that it
// was not heard while the LAN's packets were dropped here.
void Engine::Impl::introduce(Instant now, uint32_t slot, Effects& effects) {
  Path& path = paths_[slot];
  const Instant at = attention(now);
  path.introduce_at.reset();
  if (path.state != PathState::kUnknown) return;
  const bool deaf = !path.hearing || path.heard_by_peer == HeardByPeer::kNo;
  const DetectorRules& rules = rules_for(slot);
  const Duration again = detection_time(rules, lans_[lan_of(slot).value].interval);
  const bool unfair = rules.dropped_at && at - *rules.dropped_at < again;
  if (deaf && !unfair && has_fresh_alternate(peer_of(slot), lan_of(slot), at)) {
    const Reason heard = path.hearing ? Reason::kNotHeard : Reason::kSilent;
    const Reason reason = path.heard_at ? heard : Reason::kNeverHeard;
    note_silence(path);
    set_state(now, slot, PathState::kDown, reason, effects, false);
    judge_lan(now, slot, Reason::kLanSilent, effects);
  } else {
    path.introduce_at = at + again;
  }
}

// What every input ends with: decide what has changed, and hand out what the kernel should do.
void Engine::Impl::finish_step(Instant now, Effects& effects) {
  last_run_ = now;
  if (!stopped_ && !lan_verdict_now_) decide_some(now);
  lan_verdict_now_ = false;
  note_no_room(now, effects);
  if (synced_) {
    store_.emit(now, effects);
    emit_neighbours(effects);
  }
  if (cleanup_id_ && store_.settled() && neighbours_wanted_ == 0) {
    Event event = make_event(EventKind::kAnswer, now);
    event.id = *cleanup_id_;
    report(effects, event);
    cleanup_id_.reset();
  }
}

void Engine::Impl::report(Effects& effects, const Event& event) {
  if (effects.events.push(event)) return;
  effects.events_lost++;
  counters_.events_lost++;
}

// --- the public face

Engine::Engine(const EngineConfig& config, Instant now, Memory* memory)
    : impl_(make_owned<Impl>(memory, config, now, memory)) {}
Engine::~Engine() = default;

void Engine::on_packet(Instant now, const PacketIn& packet, Effects& effects) {
  impl_->on_packet(now, packet, effects);
}
void Engine::expect(LanIndex lan, std::span<const uint8_t> soon,
                    std::span<const uint8_t> later) const {
  impl_->expect(lan, soon, later);
}
void Engine::on_receive_drops(Instant now, LanIndex lan, uint32_t count, Effects& effects) {
  impl_->on_receive_drops(now, lan, count, effects);
}
void Engine::on_link(Instant now, const LinkChange& change, Effects& effects) {
  impl_->on_link(now, change, effects);
}
void Engine::on_interface(Instant now, LanIndex lan, const LanConfig& interface, Effects& effects) {
  impl_->on_interface(now, lan, interface, effects);
}
void Engine::on_route_result(Instant now, const RouteResult& result, Effects& effects) {
  impl_->on_route_result(now, result, effects);
}
void Engine::on_entry_removed(Instant now, const RouteKey& key, Effects& effects) {
  impl_->on_entry_removed(now, key, effects);
}
void Engine::on_resync_begin(Instant /*now*/) { impl_->on_resync_begin(); }
void Engine::on_resync_entry(Instant /*now*/, const KernelEntry& entry) {
  impl_->on_resync_entry(entry);
}
void Engine::on_resync_end(Instant now, Effects& effects) { impl_->on_resync_end(now, effects); }
void Engine::on_command(Instant now, const Command& command, Effects& effects) {
  impl_->on_command(now, command, effects);
}
void Engine::on_deadline(Instant now, Effects& effects) { impl_->on_deadline(now, effects); }
Instant Engine::poll_at() const { return impl_->poll_at(); }
std::optional<Instant> Engine::verdict_at() const { return impl_->verdict_at(); }
Duration Engine::shortest_interval() const { return impl_->shortest_interval(); }
Duration Engine::own_pace() const { return impl_->own_pace(); }
size_t Engine::peer_count() const { return impl_->peers().size(); }
size_t Engine::lan_count() const { return impl_->lan_count(); }
const Counters& Engine::counters() const { return impl_->counters(); }

void Engine::read_peer(size_t peer, PeerRow* row) const {
  const Peer& from = impl_->peers()[static_cast<uint32_t>(peer)];
  *row = PeerRow{from.host, from.incarnation, from.name, from.requestor, from.drained, from.untold};
}
bool Engine::read_path(Instant now, size_t peer, LanIndex lan, PathRow* row) const {
  if (!impl_->has_path(static_cast<uint32_t>(peer), lan)) return false;
  impl_->read_path(now, static_cast<uint32_t>(peer), lan, row);
  return true;
}
void Engine::read_lan(LanIndex lan, LanRow* row) const { impl_->read_lan(lan, row); }
bool Engine::read_probes(size_t peer, LanIndex lan, Recording* out) const {
  if (!impl_->has_path(static_cast<uint32_t>(peer), lan)) return false;
  impl_->read_probes(static_cast<uint32_t>(peer), lan, out);
  return true;
}
void Engine::read_probes(LanIndex lan, Recording* out) const { impl_->read_probes(lan, out); }
bool Engine::read_kept(LanIndex lan, size_t i, Recording* out) const {
  return impl_->read_kept(lan, i, out);
}

}  // namespace faild
