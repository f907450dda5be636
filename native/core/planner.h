// Which LAN should carry the traffic for a peer's address, and what that is as a route. Pure
// functions: the engine gathers what they need and hands the result to the route store.
//
// The order of alternates is the plan's order of preference. One that carries the traffic already
// is kept while it is up, so that a better one coming back moves nothing. A drained LAN is taken
// only for traffic whose own LAN fails it, and where nothing else serves.
#pragma once

#include <optional>
#include <span>

#include "core/config.h"
#include "core/path.h"
#include "core/peer_table.h"

namespace faild {

// The alternate for `paths[lan]` (the paths of one peer, by LAN), or nothing: the last path is
// never withdrawn. An alternate that is newly taken must have been heard lately. If every LAN has
// fallen silent at once, none is, and nothing moves.
[[nodiscard]] std::optional<LanIndex> choose_alternate(std::span<const Path> paths, LanIndex lan,
                                                       const Plan& plan,
                                                       std::span<const DetectorRules> rules,
                                                       Instant now);

// The alternate to prepare for `paths[lan]`: by states alone, so that a lost packet or two rewrites
// no standby entry. Whether it is fresh is asked when traffic moves.
[[nodiscard]] std::optional<LanIndex> choose_standby(std::span<const Path> paths, LanIndex lan,
                                                     const Plan& plan);

// May traffic begin to leave this path? At the verdict, and while nothing is heard, yes. But a path
// that has been down for a while and is being heard again is about to return: moving its traffic
// away now would be a flap. (A peer that restarts comes back on all its LANs within microseconds,
// on one of them first.)
[[nodiscard]] bool may_leave(const Path& path, Instant now);

// The peer's gateway address for `destination`'s family on a LAN: an address of the same family,
// one inside our own prefixes first, link-local next; IPv6 may serve IPv4.
[[nodiscard]] std::optional<IpAddress> choose_gateway(const LanAdvert& there, const LanConfig& ours,
                                                      Family family);
// Our own address on that LAN, in the subnet of `neighbour` if possible; kNone when we have none of
// its family.
[[nodiscard]] IpAddress choose_source(const LanConfig& lan, const IpAddress& neighbour);

// May `address`, which a peer claims as its own on `lan`, be routed? Only inside that LAN's
// prefixes, and never one of ours: a lying peer must not draw other traffic to itself.
[[nodiscard]] bool is_routable(const LanConfig& lan, const IpAddress& address);

// May `address`, which a peer claims as its own on `lan`, have a neighbour entry there that we
// write? The same, and link-local ones, which serve as gateways.
[[nodiscard]] bool is_neighbour(const LanConfig& lan, const IpAddress& address);

// Does an address suit the list (AllowedPeers)? Nothing is said of link-local ones, nor of those of
// a family that no subnet names.
enum class Allowance : uint8_t { kYes, kNo, kUnsaid };
[[nodiscard]] Allowance allowance_of(const AllowedPeers& allowed, const IpAddress& address);

// Does this place of a peer lie on that LAN of ours? By prefix; nullopt when neither side has an
// address that tells.
[[nodiscard]] std::optional<bool> same_lan(const LanAdvert& there, const LanConfig& ours);

}  // namespace faild
