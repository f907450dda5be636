// What the engine is told: once at its start (EngineConfig) and whenever policy changes its mind
// (Plan).
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bounded.h"
#include "base/ids.h"
#include "base/net.h"
#include "base/time.h"

namespace faild {

// One LAN as this host stands on it.
struct LanConfig {
  BoundedText<32> name;  // shown; a LAN's identity is its prefixes
  InterfaceName interface;
  uint32_t ifindex = 0;
  MacAddress mac;
  // ours, with prefix lengths; IPv6 link-local included
  BoundedVector<Prefix, kMaxAddressesPerLan> addresses;
  // What was among `addresses` before the interface lost all of that family (a dead card, a network
  // manager, `ip link set down` for IPv6). It still tells which subnet this LAN is, so that others
  // carry the traffic for it; but no packet can come from it. While the interface itself is away,
  // these are among `addresses` as well: it may come back, and peers know us by them.
  BoundedVector<Prefix, kMaxAddressesPerLan> former;
  bool carrier = true;  // IFF_LOWER_UP when the engine starts
};

// Beyond kMaxAddressesPerLan, whatever stands for a subnet of its own is worth more than one more
// address of a subnet that another stands for (a virtual address): the last of those gives way.
void add_address(LanConfig& lan, const Prefix& address);

// A share of packets lost, in 1/65536: whole numbers, so that every machine judges alike.
struct LossShare {
  uint32_t value = 0;
  constexpr auto operator<=>(const LossShare&) const = default;
};
inline constexpr uint32_t kLossOfAll = 65536;

enum class Switchback : uint8_t {
  kAuto = 0,    // return as soon as the path is revalidated and `hold` has passed
  kSticky = 1,  // stay on the alternate until it fails
  kManual = 2,  // stay until told (Command::kSwitchback)
};

// The source address of traffic that has moved and is not bound to one.
enum class SourceAddress : uint8_t {
  kOwn = 0,        // ours on the LAN that is left, so that flows keep their identity
  kAlternate = 1,  // ours on the LAN that is taken, where switches let no other pass
};

// How often we speak on a LAN, and how its paths are judged.
struct Timing {
  Duration interval = Duration::ms(100);  // -t, kShortestInterval .. kLongestInterval
  uint32_t fail_after = 3;                // -f, 1 .. kMostFailAfter missed packets
  uint32_t restore_after = 10;            // -s, 1 .. kMostRestoreAfter good packets
  bool operator==(const Timing&) const = default;
};
inline constexpr Duration kShortestInterval = Duration::us(50);
inline constexpr Duration kLongestInterval = Duration::seconds(3600);
inline constexpr uint32_t kMostFailAfter = 1000, kMostRestoreAfter = 100000;

[[nodiscard]] bool is_valid(const Timing& timing);

// Who may be a peer, where not everybody may. A host is one if its id is named; or if its packets
// come from an address in a named subnet, and each address that it claims in our LANs' subnets, of
// the families named, lies in one too. It keeps strangers out, not forgers: nothing is
// authenticated.
struct AllowedPeers {
  BoundedVector<Prefix, kMaxAllowed> subnets;  // host bits zero
  BoundedVector<HostId, kMaxAllowed> hosts;
  // Nobody is named: everybody may.
  [[nodiscard]] bool everybody() const { return subnets.empty() && hosts.empty(); }
  bool operator==(const AllowedPeers& other) const;
};

// What policy decides beforehand. The engine executes it alone and never asks back.
//
// The optional ones are off unless set. Flap penalty: a path that goes down within `flap_window`
// after it came up has flapped; each flap doubles the good packets that its next revalidation needs
// (path.h bounds it), each quiet window halves them again. It never slows a failover. Gray
// failures: a path that works, but loses more than `loss_limit` of its packets or whose smoothed
// round-trip time exceeds `round_trip_limit`, is left like a dead one.
// `rto_min`, for TCP to resume sooner: the least retransmission time-out on every route to a peer's
// address, those that carry its traffic while all is well included. Whole milliseconds.
struct Plan {
  // alternates are tried in this order; each LAN exactly once
  BoundedVector<LanIndex, kMaxLans> preference;
  Switchback switchback = Switchback::kAuto;
  Duration hold;  // a revalidated path waits this long before traffic returns
  std::optional<Duration> flap_window;
  std::optional<LossShare> loss_limit;
  std::optional<Duration> round_trip_limit;
  std::optional<Duration> rto_min;
  SourceAddress source = SourceAddress::kOwn;
  AllowedPeers allowed;
  // Kept free of traffic by the operator, each at most once: what can leave these LANs does, and
  // peers that have another way are told that we do not hear them here, so that they leave too.
  BoundedVector<LanIndex, kMaxLans> drained;
  // The whole host: peers are told that we may fall silent by plan. It moves nothing.
  bool host_drained = false;
  // By LAN. A change takes hold at once, but for a longer interval (engine_timing.cc).
  std::array<Timing, kMaxLans> timing{};
};

[[nodiscard]] bool is_drained(const Plan& plan, LanIndex lan);

struct EngineConfig {
  HostId host;
  Incarnation incarnation;
  HostName name;
  uint32_t cluster = 0;    // cluster_hash(name)
  bool requestor = false;  // -r
  // udp transport: its port. A rule keeps heartbeats on the main table, for the kernel would route
  // them after a failover like everything else, and its rp_filter drop them.
  std::optional<uint16_t> udp_port;
  size_t max_peers = 4096;  // memory is taken for this many at the start
  uint64_t seed = 1;        // phases, jitter, and how ids are hashed: a secret
  BoundedVector<LanConfig, kMaxLans> lans;
  Plan plan;
};

// The most routes and rules that an engine of this configuration may have in the kernel.
[[nodiscard]] size_t route_places(const EngineConfig& config);

[[nodiscard]] uint32_t cluster_hash(std::string_view name);  // FNV-1a, 32 bit

}  // namespace faild
