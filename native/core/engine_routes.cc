// Where traffic shall go: each path's choice, as routes that the ledger brings into the kernel.
#include <algorithm>

#include "core/engine_impl.h"

namespace faild {
namespace {

constexpr uint32_t kDecisionsPerStep = 64;

// The tables that may hold a route to a peer's address on a LAN.
[[nodiscard]] std::array<uint32_t, 3> tables_of(LanIndex lan) {
  return {kExceptionsTable, standby_table(lan), kDirectTable};
}

[[nodiscard]] RouteKey route_key(uint32_t table, const IpAddress& destination) {
  return RouteKey{RouteKey::Kind::kRoute, table, Prefix::host(destination)};
}

}  // namespace

void Engine::Impl::mark_dirty(uint32_t peer) {
  if (dirty_flags_[peer] != 0) return;
  dirty_flags_[peer] = 1;
  dirty_[(dirty_head_ + dirty_count_++) % dirty_.size()] = peer;
}

void Engine::Impl::set_waiting(uint32_t peer, bool waiting) {
  Peer& known = peers_[peer];
  if (known.waiting == waiting) return;
  known.waiting = waiting;
  waiting_count_ += waiting ? 1 : -1;
}

// An alternate may be fresh again, though nobody was heard.
void Engine::Impl::reconsider_waiting() {
  for (uint32_t peer = 0; peer < peers_.size() && waiting_count_ > 0; peer++) {
    if (peers_[peer].waiting) mark_dirty(peer);
  }
}

void Engine::Impl::decide_some(Instant now) {
  if (!synced_) return;  // nothing is decided before we know what the kernel holds
  for (uint32_t i = 0; i < kDecisionsPerStep && dirty_count_ > 0; i++) {
    const uint32_t peer = dirty_[dirty_head_];
    dirty_head_ = (dirty_head_ + 1) % dirty_.size();
    dirty_count_--;
    dirty_flags_[peer] = 0;
    decide_peer(now, peer);
  }
}

void Engine::Impl::decide_peer(Instant now, uint32_t peer) {
  set_waiting(peer, false);
  for (size_t i = 0; i < lans_.size(); i++) {
    const uint32_t slot = slot_of(peer, LanIndex{static_cast<uint8_t>(i)});
    if (paths_[slot].known) decide_path(now, slot);
  }
}

// One path's choice, from its state:
//
//   down, suspect, moved by hand   traffic takes a good alternate; without one all stays as it is
//   up, its LAN drained            the same
//   up                             traffic comes back as the plan asks
//   unknown, stopped               all stays as it is
void Engine::Impl::decide_path(Instant now, uint32_t slot) {
  Path& path = paths_[slot];
  const auto before = path.via;
  if (path.state == PathState::kDown || path.suspect || is_moved_by_hand(slot)) {
    leave_path(now, slot);
  } else if (path.state == PathState::kUp) {
    path.patience_at.reset();
    return_path(now, slot);
  } else {
    path.return_at.reset();
    path.patience_at.reset();
  }
  const bool moves = before != path.via;
  const bool untold = path.untold;
  path.untold = untold || moves;
  apply_routes(slot);
  // It had no address when it was decided, and has one now.
  if (untold && !moves && !path.untold) path.verdict_at = now;
  arm(slot);
}

bool Engine::Impl::is_moved_by_hand(uint32_t slot) const {
  const Path& path = paths_[slot];
  return path.forced || (path.state == PathState::kUp && is_drained(plan_, lan_of(slot)));
}

void Engine::Impl::leave_path(Instant now, uint32_t slot) {
  Path& path = paths_[slot];
  const uint32_t peer = peer_of(slot);
  const Instant at = attention(now);
  path.returning = false;
  path.return_at.reset();
  const auto alternate = choose_alternate(paths_of(peer), lan_of(slot), plan_, rules_, at);
  if (!alternate) {
    path.patience_at.reset();
    // Merely suspect, or moved by hand, and its alternate has failed: its own LAN is the better
    // one.
    if (path.state == PathState::kUp && path.via) set_via(slot, std::nullopt);
    set_waiting(peer, true);
    return;
  }
  if (!path.via && !may_leave(path, now)) {
    // It is just coming back: give it the time that revalidation takes.
    if (!path.patience_at) path.patience_at = at + patience(path, rules_for(slot));
    if (at < *path.patience_at) return;
  }
  path.patience_at.reset();
  if (path.via == alternate) return;
  if (path.state == PathState::kUp && !path.suspect) {
    // Nothing was missed: the operator's word is the verdict.
    path.verdict_at = now;
    path.detect = Duration();
    path.missed = 0;
  }
  set_via(slot, alternate);
}

// Traffic returns in two steps. First both LANs serve: a strict rp_filter at either end accepts
// packets from either LAN, so that neither end has to be first. After a detection time, when the
// other end has surely followed, the own LAN serves alone.
void Engine::Impl::return_path(Instant now, uint32_t slot) {
  Path& path = paths_[slot];
  const Instant at = attention(now);
  if (!path.via) return;
  if (paths_of(peer_of(slot))[path.via->value].state != PathState::kUp) {
    // The alternate has failed: nothing to be gentle about.
    path.returning = false;
    path.return_at.reset();
    set_via(slot, std::nullopt);
    return;
  }
  // The LAN that it takes is to be freed: neither policy nor hold time keeps it there.
  const bool unwelcome = is_drained(plan_, *path.via);
  const bool stays = plan_.switchback != Switchback::kAuto && !path.return_permitted && !unwelcome;
  if (stays && !path.returning) {
    path.return_at.reset();  // of a plan that would have let it return
    return;
  }
  if (!path.returning) {
    const Duration hold = unwelcome ? Duration() : plan_.hold;
    const Instant from = std::min(path.since - shift_, at) + hold;
    if (at < from) {
      path.return_at = from;
      return;
    }
    path.returning = true;
    const Duration slower = std::max(path.interval, lans_[lan_of(slot).value].interval);
    path.return_at = at + detection_time(rules_for(slot), slower);
    return;
  }
  if (path.return_at && at < *path.return_at) return;
  path.returning = false;
  path.return_at.reset();
  path.verdict_at = now;
  set_via(slot, std::nullopt);
}

void Engine::Impl::set_via(uint32_t slot, std::optional<LanIndex> via) {
  Path& path = paths_[slot];
  Lan& lan = lans_[lan_of(slot).value];
  if (path.via.has_value() != via.has_value()) lan.away += via ? 1U : UINT32_MAX;
  if (path.via) path.last_via = path.via;
  path.via = via;
  if (via) {
    path.failovers++;
    counters_.failovers++;
  } else {
    path.return_permitted = false;  // used up
    counters_.switchbacks++;
  }
}

// Brings one path's choice to the ledger, for every address that the peer has on this LAN.
void Engine::Impl::apply_routes(uint32_t slot) {
  Path& path = paths_[slot];
  const LanAdvert* advert = advert_of(slot);
  if (advert == nullptr) return;
  path.standby = choose_standby(paths_of(peer_of(slot)), lan_of(slot), plan_);
  for (const Prefix& address : advert->addresses) {
    if (!is_routable(lans_[lan_of(slot).value].config, address.address)) continue;
    supersede(slot, address.address);
    apply_destination(slot, address.address, path.untold);
    apply_direct(slot, address.address);
    path.untold = false;  // one report a path, by its first address
  }
}

void Engine::Impl::apply_destination(uint32_t slot, const IpAddress& destination, bool announce) {
  const Path& path = paths_[slot];
  const LanIndex lan = lan_of(slot);
  const LanMode mode = lans_[lan.value].mode;
  const RouteKey exception = route_key(kExceptionsTable, destination);
  const RouteKey standby = route_key(standby_table(lan), destination);

  const auto away =
      path.via ? route_target(slot, destination, *path.via, path.returning) : std::nullopt;
  if (away && mode == LanMode::kMoved) {
    store_.want(standby, *away, RoutePhase::kMove, slot, announce, 0);
    store_.want_none(exception, RoutePhase::kTidy, slot, false);
    return;
  }
  if (away) {
    store_.want(exception, *away, RoutePhase::kMove, slot, announce, 0);
  } else {
    store_.want_none(exception, RoutePhase::kTidy, slot, announce && mode != LanMode::kMoved);
  }
  if (mode == LanMode::kLeaving) {
    // The standby table is in force still, so it is not filled; but what returns now must not stay.
    if (!path.via) store_.want_none(standby, RoutePhase::kTidy, slot, false);
    return;
  }
  const auto ready =
      path.standby ? route_target(slot, destination, *path.standby, false) : std::nullopt;
  if (ready && mode == LanMode::kReady) {
    store_.want(standby, *ready, RoutePhase::kTidy, slot, false, 0);
  } else {
    store_.want_none(standby, RoutePhase::kTidy, slot, announce);
  }
}

// The route that a healthy path's traffic takes: nothing but the kernel's own with another timer.
// TCP computes its timer while all is well, so a metric on the routes of a failover alone would
// come too late. One that stands stays while its path is down: it carries no traffic then.
void Engine::Impl::apply_direct(uint32_t slot, const IpAddress& destination) {
  const Lan& lan = lans_[lan_of(slot).value];
  const RouteKey key = route_key(kDirectTable, destination);
  // IPv4 routes vanish with the link, and the kernel refuses them until it is back.
  if (!plan_.rto_min || !lan.carrier) {
    store_.want_none(key, RoutePhase::kTidy, slot, false);
  } else if (paths_[slot].state == PathState::kUp || store_.owner(key) == slot) {
    RouteTarget target;
    target.out_ifindex = lan.config.ifindex;
    target.source = choose_source(lan.config, destination);
    target.rto_min_ms = rto_min_ms();
    store_.want(key, target, RoutePhase::kTidy, slot, false, 0);
  }
}

uint32_t Engine::Impl::rto_min_ms() const {
  return plan_.rto_min ? static_cast<uint32_t>(plan_.rto_min->in_us() / 1000) : 0;
}

std::optional<RouteTarget> Engine::Impl::route_target(uint32_t slot, const IpAddress& destination,
                                                      LanIndex via, bool returning) const {
  const LanAdvert* there = advert_of(slot_of(peer_of(slot), via));
  if (there == nullptr) return std::nullopt;
  const LanConfig& alternate = lans_[via.value].config;
  const LanConfig& left = lans_[lan_of(slot).value].config;
  const auto gateway = choose_gateway(*there, alternate, destination.family);
  if (!gateway) return std::nullopt;
  RouteTarget target;
  target.out_ifindex = alternate.ifindex;
  target.gateway = *gateway;
  if (plan_.source == SourceAddress::kOwn) {
    target.source = choose_source(left, destination);
  } else {
    const bool same_family = gateway->family == destination.family;
    target.source = choose_source(alternate, same_family ? *gateway : destination);
  }
  target.rto_min_ms = rto_min_ms();
  // Only IPv4 knows rp_filter; IPv6 returns in one step.
  if (returning && destination.family == Family::kIpv4) target.also_direct_ifindex = left.ifindex;
  return target;
}

// The peer's addresses on this LAN are about to change or go: nothing of them may stay.
void Engine::Impl::retract_routes(uint32_t slot) {
  const LanAdvert* advert = advert_of(slot);
  if (advert == nullptr) return;
  for (const Prefix& address : advert->addresses) {
    for (const uint32_t table : tables_of(lan_of(slot))) {
      store_.want_none(route_key(table, address.address), RoutePhase::kTidy, slot, false);
    }
  }
}

// An address belongs to its first claimant. If that host is dead on every LAN and another one has
// the address now (a reinstalled machine has a new host id), the old claim ends. Should the former
// host come back after all, its next packet says anew what it has (admit).
void Engine::Impl::supersede(uint32_t slot, const IpAddress& address) {
  for (const uint32_t table : tables_of(lan_of(slot))) {
    const auto owner = store_.owner(route_key(table, address));
    if (!owner || *owner == kNoTag || *owner == slot) continue;
    const uint32_t former = peer_of(*owner);
    const auto paths = paths_of(former);
    const bool alive = std::any_of(paths.begin(), paths.end(),
                                   [](const Path& path) { return path.state == PathState::kUp; });
    if (alive) continue;
    for (size_t i = 0; i < lans_.size(); i++) {
      const uint32_t old_slot = slot_of(former, LanIndex{static_cast<uint8_t>(i)});
      retract_routes(old_slot);
      if (paths_[old_slot].via) set_via(old_slot, std::nullopt);
    }
    peers_[former].lans.clear();
  }
}

void Engine::Impl::want_lan_rules(LanIndex lan, bool wanted, RoutePhase phase, bool announce) {
  const LanConfig& config = lans_[lan.value].config;
  BoundedVector<Prefix, 2 * kMaxAddressesPerLan> subnets;
  for (const Prefix& address : config.addresses) (void)subnets.push(address);
  for (const Prefix& address : config.former) (void)subnets.push(address);
  for (const Prefix& address : subnets) {
    if (address.address.is_link_local()) continue;
    const RouteKey key{RouteKey::Kind::kRule, standby_table(lan), address.network()};
    if (wanted) {
      store_.want(key, RouteTarget{}, phase, kNoTag, announce, standby_priority(lan));
    } else {
      store_.want_none(key, phase, kNoTag, announce);
    }
    announce = false;
  }
}

// The exceptions' rules stand always, so that a single peer moves with one operation; so does the
// one that keeps the udp transport's heartbeats out of all this, and where TCP's timer is set, the
// one of the direct routes. Only for families in use: a kernel without IPv6 would refuse the other.
void Engine::Impl::want_standing_rules() {
  for (const Lan& lan : lans_) {
    for (const Prefix& address : lan.config.addresses) {
      if (address.address.is_link_local()) continue;
      RouteKey key{RouteKey::Kind::kRule, kExceptionsTable, {}};
      key.destination.address.family = address.address.family;
      store_.want(key, RouteTarget{}, RoutePhase::kMove, kNoTag, false, kExceptionsPriority);
      want_direct_rule(key.destination);
      // Only IPv4 has a reverse path filter.
      if (!config_.udp_port || address.address.family != Family::kIpv4) continue;
      key.table = kMainTable;
      key.udp_port = config_.udp_port;
      store_.want(key, RouteTarget{}, RoutePhase::kMove, kNoTag, false, kHeartbeatsPriority);
    }
  }
}

void Engine::Impl::want_direct_rule(const Prefix& everything) {
  const RouteKey key{RouteKey::Kind::kRule, kDirectTable, everything};
  if (plan_.rto_min) {
    store_.want(key, RouteTarget{}, RoutePhase::kMove, kNoTag, false, kDirectPriority);
  } else {
    store_.want_none(key, RoutePhase::kTidy, kNoTag, false);
  }
}

// A LAN that was moved as one comes back in three steps, none of which loses a packet: single
// exceptions take over for the paths that are still bad; when they stand, the rule goes; then the
// standby table is filled for everybody again.
void Engine::Impl::tend_lan(Instant now, LanIndex index) {
  Lan& lan = lans_[index.value];
  if (lan.mode == LanMode::kReady || dirty_count_ > 0 || lan.sweep) return;
  if (lan.mode == LanMode::kMoved) {
    // Paths that are down stay away by exceptions; the others are expected back.
    const uint32_t expected = lan.away - std::min(lan.away, lan.down_paths);
    if (lan.down || !synced_ || expected > lan.up / 2) return;
    lan.mode = LanMode::kLeaving;
    lan.verdict_at = now;
    for (uint32_t peer = 0; peer < peers_.size(); peer++) mark_dirty(peer);
    return;
  }
  lan.mode = LanMode::kReady;
  want_lan_rules(index, false, RoutePhase::kReturn, true);
  for (uint32_t peer = 0; peer < peers_.size(); peer++) mark_dirty(peer);
}

}  // namespace faild
