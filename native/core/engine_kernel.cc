// The kernel speaks: answers to operations, entries that others removed, dumps. And what an earlier
// run left there.
#include <algorithm>
#include <cerrno>

#include "core/engine_impl.h"

namespace faild {
namespace {

// Neighbour operations are numbered apart from the ledger's, in the upper half of the ids.
constexpr uint32_t kNeighbourIds = 0x80000000U;
// Standby entries of an earlier run that no peer has claimed by then carry no traffic and go.
constexpr Duration kOrphanGrace = Duration::seconds(10);
// Paths looked at, and paths whose neighbour entries are written, in one step.
constexpr uint32_t kNeighbourLooksPerStep = 256;
constexpr uint32_t kNeighboursPerStep = 8;

[[nodiscard]] bool is_standby_table(uint32_t table, size_t lans) {
  return table >= kFirstStandbyTable && table < kFirstStandbyTable + lans;
}

}  // namespace

void Engine::Impl::on_route_result(Instant now, const RouteResult& result, Effects& effects) {
  counters_.route_ops++;
  if ((result.id & kNeighbourIds) == 0) {
    if (const auto outcome = store_.on_result(now, result)) report_outcome(now, *outcome, effects);
  }
  finish_step(now, effects);
}

void Engine::Impl::report_outcome(Instant now, const RouteOutcome& outcome, Effects& effects) {
  if (outcome.error != 0) {
    counters_.route_errors++;
    if (outcome.repeated) return;  // a thousand refusals a second would tell nothing new
    Event event = make_event(EventKind::kRouteFailed, now);
    event.error = outcome.error;
    event.destination = outcome.key.destination;
    report(effects, event);
    return;
  }
  if (!outcome.announce) return;
  if (outcome.key.kind == RouteKey::Kind::kRule) {
    if (!is_standby_table(outcome.key.table, lans_.size())) return;
    const LanIndex index{static_cast<uint8_t>(outcome.key.table - kFirstStandbyTable)};
    const Lan& lan = lans_[index.value];
    Event event =
        make_event(outcome.removed ? EventKind::kLanSwitchback : EventKind::kLanFailover, now);
    event.lan = index;
    event.reason = lan.reason;
    event.count = outcome.removed ? lan.up : lan.moved_count;
    event.detect = outcome.removed ? Duration() : lan.detect;
    event.silence = lan.detect;
    event.missed = outcome.removed ? 0 : lan.missed;
    event.interval = lan.shortest;
    event.apply = now - lan.verdict_at;
    event.destination = outcome.key.destination;
    for (const LanIndex other : plan_.preference) {
      if (other != index && !lans_[other.value].down) {
        event.alternate = other;
        break;
      }
    }
    report(effects, event);
    return;
  }
  if (outcome.tag == kNoTag) return;
  const Path& path = paths_[outcome.tag];
  Event event =
      path_event(path.via ? EventKind::kFailover : EventKind::kSwitchback, now, outcome.tag);
  if (path.via && path.state == PathState::kUp && is_moved_by_hand(outcome.tag)) {
    event.reason = Reason::kOperator;
  }
  event.silence = path.detect;  // the evidence is the verdict's, not this moment's
  event.missed = path.missed;
  event.apply = now - path.verdict_at;
  event.destination = outcome.key.destination;
  report(effects, event);
}

// The ledger is full (route_places has no place for everything that everybody may claim at
// once). Said once; the counter tells how it goes on.
void Engine::Impl::note_no_room(Instant now, Effects& effects) {
  const auto no_room = store_.take_no_room();
  if (no_room.count == 0) return;
  counters_.route_errors += no_room.count;
  if (ledger_full_) return;
  ledger_full_ = true;
  Event event = make_event(EventKind::kRouteFailed, now);
  event.error = ENOSPC;
  event.destination = no_room.last;
  report(effects, event);
}

// The kernel itself removes IPv6 routes over a link that goes down, and refuses them until it is
// up: nobody has meddled. The verdict on the LAN, which comes first, is about to want others.
bool Engine::Impl::leads_over_dead_link(const RouteKey& key) const {
  const auto target = store_.installed(key);
  return target && std::any_of(lans_.begin(), lans_.end(), [&](const Lan& lan) {
           return !lan.carrier && lan.config.ifindex == target->out_ifindex;
         });
}

void Engine::Impl::on_entry_removed(Instant now, const RouteKey& key, Effects& effects) {
  if (!stopped_ && store_.on_removed(now, key, leads_over_dead_link(key))) {
    counters_.route_repairs++;
    Event event = make_event(EventKind::kRouteRepaired, now);
    event.destination = key.destination;
    report(effects, event);
  }
  finish_step(now, effects);
}

// --- dumps

void Engine::Impl::on_resync_begin() { store_.resync_begin(); }

void Engine::Impl::on_resync_entry(const KernelEntry& entry) { store_.resync_entry(entry); }

void Engine::Impl::on_resync_end(Instant now, Effects& effects) {
  counters_.resyncs++;
  const uint32_t repairs = store_.resync_end();
  counters_.route_repairs += repairs;
  if (!synced_) {
    synced_ = true;
    begin(now);
    adopt(now, effects);
    want_standing_rules();
    orphans_until_ = now + kOrphanGrace;
  } else if (!orphans_until_) {
    remove_orphans();
  }
  if (repairs > 0) {
    Event event = make_event(EventKind::kRouteRepaired, now);
    event.count = repairs;
    report(effects, event);
  }
  finish_step(now, effects);
}

// The first dump shows what an earlier run of ours left in force. It stays in force: rules and
// exceptions become wanted as they are, under nobody's name, until a peer with that address appears
// and claims them. Rules first: they tell which standby tables carry traffic.
void Engine::Impl::adopt(Instant now, Effects& effects) {
  BoundedVector<RouteKey, 64> rules;
  store_.each_orphan([&](const RouteKey& key, const RouteTarget&, uint32_t) {
    if (key.kind == RouteKey::Kind::kRule && is_standby_table(key.table, lans_.size())) {
      (void)rules.push(key);
    }
  });
  for (const RouteKey& key : rules) adopt_rule(now, key);
  adopt_routes(now, effects);
  // Peers that were heard before the dump was read had nothing to claim then; nothing is decided
  // about them before they have.
  for (uint32_t slot = 0; slot < peers_.size() * lans_.size(); slot++) {
    if (paths_[slot].known) claim(now, slot);
  }
}

void Engine::Impl::adopt_rule(Instant now, const RouteKey& key) {
  const LanIndex index{static_cast<uint8_t>(key.table - kFirstStandbyTable)};
  Lan& lan = lans_[index.value];
  const auto& addresses = lan.config.addresses;
  const bool same = std::any_of(addresses.begin(), addresses.end(), [&](const Prefix& ours) {
    return ours.network() == key.destination;
  });
  // The LANs were numbered otherwise then: adopt_routes gives this table's routes to the exceptions
  // instead.
  if (!same) return;
  lan.mode = LanMode::kMoved;
  lan.down = true;
  lan.reason = Reason::kAdopted;
  lan.since = now;
  want_lan_rules(index, true, RoutePhase::kMove, false);
}

void Engine::Impl::adopt_routes(Instant now, Effects& effects) {
  // In force are the exceptions, and the standby tables to which a rule led, rightly numbered or
  // not.
  std::array<bool, kMaxLans> misnumbered{};
  store_.each_orphan([&](const RouteKey& key, const RouteTarget&, uint32_t) {
    if (key.kind == RouteKey::Kind::kRule && is_standby_table(key.table, lans_.size())) {
      misnumbered[key.table - kFirstStandbyTable] = true;
    }
  });
  Event event = make_event(EventKind::kAdopted, now);
  store_.each_orphan([&](const RouteKey& key, const RouteTarget& target, uint32_t priority) {
    if (key.kind != RouteKey::Kind::kRoute) return;
    const bool standby = is_standby_table(key.table, lans_.size());
    const size_t lan = standby ? key.table - kFirstStandbyTable : 0;
    if (key.table == kExceptionsTable || (standby && lans_[lan].mode == LanMode::kMoved)) {
      store_.want(key, target, RoutePhase::kMove, kNoTag, false, priority);
      event.count++;
    } else if (standby && misnumbered[lan]) {
      RouteKey exception = key;
      exception.table = kExceptionsTable;
      store_.want(exception, target, RoutePhase::kMove, kNoTag, false, 0);
      event.count++;
    }
  });
  store_.remove_where(RoutePhase::kReturn, [](const RouteKey& key, bool wanted) {
    return !wanted && key.kind == RouteKey::Kind::kRule;
  });
  if (event.count > 0) report(effects, event);
}

// Entries with our protocol number that nobody wants: standby routes of hosts that did not come
// back, or of a run that we know nothing of.
void Engine::Impl::remove_orphans() {
  store_.remove_where(RoutePhase::kTidy, [](const RouteKey&, bool wanted) { return !wanted; });
}

// A peer with an address on this LAN has appeared: if traffic for it is away since an earlier run,
// the path begins as down and has to prove itself before the traffic comes back.
void Engine::Impl::claim(Instant now, uint32_t slot) {
  Path& path = paths_[slot];
  const LanAdvert* advert = advert_of(slot);
  if (advert == nullptr || path.via) return;
  const LanIndex lan = lan_of(slot);
  const uint32_t table =
      lans_[lan.value].mode == LanMode::kMoved ? standby_table(lan) : kExceptionsTable;
  for (const Prefix& address : advert->addresses) {
    for (const uint32_t from : {table, kExceptionsTable}) {
      const RouteKey key{RouteKey::Kind::kRoute, from, Prefix::host(address.address)};
      const auto target = store_.installed(key);
      if (path.via || !target || store_.owner(key) != kNoTag) continue;
      for (size_t i = 0; i < lans_.size(); i++) {
        if (lans_[i].config.ifindex == target->out_ifindex && i != lan.value) {
          path.via = LanIndex{static_cast<uint8_t>(i)};
        }
      }
    }
  }
  if (!path.via) return;
  lans_[lan.value].away++;
  count_state(lans_[lan.value], path.state, -1);
  count_state(lans_[lan.value], PathState::kDown, +1);
  path.state = PathState::kDown;
  path.reason = Reason::kAdopted;
  path.since = now;
  path.introduce_at.reset();
  update_missing(slot);
}

// --- neighbours

void Engine::Impl::want_neighbours_again(std::optional<LanIndex> lan) {
  for (uint32_t slot = 0; slot < peers_.size() * lans_.size(); slot++) {
    Path& path = paths_[slot];
    if (path.state != PathState::kUp || (lan && lan_of(slot) != *lan)) continue;
    if (path.neighbour_wanted) continue;
    path.neighbour_wanted = true;
    neighbours_wanted_++;
  }
}

// A failover must not wait for ARP or neighbour discovery: every address that may serve as a
// gateway has its entry. They are in no hurry, so each step looks at a few paths and writes fewer;
// verdicts go between them.
void Engine::Impl::emit_neighbours(Effects& effects) {
  const auto slots = static_cast<uint32_t>(peers_.size() * lans_.size());
  const uint32_t most = std::min(slots, kNeighbourLooksPerStep);
  uint32_t written = 0;
  for (uint32_t looked = 0; looked < most && neighbours_wanted_ > 0; looked++) {
    if (written == kNeighboursPerStep) return;
    if (effects.route_ops.room() < kMaxAddressesPerLan) return;
    if (neighbour_cursor_ >= slots) neighbour_cursor_ = 0;
    const uint32_t slot = neighbour_cursor_++;
    Path& path = paths_[slot];
    if (!path.neighbour_wanted) continue;
    path.neighbour_wanted = false;
    neighbours_wanted_--;
    written++;
    set_neighbours(slot, !stopped_, effects);
  }
}

// An address belongs to its first claimant (supersede): nobody else's word moves it.
bool Engine::Impl::is_anothers(uint32_t slot, const IpAddress& address) const {
  for (const uint32_t table : {kExceptionsTable, standby_table(lan_of(slot)), kDirectTable}) {
    const auto owner = store_.owner({RouteKey::Kind::kRoute, table, Prefix::host(address)});
    if (owner && *owner != kNoTag && *owner != slot) return true;
  }
  return false;
}

void Engine::Impl::set_neighbours(uint32_t slot, bool present, Effects& effects) {
  Path& path = paths_[slot];
  const LanAdvert* advert = advert_of(slot);
  if (advert == nullptr || !path.mac.is_unicast()) return;
  for (const Prefix& address : advert->addresses) {
    if (is_anothers(slot, address.address)) continue;
    if (present && !is_neighbour(lans_[lan_of(slot).value].config, address.address)) continue;
    RouteOp op;
    op.kind = RouteOp::Kind::kNeighbour;
    op.id = kNeighbourIds | (neighbour_id_++ & ~kNeighbourIds);
    op.neighbour = address.address;
    if (present) op.neighbour_mac = path.mac;  // all zero: remove
    op.neighbour_ifindex = lans_[lan_of(slot).value].config.ifindex;
    FAILD_CHECK(effects.route_ops.push(op));
  }
  path.neighbour_set = present;
  path.neighbour_moved = false;
}

// The peer's addresses are about to change: no entry of an old one may stay. What is still true is
// written again.
void Engine::Impl::drop_neighbours(uint32_t peer, Effects& effects) {
  for (size_t i = 0; i < lans_.size(); i++) {
    drop_path_neighbours(slot_of(peer, LanIndex{static_cast<uint8_t>(i)}), effects);
  }
}

void Engine::Impl::drop_path_neighbours(uint32_t slot, Effects& effects) {
  Path& path = paths_[slot];
  if (!synced_ || !path.neighbour_set) return;
  set_neighbours(slot, false, effects);
  if (path.neighbour_wanted || path.state != PathState::kUp) return;
  path.neighbour_wanted = true;
  neighbours_wanted_++;
}

// --- commands

void Engine::Impl::on_command(Instant now, const Command& command, Effects& effects) {
  Event answer = make_event(EventKind::kAnswer, now);
  answer.id = command.id;
  switch (command.kind) {
    case Command::Kind::kSetPlan: answer.error = set_plan(now, command.plan); break;
    case Command::Kind::kSwitchback:
    case Command::Kind::kFailover: answer.error = move_by_hand(command); break;
    case Command::Kind::kProbe:
      answer.error = probe(now, command);
      if (answer.error != 0) break;
      finish_step(now, effects);
      return;  // answered by answer_probe
    case Command::Kind::kMute: answer.error = mute(now, command, effects); break;
    case Command::Kind::kUnmute: answer.error = unmute(now, command.lan, effects); break;
    case Command::Kind::kTap: tap_ = command.tap; break;
    case Command::Kind::kBye:
      end_mute(now, effects);
      stopped_ = true;
      send_goodbyes(now, effects);
      break;
    case Command::Kind::kCleanup:
      clean_up(command.id);
      finish_step(now, effects);
      return;  // answered when the kernel has done it
  }
  report(effects, answer);
  finish_step(now, effects);
}

int Engine::Impl::set_plan(Instant now, const Plan& plan) {
  std::array<bool, kMaxLans> named{};
  for (const LanIndex lan : plan.preference) {
    if (lan.value >= lans_.size() || named[lan.value]) return EINVAL;
    named[lan.value] = true;
  }
  if (plan.preference.size() != lans_.size()) return EINVAL;
  for (const LanIndex lan : plan.drained) {
    if (lan.value >= lans_.size()) return EINVAL;
  }
  for (size_t i = 0; i < lans_.size(); i++) {
    if (!is_valid(plan.timing[i])) return EINVAL;
  }
  for (const LanIndex lan : plan_.drained) {
    if (!is_drained(plan, lan)) permit_return(lan);
  }
  if (!(plan_.allowed == plan.allowed)) relocate_ = 0;
  const auto before = plan_.timing;
  const bool announce = plan_.host_drained != plan.host_drained;
  plan_ = plan;
  if (announce) announce_drain(now);
  for (size_t i = 0; i < lans_.size(); i++) {
    retime(now, LanIndex{static_cast<uint8_t>(i)}, before[i], plan.timing[i]);
  }
  if (synced_) want_standing_rules();
  for (uint32_t peer = 0; peer < peers_.size(); peer++) {
    mark_dirty(peer);
    update_missing_of(peer);
  }
  return 0;
}

// What was drained away may come home, whatever the policy says of failovers.
void Engine::Impl::permit_return(LanIndex lan) {
  for (uint32_t peer = 0; peer < peers_.size(); peer++) {
    Path& path = paths_[slot_of(peer, lan)];
    path.return_permitted = path.return_permitted || (path.via && !path.forced);
  }
}

int Engine::Impl::move_by_hand(const Command& command) {
  if (command.lan.value >= lans_.size()) return EINVAL;
  const auto only = peers_.find(command.host);
  if (command.host != HostId{} && !only) return ENOENT;
  for (uint32_t peer = 0; peer < peers_.size(); peer++) {
    if (only && *only != peer) continue;
    Path& path = paths_[slot_of(peer, command.lan)];
    path.forced = command.kind == Command::Kind::kFailover;
    path.return_permitted = !path.forced && path.via;
    mark_dirty(peer);
  }
  return 0;
}

// A clean stop leaves what carries traffic and removes the rest: standby tables whose rule is not
// in force, the exceptions' rules when there is no exception, neighbour entries.
void Engine::Impl::clean_up(uint32_t id) {
  stopped_ = true;
  cleanup_id_ = id;
  bool exceptions = false;
  store_.each_wanted([&](const RouteKey& key, const RouteTarget&) {
    exceptions =
        exceptions || (key.kind == RouteKey::Kind::kRoute && key.table == kExceptionsTable);
  });
  store_.remove_where(RoutePhase::kTidy, [&](const RouteKey& key, bool) {
    if (key.table == kExceptionsTable) return !exceptions;
    if (!is_standby_table(key.table, lans_.size())) return true;
    const Lan& lan = lans_[key.table - kFirstStandbyTable];
    return lan.mode == LanMode::kReady || lan.away == 0;
  });
  for (uint32_t slot = 0; slot < peers_.size() * lans_.size(); slot++) {
    Path& path = paths_[slot];
    if (!path.neighbour_set || path.neighbour_wanted) continue;
    path.neighbour_wanted = true;
    neighbours_wanted_++;
  }
}

void Engine::Impl::on_interface(Instant now, LanIndex index, const LanConfig& interface,
                                Effects& effects) {
  if (stopped_) return;
  Lan& lan = lans_[index.value];
  const bool moved = lan.mode != LanMode::kReady;
  if (moved) want_lan_rules(index, false, RoutePhase::kReturn, false);
  const LanConfig before = lan.config;
  lan.config = interface;
  lan.config.name = before.name;
  if (interface.ifindex == 0) {
    lan.config.ifindex = before.ifindex;  // it is away: nothing has taken its place
  } else if (interface.ifindex != before.ifindex) {
    store_.follow_interface(before.ifindex, interface.ifindex);
  }
  if (moved) want_lan_rules(index, true, RoutePhase::kMove, false);
  // One that is away is told of as before.
  if (interface.ifindex != 0) advert_version_++;
  refresh_advert();
  want_standing_rules();
  want_neighbours_again(index);
  relocate_ = 0;
  relocate_some(now, effects);
  effects.resync = true;
  finish_step(now, effects);
}

// Asks whether peers are still allowed, and finds their places anew, as many as one step has room
// for: a path that is forgotten takes its neighbour entries along.
void Engine::Impl::relocate_some(Instant now, Effects& effects) {
  while (relocate_ && effects.route_ops.room() >= kMaxLans * kMaxAddressesPerLan) {
    if (*relocate_ == peers_.size()) {
      relocate_.reset();
      return;
    }
    if (is_still_allowed(*relocate_)) {
      locate_paths(now, *relocate_, effects);
    } else {
      expel(now, *relocate_, effects);
    }
    mark_dirty(*relocate_);
    ++*relocate_;
  }
}

}  // namespace faild
