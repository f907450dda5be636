// What follows from the configuration: its values on the wire, for the addon that builds an
// EngineConfig, and the size of the route tables, for the engine and the resync.
#include "core/config.h"

#include <algorithm>

namespace faild {
namespace {

// A path's standby entries for all its addresses, or an exception and a standby entry for two of
// them, and as many direct ones where TCP's timer is set at the start; and the rules: three that
// stand always in either family, and those of the LANs. Everything that peers may claim at once
// would be twice as much memory, locked for what nobody has: the ledger says when it is full.
constexpr size_t kPlacesPerPath = 4, kDirectPlaces = 2;
constexpr size_t kRulePlaces = 6 + kMaxLans * kMaxAddressesPerLan;

}  // namespace

size_t route_places(const EngineConfig& config) {
  const size_t per_path = kPlacesPerPath + (config.plan.rto_min ? kDirectPlaces : 0);
  return config.max_peers * config.lans.size() * per_path + kRulePlaces;
}

void add_address(LanConfig& lan, const Prefix& address) {
  if (lan.addresses.push(address) || address.address.is_link_local()) return;
  const auto stands_in = [](const Prefix& other, const Prefix& one) {
    return &other != &one && other.contains(one.address);
  };
  const auto is_spare = [&](const Prefix& one) {
    return std::any_of(lan.addresses.begin(), lan.addresses.end(),
                       [&](const Prefix& other) { return stands_in(other, one); });
  };
  if (is_spare(address)) return;
  for (size_t i = lan.addresses.size(); i-- > 0;) {
    if (!is_spare(lan.addresses[i])) continue;
    lan.addresses[i] = address;
    return;
  }
}

bool AllowedPeers::operator==(const AllowedPeers& other) const {
  return std::equal(subnets.begin(), subnets.end(), other.subnets.begin(), other.subnets.end()) &&
         std::equal(hosts.begin(), hosts.end(), other.hosts.begin(), other.hosts.end());
}

bool is_drained(const Plan& plan, LanIndex lan) {
  return std::find(plan.drained.begin(), plan.drained.end(), lan) != plan.drained.end();
}

bool is_valid(const Timing& timing) {
  return timing.interval >= kShortestInterval && timing.interval <= kLongestInterval &&
         timing.fail_after >= 1 && timing.fail_after <= kMostFailAfter &&
         timing.restore_after >= 1 && timing.restore_after <= kMostRestoreAfter;
}

uint32_t cluster_hash(std::string_view name) {
  // FNV-1a (Fowler, Noll, Vo): its offset basis and prime for 32 bits. It tells clusters apart; it
  // is no secret.
  uint32_t hash = 2166136261U;
  for (const char c : name) {
    hash = (hash ^ static_cast<uint8_t>(c)) * 16777619U;
  }
  return hash;
}

}  // namespace faild
