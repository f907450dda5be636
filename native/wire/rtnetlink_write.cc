// Route operations and dump requests -> rtnetlink messages. Called by io's netlink socket for what
// the engine wants.
//
// Layouts and constants are the kernel's UAPI headers; structs are copied in and out of the bytes,
// never laid over them. The kernel's own integers are in the machine's byte order, addresses in
// network order.
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

#include "base/check.h"
#include "wire/rtnetlink.h"

namespace faild {
namespace {

unsigned char kernel_family(Family family) {
  FAILD_CHECK(family != Family::kNone);
  return family == Family::kIpv4 ? AF_INET : AF_INET6;
}

// Appends to one message; an overflow is a mistake of ours, for every operation fits
// kMaxRouteMessageBytes.
class Message {
 public:
  Message(std::span<uint8_t> out, uint16_t type, uint16_t flags, uint32_t sequence) : out_(out) {
    std::memset(out_.data(), 0, out_.size());
    header_.nlmsg_type = type;
    header_.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
    header_.nlmsg_seq = sequence;
    append(header_);
  }

  template <typename T>
  void append(const T& value) {
    append_bytes(&value, sizeof value);
  }
  void attribute(uint16_t type, const void* data, size_t size) {
    const nlattr head{static_cast<uint16_t>(sizeof(nlattr) + size), type};
    append(head);
    append_bytes(data, size);
  }
  void attribute_u32(uint16_t type, uint32_t value) { attribute(type, &value, sizeof value); }
  void attribute_u8(uint16_t type, uint8_t value) { attribute(type, &value, sizeof value); }
  void attribute_ip(uint16_t type, const IpAddress& ip) {
    attribute(type, ip.bytes.data(), ip.size());
  }

  // Where the next piece will stand, and putting a piece there once its size is known.
  [[nodiscard]] size_t here() const { return size_; }
  template <typename T>
  void put_at(size_t place, const T& value) {
    FAILD_CHECK(place + sizeof value <= size_);
    std::memcpy(&out_[place], &value, sizeof value);
  }

  [[nodiscard]] size_t finish() {
    header_.nlmsg_len = static_cast<uint32_t>(size_);
    put_at(0, header_);
    return size_;
  }

 private:
  void append_bytes(const void* data, size_t size) {
    const size_t aligned = NLMSG_ALIGN(size);
    FAILD_CHECK(aligned <= out_.size() - size_);
    std::memcpy(&out_[size_], data, size);
    size_ += aligned;
  }

  std::span<uint8_t> out_;
  size_t size_ = 0;
  nlmsghdr header_{};
};

// RTA_GATEWAY, or RTA_VIA (a family, then the address) where the next hop is of the other family
// (RFC 5549).
void write_gateway(const IpAddress& gateway, Family destination, Message* message) {
  if (gateway.family == destination) {
    message->attribute_ip(RTA_GATEWAY, gateway);
    return;
  }
  std::array<uint8_t, 2 + 16> via{};
  const uint16_t family = kernel_family(gateway.family);
  std::memcpy(via.data(), &family, sizeof family);
  std::memcpy(&via[2], gateway.bytes.data(), gateway.size());
  message->attribute(RTA_VIA, via.data(), 2 + gateway.size());
}

// The peer's address on the alternate need not lie in a subnet of ours there (its prefix length may
// differ from ours): `onlink` says that it is a neighbour on that device nevertheless, so that the
// kernel does not refuse the one route that would save the connection. We know that it is: we hear
// it there.
constexpr unsigned char kGatewayFlags = RTNH_F_ONLINK;

bool on_link(const RouteOp& op) { return op.target.gateway.family == Family::kNone; }

// While traffic returns, both ways are in one route, for a strict rp_filter, which accepts a packet
// from a device that *any* next hop uses. By weight nearly all of it goes by the gateway; but newer
// kernels (6.18 does) prefer the next hop whose own address is the flow's source, the direct one.
constexpr unsigned char kGatewayHops = 255;  // weight 256, the largest
constexpr unsigned char kDirectHops = 0;     // weight 1, the smallest

void write_both_ways(const RouteOp& op, Message* message) {
  const RouteTarget& target = op.target;
  const size_t begin = message->here();
  message->append(nlattr{});
  rtnexthop hop{};
  hop.rtnh_flags = kGatewayFlags;
  hop.rtnh_hops = kGatewayHops;
  hop.rtnh_ifindex = static_cast<int>(target.out_ifindex);
  const size_t gateway_at = message->here();
  message->append(hop);
  write_gateway(target.gateway, op.key.destination.address.family, message);
  hop.rtnh_len = static_cast<uint16_t>(message->here() - gateway_at);
  message->put_at(gateway_at, hop);
  rtnexthop direct{};
  direct.rtnh_len = sizeof direct;
  direct.rtnh_hops = kDirectHops;
  direct.rtnh_ifindex = static_cast<int>(target.also_direct_ifindex);
  message->append(direct);
  message->put_at(begin, nlattr{static_cast<uint16_t>(message->here() - begin), RTA_MULTIPATH});
}

void write_one_way(const RouteOp& op, Message* message) {
  message->attribute_u32(RTA_OIF, op.target.out_ifindex);
  if (on_link(op)) return;
  write_gateway(op.target.gateway, op.key.destination.address.family, message);
}

// tcp_rto_min (net/ipv4/tcp_input.c) looks at the metric only where it is locked.
void write_rto_min(uint32_t ms, Message* message) {
  const size_t begin = message->here();
  message->append(nlattr{});
  message->attribute_u32(RTAX_LOCK, 1U << RTAX_RTO_MIN);
  message->attribute_u32(RTAX_RTO_MIN, ms);
  message->put_at(begin, nlattr{static_cast<uint16_t>(message->here() - begin), RTA_METRICS});
}

// IPv6 has no reverse path filter that would ask for the direct next hop.
bool both_ways(const RouteOp& op) {
  return op.target.also_direct_ifindex != 0 && op.key.destination.address.family == Family::kIpv4;
}

size_t write_route(const RouteOp& op, std::span<uint8_t> out) {
  const bool set = op.kind == RouteOp::Kind::kSet;
  const Prefix destination = op.key.destination.network();
  const uint16_t flags = set ? NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE : NLM_F_ACK;
  Message message(out, set ? RTM_NEWROUTE : RTM_DELROUTE, flags, op.id);
  rtmsg route{};
  route.rtm_family = kernel_family(destination.address.family);
  route.rtm_dst_len = destination.length;
  route.rtm_protocol = kRouteProtocol;
  // Deleting: "nowhere" matches a route of any scope.
  route.rtm_scope = !set ? RT_SCOPE_NOWHERE : on_link(op) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  route.rtm_type = set ? RTN_UNICAST : RTN_UNSPEC;
  if (set && !both_ways(op) && !on_link(op)) route.rtm_flags = kGatewayFlags;
  message.append(route);
  message.attribute_u32(RTA_TABLE, op.key.table);
  message.attribute_ip(RTA_DST, destination.address);
  message.attribute_u32(RTA_PRIORITY, op.priority);
  if (!set) return message.finish();
  if (op.target.source.family != Family::kNone) message.attribute_ip(RTA_PREFSRC, op.target.source);
  if (op.target.rto_min_ms != 0) write_rto_min(op.target.rto_min_ms, &message);
  if (both_ways(op)) {
    write_both_ways(op, &message);
  } else {
    write_one_way(op, &message);
  }
  return message.finish();
}

size_t write_rule(const RouteOp& op, std::span<uint8_t> out) {
  const bool set = op.kind == RouteOp::Kind::kSet;
  const Prefix destination = op.key.destination.network();
  // Exclusive: the kernel takes the same rule twice without a word, and then each needs a delete of
  // its own.
  const uint16_t flags = set ? NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL : NLM_F_ACK;
  Message message(out, set ? RTM_NEWRULE : RTM_DELRULE, flags, op.id);
  fib_rule_hdr rule{};
  rule.family = kernel_family(destination.address.family);
  rule.dst_len = destination.length;
  rule.action = FR_ACT_TO_TBL;
  message.append(rule);
  if (destination.length > 0) message.attribute_ip(FRA_DST, destination.address);
  message.attribute_u32(FRA_TABLE, op.key.table);
  message.attribute_u32(FRA_PRIORITY, op.priority);
  if (op.key.udp_port) {
    const fib_rule_port_range port{*op.key.udp_port, *op.key.udp_port};
    message.attribute_u8(FRA_IP_PROTO, IPPROTO_UDP);
    message.attribute(FRA_SPORT_RANGE, &port, sizeof port);
    message.attribute(FRA_DPORT_RANGE, &port, sizeof port);
  }
  message.attribute_u8(FRA_PROTOCOL, kRouteProtocol);
  return message.finish();
}

ndmsg neighbour_of(const RouteOp& op) {
  ndmsg neighbour{};
  neighbour.ndm_family = kernel_family(op.neighbour.family);
  neighbour.ndm_ifindex = static_cast<int>(op.neighbour_ifindex);
  return neighbour;
}

size_t write_neighbour(const RouteOp& op, std::span<uint8_t> out) {
  Message message(out, RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, op.id);
  ndmsg neighbour = neighbour_of(op);
  neighbour.ndm_state = NUD_REACHABLE;
  neighbour.ndm_flags = NTF_EXT_LEARNED;  // ours to keep: garbage collection leaves it alone
  message.append(neighbour);
  message.attribute_ip(NDA_DST, op.neighbour);
  message.attribute(NDA_LLADDR, op.neighbour_mac.bytes.data(), op.neighbour_mac.bytes.size());
  message.attribute_u8(NDA_PROTOCOL, kRouteProtocol);
  return message.finish();
}

// First the entry becomes the kernel's own, then it goes. RTM_DELNEIGH alone marks it failed and
// only then takes it out, unless somebody holds it (net/core/neighbour.c, neigh_delete): a packet
// sent in between starts a resolution, and the entry lives on with our protocol (650 of 5,000
// removals under a flood, kernel 6.18). The first message is answered only when it fails.
size_t release_neighbour(const RouteOp& op, std::span<uint8_t> out) {
  Message release(out, RTM_NEWNEIGH, NLM_F_REPLACE, op.id);
  release.append(neighbour_of(op));  // NUD_NONE: known to nobody, whatever it was before
  release.attribute_ip(NDA_DST, op.neighbour);
  release.attribute_u8(NDA_PROTOCOL, RTPROT_KERNEL);
  const size_t size = release.finish();
  Message removal(out.subspan(size), RTM_DELNEIGH, NLM_F_ACK, op.id);
  removal.append(neighbour_of(op));
  removal.attribute_ip(NDA_DST, op.neighbour);
  return size + removal.finish();
}

template <typename Body>
size_t write_dump(uint16_t type, const Body& body, uint32_t sequence, std::span<uint8_t> out) {
  Message message(out, type, NLM_F_DUMP, sequence);
  message.append(body);
  return message.finish();
}

// With strict checking (NETLINK_GET_STRICT_CHK) the kernel filters by protocol itself; without it
// the decoder does.
size_t write_route_dump(Family family, uint32_t sequence, std::optional<uint32_t> table,
                        std::span<uint8_t> out) {
  rtmsg body{};
  body.rtm_family = kernel_family(family);
  body.rtm_protocol = kRouteProtocol;
  Message message(out, RTM_GETROUTE, NLM_F_DUMP, sequence);
  message.append(body);
  if (table) message.attribute_u32(RTA_TABLE, *table);
  return message.finish();
}

size_t write_rule_dump(Family family, uint32_t sequence, std::span<uint8_t> out) {
  fib_rule_hdr body{};
  body.family = kernel_family(family);
  return write_dump(RTM_GETRULE, body, sequence, out);
}

}  // namespace

size_t encode_route_op(const RouteOp& op, std::span<uint8_t> out) {
  FAILD_CHECK(out.size() >= kMaxRouteMessageBytes);
  out = out.first(kMaxRouteMessageBytes);
  if (op.kind == RouteOp::Kind::kNeighbour) {
    const bool removal = op.neighbour_mac == MacAddress{};
    return removal ? release_neighbour(op, out) : write_neighbour(op, out);
  }
  if (op.key.kind == RouteKey::Kind::kRule) return write_rule(op, out);
  return write_route(op, out);
}

size_t encode_dump(DumpKind kind, uint32_t sequence, std::span<uint8_t> out,
                   std::optional<uint32_t> table) {
  FAILD_CHECK(out.size() >= kMaxRouteMessageBytes);
  out = out.first(kMaxRouteMessageBytes);
  switch (kind) {
    case DumpKind::kRoutesV4: return write_route_dump(Family::kIpv4, sequence, table, out);
    case DumpKind::kRoutesV6: return write_route_dump(Family::kIpv6, sequence, table, out);
    case DumpKind::kRulesV4: return write_rule_dump(Family::kIpv4, sequence, out);
    case DumpKind::kRulesV6: return write_rule_dump(Family::kIpv6, sequence, out);
    case DumpKind::kLinks: return write_dump(RTM_GETLINK, ifinfomsg{}, sequence, out);
    case DumpKind::kAddresses: return write_dump(RTM_GETADDR, ifaddrmsg{}, sequence, out);
  }
  return 0;
}

}  // namespace faild
