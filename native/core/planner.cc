// Alternates, gateways and sources; planner.h states the rules.
#include "core/planner.h"

#include <algorithm>

namespace faild {

namespace {

// The first in the order of preference that `serves`, drained or not as asked.
template <typename Serves>
std::optional<LanIndex> first_of(const Plan& plan, LanIndex lan, bool drained, Serves serves) {
  for (const LanIndex candidate : plan.preference) {
    if (candidate == lan || is_drained(plan, candidate) != drained) continue;
    if (serves(candidate)) return candidate;
  }
  return std::nullopt;
}

}  // namespace

std::optional<LanIndex> choose_alternate(std::span<const Path> paths, LanIndex lan,
                                         const Plan& plan, std::span<const DetectorRules> rules,
                                         Instant now) {
  const Path& own = paths[lan.value];
  const auto current = own.via;
  const bool works = current && paths[current->value].state == PathState::kUp;
  const auto fresh = [&](LanIndex other) {
    return is_fresh(paths[other.value], rules[other.value], now);
  };
  if (works && !is_drained(plan, *current)) return current;
  if (const auto alternate = first_of(plan, lan, false, fresh)) return alternate;
  if (own.state == PathState::kUp && !own.suspect) return std::nullopt;
  return works ? current : first_of(plan, lan, true, fresh);
}

std::optional<LanIndex> choose_standby(std::span<const Path> paths, LanIndex lan,
                                       const Plan& plan) {
  const auto up = [&](LanIndex other) { return paths[other.value].state == PathState::kUp; };
  const auto current = paths[lan.value].via;
  const bool works = current && up(*current);
  if (works && !is_drained(plan, *current)) return current;
  if (const auto alternate = first_of(plan, lan, false, up)) return alternate;
  return works ? current : first_of(plan, lan, true, up);
}

bool may_leave(const Path& path, Instant now) {
  const bool just_judged = now - path.verdict_at < path.interval;
  return path.state == PathState::kUp || path.good == 0 || just_judged || path.forced || path.gray;
}

std::optional<IpAddress> choose_gateway(const LanAdvert& there, const LanConfig& ours,
                                        Family family) {
  std::optional<IpAddress> link_local, other_family;
  // An interface that speaks IPv6 has an address of it at least for the link. For the others the
  // kernel refuses such a next hop, at each try anew.
  const bool speaks_v6 =
      std::any_of(ours.addresses.begin(), ours.addresses.end(),
                  [](const Prefix& own) { return own.address.family == Family::kIpv6; });
  for (const Prefix& prefix : there.addresses) {
    const IpAddress& ip = prefix.address;
    if (ip.family == Family::kIpv6 && !speaks_v6) continue;
    if (ip.family == family && !ip.is_link_local() && is_routable(ours, ip)) return ip;
    if (ip.family == family && ip.is_link_local() && !link_local) link_local = ip;
    if (ip.family == Family::kIpv6 && family == Family::kIpv4 &&
        (!other_family || ip.is_link_local())) {
      other_family = ip;
    }
  }
  return link_local ? link_local : other_family;
}

IpAddress choose_source(const LanConfig& lan, const IpAddress& neighbour) {
  IpAddress any;
  for (const Prefix& ours : lan.addresses) {
    if (ours.address.family != neighbour.family || ours.address.is_link_local()) continue;
    const bool gone = std::find(lan.former.begin(), lan.former.end(), ours) != lan.former.end();
    if (gone) continue;
    if (ours.contains(neighbour)) return ours.address;
    if (any.family == Family::kNone) any = ours.address;
  }
  return any;
}

bool is_routable(const LanConfig& lan, const IpAddress& address) {
  if (address.is_link_local() || !address.is_host()) return false;
  bool inside = false;
  for (const Prefix& ours : lan.addresses) {
    if (ours.address == address) return false;
    inside = inside || (!ours.address.is_link_local() && ours.contains(address));
  }
  return inside || std::any_of(lan.former.begin(), lan.former.end(),
                               [&](const Prefix& had) { return had.contains(address); });
}

bool is_neighbour(const LanConfig& lan, const IpAddress& address) {
  if (!address.is_link_local()) return is_routable(lan, address);
  return std::none_of(lan.addresses.begin(), lan.addresses.end(),
                      [&](const Prefix& ours) { return ours.address == address; });
}

Allowance allowance_of(const AllowedPeers& allowed, const IpAddress& address) {
  if (address.family == Family::kNone || address.is_link_local()) return Allowance::kUnsaid;
  Allowance found = Allowance::kUnsaid;
  for (const Prefix& subnet : allowed.subnets) {
    if (subnet.contains(address)) return Allowance::kYes;
    if (subnet.address.family == address.family) found = Allowance::kNo;
  }
  return found;
}

std::optional<bool> same_lan(const LanAdvert& there, const LanConfig& ours) {
  bool comparable = false;
  for (const Prefix& theirs : there.addresses) {
    if (theirs.address.is_link_local()) continue;
    for (const std::span<const Prefix> all :
         {std::span(ours.addresses.data(), ours.addresses.size()),
          std::span(ours.former.data(), ours.former.size())}) {
      for (const Prefix& mine : all) {
        if (mine.address.is_link_local() || mine.address.family != theirs.address.family) continue;
        comparable = true;
        if (mine.contains(theirs.address)) return true;
      }
    }
  }
  if (!comparable) return std::nullopt;
  return false;
}

}  // namespace faild
