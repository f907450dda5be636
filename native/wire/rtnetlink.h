// rtnetlink messages <-> values. Message codec only: no socket, no state (io/netlink_socket has
// those).
//
// Every route and rule that faild writes carries kRouteProtocol; everything else that the kernel
// tells is ignored here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bounded.h"
#include "base/ids.h"
#include "base/net.h"
#include "base/routes.h"

namespace faild {

inline constexpr size_t kMaxRouteMessageBytes = 256;  // one encoded RouteOp

// Writes one request (NLM_F_REQUEST | NLM_F_ACK, replace for routes, exclusive for rules) with
// sequence `op.id`; returns the bytes used. `out` must hold kMaxRouteMessageBytes (checked). The
// removal of a neighbour is two requests of that sequence: its first answer is the one that counts.
[[nodiscard]] size_t encode_route_op(const RouteOp& op, std::span<uint8_t> out);

// Dump requests for one family. Routes: only ours (protocol and table are filtered again when
// decoding), and of one `table` alone when it is named. Naming it spares the kernel a walk through
// every route of the host: half a million take 60 ms, in one system call (measured). A table that
// does not exist ends with ENOENT.
enum class DumpKind : uint8_t { kRoutesV4, kRoutesV6, kRulesV4, kRulesV6, kLinks, kAddresses };
[[nodiscard]] size_t encode_dump(DumpKind kind, uint32_t sequence, std::span<uint8_t> out,
                                 std::optional<uint32_t> table = std::nullopt);

// An interface as the kernel describes it.
struct LinkNotice {
  uint32_t ifindex = 0;
  InterfaceName name;
  MacAddress mac;
  uint32_t mtu = 0;
  bool removed = false;    // RTM_DELLINK
  bool admin_up = false;   // IFF_UP
  bool carrier = false;    // IFF_LOWER_UP
  bool broadcast = false;  // IFF_BROADCAST
  bool loopback = false;
  BoundedText<16> kind;  // IFLA_INFO_KIND: "veth", "bridge", ... or empty for a device driver's own
};
struct AddressNotice {
  uint32_t ifindex = 0;
  bool removed = false;
  Prefix address;
  bool usable = true;  // not tentative, not duplicate (IFA_F_TENTATIVE, IFA_F_DADFAILED)
};
struct EntryNotice {
  bool removed = false;  // RTM_DELROUTE, RTM_DELRULE
  KernelEntry entry;
};

// One message out of a buffer of them.
struct NetlinkNotice {
  enum class Kind : uint8_t {
    kOther,  // nothing of ours: skip
    // NLMSG_ERROR: `sequence` ended with `error` (0: done); `message` is the extended ACK's text if
    // any
    kAck,
    kDone,  // end of a dump
    kLink,
    kAddress,
    kEntry,        // a route or rule of ours
    kInterrupted,  // NLM_F_DUMP_INTR: the dump is inconsistent, ask again
  } kind = Kind::kOther;
  uint32_t sequence = 0;
  uint32_t port_id = 0;  // of whoever caused it; our own operations' socket is recognised by it
  int error = 0;         // errno
  BoundedText<96> message;
  LinkNotice link;
  AddressNotice address;
  EntryNotice entry;
};

// Takes the first message off `*bytes` (which shrinks). False: nothing whole is left; a malformed
// rest is discarded.
[[nodiscard]] bool next_notice(std::span<const uint8_t>* bytes, NetlinkNotice* notice);

}  // namespace faild
