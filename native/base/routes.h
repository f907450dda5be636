// What faild may have in the kernel, as values: routes in its own tables, rules that lead to them,
// neighbour entries. The core speaks in these; wire/rtnetlink turns them into messages and back.
#pragma once

#include <cerrno>
#include <cstdint>
#include <optional>

#include "base/ids.h"
#include "base/limits.h"
#include "base/net.h"

namespace faild {

// faild's own route protocol number (rtnetlink: RTPROT_*). Outside every range in iproute2's
// rt_protos and FRR's 186-198.
inline constexpr uint8_t kRouteProtocol = 213;

// Tables: one of exceptions (single peers), and one standby table a LAN. Numbers far from what
// people choose by hand.
inline constexpr uint32_t kExceptionsTable = 931100;
inline constexpr uint32_t kFirstStandbyTable = 931101;  // + LanIndex
// Rules: before every rule that people usually add (main is 32766), after local (0). Exceptions win
// over standby.
inline constexpr uint32_t kHeartbeatsPriority = 930;
inline constexpr uint32_t kExceptionsPriority = 931;
inline constexpr uint32_t kFirstStandbyPriority = 932;  // + LanIndex

// Peers' own addresses on their own LAN, for a shorter TCP timer while all is well (Plan::rto_min).
// Asked after every standby table, so that whatever has moved goes its new way.
inline constexpr uint32_t kDirectTable = kFirstStandbyTable + kMaxLans;
inline constexpr uint32_t kDirectPriority = kFirstStandbyPriority + kMaxLans;

// Where `faild bench` tries how fast the kernel is: no rule leads there, so no packet is ever
// looked up in it.
inline constexpr uint32_t kScratchTable = 931199;

// Where heartbeats of the udp transport are looked up, whatever else is in force: the main table.
inline constexpr uint32_t kMainTable = 254;

[[nodiscard]] constexpr uint32_t standby_table(LanIndex lan) {
  return kFirstStandbyTable + lan.value;
}
[[nodiscard]] constexpr uint32_t standby_priority(LanIndex lan) {
  return kFirstStandbyPriority + lan.value;
}

// Where packets for one destination go.
struct RouteTarget {
  uint32_t out_ifindex = 0;  // the alternate's interface
  // the peer's address on the alternate; IPv6 link-local may serve IPv4 (RTA_VIA); kNone: the
  // destination itself is on that interface
  IpAddress gateway;
  // our own address, on the LAN that is left unless the plan says otherwise; may be kNone
  IpAddress source;
  // While traffic returns, both LANs serve: a multipath route that a strict rp_filter accepts from
  // either side (fib_info_nh_uses_dev asks whether *any* next hop uses the device). Zero: the
  // alternate alone.
  uint32_t also_direct_ifindex = 0;
  // TCP's least retransmission time-out, locked (an unlocked one does not count). Milliseconds, the
  // kernel's unit; zero: the kernel's own.
  uint32_t rto_min_ms = 0;
  bool operator==(const RouteTarget&) const = default;
};

// A place in the kernel that faild fills or leaves empty.
struct RouteKey {
  enum class Kind : uint8_t { kRoute, kRule } kind = Kind::kRoute;
  uint32_t table = 0;
  Prefix destination;  // kRule: `to` prefix; length 0 means every destination of that family
  // kRule: only UDP from this port to the same one
  std::optional<uint16_t> udp_port = std::nullopt;
  bool operator==(const RouteKey&) const = default;
};

// One thing for the kernel to do. The answer comes back as a RouteResult with the same id.
struct RouteOp {
  enum class Kind : uint8_t { kSet, kRemove, kNeighbour } kind = Kind::kSet;
  uint32_t id = 0;        // grows by one an operation
  RouteKey key;           // kSet, kRemove
  RouteTarget target;     // kSet of a route (and the metric below)
  uint32_t priority = 0;  // route: its unique metric; rule: its preference
  // kNeighbour: the address is at this MAC on that interface (reachable, learned by a protocol:
  // never garbage-collected). A MAC of all zeros: the entry goes.
  IpAddress neighbour;
  MacAddress neighbour_mac;
  uint32_t neighbour_ifindex = 0;
};

struct RouteResult {
  uint32_t id = 0;
  int error = 0;  // errno, 0 for done
};

// What should go is gone, or what should be there (a rule) is: no refusal, whatever the kernel
// says.
[[nodiscard]] constexpr bool reaches_aim(bool removal, int error) {
  return error == 0 || (removal ? error == ESRCH || error == ENOENT : error == EEXIST);
}

[[nodiscard]] inline bool is_removal(const RouteOp& op) {
  const bool no_neighbour =
      op.kind == RouteOp::Kind::kNeighbour && op.neighbour_mac == MacAddress{};
  return op.kind == RouteOp::Kind::kRemove || no_neighbour;
}

// What a dump of our own tables says is in the kernel.
struct KernelEntry {
  RouteKey key;
  RouteTarget target;  // routes
  uint32_t priority = 0;
};

}  // namespace faild
