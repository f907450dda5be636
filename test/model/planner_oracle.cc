#include "model/planner_oracle.h"

#include <algorithm>

namespace faild::model {

// What was drained away may come home.
void PlannerOracle::plan(const Plan& plan) {
  const Plan former = plan_;
  plan_ = plan;
  if (!plan.rto_min) direct_.clear();
  for (const LanIndex lan : former.drained) {
    for (auto& [key, way] : ways_) {
      if (key.second == lan.value && way.via && !drained(lan.value)) way.permitted = true;
    }
  }
}

bool PlannerOracle::drained(size_t lan) const {
  return std::count(plan_.drained.begin(), plan_.drained.end(),
                    LanIndex{static_cast<uint8_t>(lan)}) > 0;
}

// The first in the order of preference that is up; for traffic that moves now: and fresh.
std::optional<size_t> PlannerOracle::first(size_t lan, const PeerView& view, bool fresh,
                                           bool drained_ones) const {
  for (const LanIndex candidate : plan_.preference) {
    const auto& path = view.paths[candidate.value];
    const bool good = fresh ? path.fresh : path.state == PathState::kUp;
    if (drained(candidate.value) != drained_ones) continue;
    if (candidate.value != lan && good) return candidate.value;
  }
  return std::nullopt;
}

// Traffic keeps the alternate that it has while that is up and not drained. A drained one serves
// only where the own LAN does not. Without any, nothing moves; but from a dead alternate a path
// that is merely suspect is the better one.
Way PlannerOracle::leave(const Way& was, size_t lan, const PeerView& view) const {
  const auto& own = view.paths[lan];
  const bool works = was.via && view.paths[*was.via].state == PathState::kUp;
  if (works && !drained(*was.via)) return {was.via, {}, {}};
  if (const auto alternate = first(lan, view, true, false)) return {alternate, {}, {}};
  if (own.state == PathState::kUp && !own.suspect) return {};
  if (works) return {was.via, {}, {}};
  if (const auto alternate = first(lan, view, true, true)) return {alternate, {}, {}};
  if (own.state == PathState::kUp) return {};
  return {was.via, {}, {}};
}

Duration PlannerOracle::both_serve(const PeerView& view, size_t lan) const {
  const Timing& timing = config_.plan.timing[lan];
  const Duration slower = std::max(view.paths[lan].interval, timing.interval);
  return detection_time({timing.fail_after}, slower);
}

// After the hold time both LANs serve for a detection time, then the own one alone.
Way PlannerOracle::come_back(Instant now, const Way& was, size_t lan, const PeerView& view) const {
  const auto& path = view.paths[lan];
  if (!was.via || view.paths[*was.via].state != PathState::kUp) return {};
  if (was.returns) return now >= *was.returns + both_serve(view, lan) ? Way{} : was;
  if (drained(*was.via)) return {was.via, now, {}};
  if (plan_.switchback != Switchback::kAuto && !was.permitted) return was;
  if (now < path.since + plan_.hold) return was;
  return {was.via, now, {}};
}

void PlannerOracle::see(Instant now, size_t peer, const PeerView& view) {
  views_[peer] = view;
  for (size_t lan = 0; lan < view.paths.size(); lan++) {
    const auto& path = view.paths[lan];
    Way& way = ways_[{peer, lan}];
    before_[{peer, lan}] = way;
    const bool permitted = way.permitted;
    if (plan_.rto_min && path.state == PathState::kUp) direct_.insert({peer, lan});
    const bool goes = path.state == PathState::kUp && drained(lan);
    if (path.state == PathState::kDown || path.suspect || goes) {
      way = leave(way, lan, view);
    } else if (path.state == PathState::kUp) {
      way = come_back(now, way, lan, view);
    }
    way.permitted = permitted && way.via;
  }
}

// Two verdicts in one instant: when its alternate's fell it still counted as up, and so came home.
// Now nothing serves it, and no place is better than another.
bool PlannerOracle::came_home_too_late(Instant now, const Way& was, const PeerView::PathView& path,
                                       const PeerView& view) {
  if (!was.via || path.state != PathState::kDown || path.since != now) return false;
  const auto& alternate = view.paths[*was.via];
  return alternate.state == PathState::kDown && alternate.since == now;
}

bool PlannerOracle::accept(Instant now, size_t peer, size_t lan, std::optional<size_t> via) {
  const PeerView& view = views_.at(peer);
  const auto& path = view.paths[lan];
  const Way& was = before_.at({peer, lan});
  Way& way = ways_.at({peer, lan});
  if (via == way.via) return true;
  if (path.state == PathState::kUp && !path.suspect) return false;
  if (!via && came_home_too_late(now, was, path, view)) {
    way = {};
    return true;
  }
  // It had just come back when it went again.
  const bool was_back = was.returns && now == *was.returns + both_serve(view, lan);
  const Way anew = was_back ? leave({}, lan, view) : way;
  // It is just being heard again: moving it away now would be a flap, for half as long again as
  // revalidation takes, and a detection time.
  const Instant since = was.hesitates.value_or(now);
  const Timing& timing = config_.plan.timing[lan];
  const Duration patience = path.interval * timing.restore_after * 3 / 2 +
                            detection_time({timing.fail_after}, path.interval);
  const bool hesitates = !via && !was.via && path.heard_again && !path.suspect;
  if (hesitates && now < since + patience) {
    way = {{}, {}, since};
    return true;
  }
  way = anew;
  return via == anew.via;
}

std::optional<size_t> PlannerOracle::via(size_t peer, size_t lan) const {
  return ways_.at({peer, lan}).via;
}

std::optional<size_t> PlannerOracle::standby(size_t peer, size_t lan) const {
  const PeerView& view = views_.at(peer);
  const auto used = via(peer, lan);
  const bool works = used && view.paths[*used].state == PathState::kUp;
  if (works && !drained(*used)) return used;
  if (const auto prepared = first(lan, view, false, false)) return prepared;
  return works ? used : first(lan, view, false, true);
}

RouteTarget PlannerOracle::target(const PeerView& view, size_t lan, size_t via,
                                  bool returning) const {
  RouteTarget target;
  target.out_ifindex = config_.lans[via].ifindex;
  target.gateway = view.paths[via].address;
  const bool own = plan_.source == SourceAddress::kOwn;
  target.source = config_.lans[own ? lan : via].addresses[0].address;
  target.rto_min_ms = rto_min_ms();
  if (returning) target.also_direct_ifindex = config_.lans[lan].ifindex;
  return target;
}

uint32_t PlannerOracle::rto_min_ms() const {
  return plan_.rto_min ? static_cast<uint32_t>(plan_.rto_min->in_us() / 1000) : 0;
}

std::map<Place, RouteTarget> PlannerOracle::direct_routes(size_t lan) const {
  std::map<Place, RouteTarget> routes;
  for (const auto& [peer, on] : direct_) {
    if (on != lan) continue;
    RouteTarget target;
    target.out_ifindex = config_.lans[lan].ifindex;
    target.source = config_.lans[lan].addresses[0].address;
    target.rto_min_ms = rto_min_ms();
    const Prefix to = Prefix::host(views_.at(peer).paths[lan].address);
    routes[{RouteKey::Kind::kRoute, kDirectTable, to}] = target;
  }
  return routes;
}

std::map<Place, RouteTarget> PlannerOracle::routes(size_t lan, LanMode mode) const {
  std::map<Place, RouteTarget> routes;
  const uint32_t standbys = standby_table(LanIndex{static_cast<uint8_t>(lan)});
  for (const auto& [peer, view] : views_) {
    const Prefix to = Prefix::host(view.paths[lan].address);
    const Way& way = ways_.at({peer, lan});
    const auto prepared = standby(peer, lan);
    if (mode == LanMode::kReady && prepared) {
      routes[{RouteKey::Kind::kRoute, standbys, to}] = target(view, lan, *prepared, false);
    }
    if (!way.via) continue;
    const uint32_t table = mode == LanMode::kMoved ? standbys : kExceptionsTable;
    routes[{RouteKey::Kind::kRoute, table, to}] =
        target(view, lan, *way.via, way.returns.has_value());
  }
  return routes;
}

}  // namespace faild::model
