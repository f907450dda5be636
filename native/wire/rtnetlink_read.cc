// rtnetlink messages -> values. Called by io's netlink sockets: for answers to operations, for
// dumps, for notifications.
//
// The kernel is trusted to mean well, not to be understood: lengths are checked as with any packet,
// what is unknown is skipped, and a message that does not hold what we need becomes kOther.
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "wire/rtnetlink.h"

namespace faild {
namespace {

using Bytes = std::span<const uint8_t>;

// Copies a struct of the kernel's off the front; false when the bytes end before it does.
template <typename T>
bool take(Bytes* bytes, T* value) {
  if (bytes->size() < sizeof *value) return false;
  std::memcpy(value, bytes->data(), sizeof *value);
  *bytes = bytes->subspan(std::min(bytes->size(), size_t{NLMSG_ALIGN(sizeof *value)}));
  return true;
}

struct Attribute {
  uint16_t type = 0;
  Bytes data;
};

// Takes the first attribute off the front; false at the end, or when the rest is no whole
// attribute.
bool next_attribute(Bytes* bytes, Attribute* attribute) {
  nlattr head{};
  if (bytes->size() < sizeof head) return false;
  std::memcpy(&head, bytes->data(), sizeof head);
  if (head.nla_len < sizeof head || head.nla_len > bytes->size()) return false;
  attribute->type = head.nla_type & NLA_TYPE_MASK;
  attribute->data = bytes->subspan(sizeof head, head.nla_len - sizeof head);
  *bytes = bytes->subspan(std::min(bytes->size(), size_t{NLMSG_ALIGN(head.nla_len)}));
  return true;
}

uint32_t as_u32(Bytes data) {
  uint32_t value = 0;
  if (data.size() >= sizeof value) std::memcpy(&value, data.data(), sizeof value);
  return value;
}

// Of a range, the first: ours have but one.
std::optional<uint16_t> as_port(Bytes data) {
  fib_rule_port_range range{};
  if (data.size() < sizeof range) return std::nullopt;
  std::memcpy(&range, data.data(), sizeof range);
  return range.start;
}

std::string_view as_text(Bytes data) {
  const auto end = std::find(data.begin(), data.end(), 0);
  return {reinterpret_cast<const char*>(data.data()), static_cast<size_t>(end - data.begin())};
}

Family family_of(unsigned kernel_family) {
  if (kernel_family == AF_INET) return Family::kIpv4;
  return kernel_family == AF_INET6 ? Family::kIpv6 : Family::kNone;
}

// An address of `family`; none when the attribute has another size.
IpAddress as_ip(Family family, Bytes data) {
  IpAddress ip{family, {}};
  if (family == Family::kNone || data.size() != ip.size()) return {};
  std::copy(data.begin(), data.end(), ip.bytes.begin());
  return ip;
}

IpAddress as_via(Bytes data) {
  uint16_t family = 0;
  if (data.size() < sizeof family) return {};
  std::memcpy(&family, data.data(), sizeof family);
  return as_ip(family_of(family), data.subspan(sizeof family));
}

void read_link_info(Bytes data, LinkNotice* link) {
  Attribute attribute;
  while (next_attribute(&data, &attribute)) {
    if (attribute.type == IFLA_INFO_KIND) link->kind.assign(as_text(attribute.data));
  }
}

bool read_link(Bytes body, LinkNotice* link) {
  ifinfomsg head{};
  if (!take(&body, &head)) return false;
  link->ifindex = static_cast<uint32_t>(head.ifi_index);
  link->admin_up = (head.ifi_flags & IFF_UP) != 0;
  link->carrier = (head.ifi_flags & IFF_LOWER_UP) != 0;
  link->broadcast = (head.ifi_flags & IFF_BROADCAST) != 0;
  link->loopback = (head.ifi_flags & IFF_LOOPBACK) != 0;
  Attribute attribute;
  while (next_attribute(&body, &attribute)) {
    const Bytes data = attribute.data;
    if (attribute.type == IFLA_IFNAME) link->name.assign(as_text(data));
    if (attribute.type == IFLA_MTU) link->mtu = as_u32(data);
    if (attribute.type == IFLA_LINKINFO) read_link_info(data, link);
    // An address of another size is of no Ethernet; the MAC address then stays zero.
    if (attribute.type == IFLA_ADDRESS && data.size() == link->mac.bytes.size()) {
      std::copy(data.begin(), data.end(), link->mac.bytes.begin());
    }
  }
  return link->ifindex != 0;
}

bool read_address(Bytes body, AddressNotice* notice) {
  ifaddrmsg head{};
  if (!take(&body, &head)) return false;
  const Family family = family_of(head.ifa_family);
  uint32_t flags = head.ifa_flags;
  IpAddress own;
  IpAddress other;  // on a point-to-point link the far end's, else our own
  Attribute attribute;
  while (next_attribute(&body, &attribute)) {
    if (attribute.type == IFA_LOCAL) own = as_ip(family, attribute.data);
    if (attribute.type == IFA_ADDRESS) other = as_ip(family, attribute.data);
    if (attribute.type == IFA_FLAGS)
      flags = as_u32(attribute.data);  // the header has room for 8 of them
  }
  notice->ifindex = head.ifa_index;
  notice->address = {own.family != Family::kNone ? own : other, head.ifa_prefixlen};
  notice->usable = (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) == 0;
  const size_t bits = notice->address.address.size() * 8;
  return notice->ifindex != 0 && bits != 0 && head.ifa_prefixlen <= bits;
}

void read_next_hop(uint16_t type, Bytes data, Family family, RouteTarget* target) {
  if (type == RTA_GATEWAY) target->gateway = as_ip(family, data);
  if (type == RTA_VIA) target->gateway = as_via(data);
}

// Two next hops of ours: the one with a gateway is the alternate, the one without is the direct
// way.
void read_multipath(Bytes data, Family family, RouteTarget* target) {
  rtnexthop hop{};
  while (data.size() >= sizeof hop) {
    std::memcpy(&hop, data.data(), sizeof hop);
    if (hop.rtnh_len < sizeof hop || hop.rtnh_len > data.size()) return;
    RouteTarget one;
    Bytes rest = data.subspan(sizeof hop, hop.rtnh_len - sizeof hop);
    Attribute attribute;
    while (next_attribute(&rest, &attribute))
      read_next_hop(attribute.type, attribute.data, family, &one);
    const auto ifindex = static_cast<uint32_t>(hop.rtnh_ifindex);
    if (one.gateway.family == Family::kNone) {
      target->also_direct_ifindex = ifindex;
    } else {
      target->gateway = one.gateway;
      target->out_ifindex = ifindex;
    }
    data = data.subspan(std::min(data.size(), size_t{NLMSG_ALIGN(hop.rtnh_len)}));
  }
}

// What is not locked does not count, and is none of ours.
void read_metrics(Bytes data, RouteTarget* target) {
  uint32_t locked = 0;
  uint32_t rto_min_ms = 0;
  Attribute attribute;
  while (next_attribute(&data, &attribute)) {
    if (attribute.type == RTAX_LOCK) locked = as_u32(attribute.data);
    if (attribute.type == RTAX_RTO_MIN) rto_min_ms = as_u32(attribute.data);
  }
  if ((locked & (1U << RTAX_RTO_MIN)) != 0) target->rto_min_ms = rto_min_ms;
}

bool read_route(Bytes body, KernelEntry* entry) {
  rtmsg head{};
  if (!take(&body, &head) || head.rtm_protocol != kRouteProtocol) return false;
  const Family family = family_of(head.rtm_family);
  if ((head.rtm_flags & RTM_F_CLONED) != 0)
    return false;  // IPv6 tells of its cached exceptions too
  IpAddress destination{family, {}};
  if (family == Family::kNone || head.rtm_dst_len > destination.size() * 8) return false;
  RouteTarget& target = entry->target;
  entry->key = {RouteKey::Kind::kRoute, head.rtm_table, {}};
  Attribute attribute;
  while (next_attribute(&body, &attribute)) {
    const Bytes data = attribute.data;
    switch (attribute.type) {
      case RTA_TABLE: entry->key.table = as_u32(data); break;
      case RTA_DST: destination = as_ip(family, data); break;
      case RTA_PRIORITY: entry->priority = as_u32(data); break;
      case RTA_PREFSRC: target.source = as_ip(family, data); break;
      case RTA_OIF: target.out_ifindex = as_u32(data); break;
      case RTA_METRICS: read_metrics(data, &target); break;
      case RTA_MULTIPATH: read_multipath(data, family, &target); break;
      default: read_next_hop(attribute.type, data, family, &target);
    }
  }
  entry->key.destination = {destination, head.rtm_dst_len};
  return destination.family != Family::kNone;
}

bool read_rule(Bytes body, KernelEntry* entry) {
  fib_rule_hdr head{};
  if (!take(&body, &head) || head.action != FR_ACT_TO_TBL) return false;
  const Family family = family_of(head.family);
  IpAddress destination{family, {}};
  if (family == Family::kNone || head.dst_len > destination.size() * 8) return false;
  entry->key = {RouteKey::Kind::kRule, head.table, {}};
  uint8_t protocol = 0;
  Attribute attribute;
  while (next_attribute(&body, &attribute)) {
    const Bytes data = attribute.data;
    if (attribute.type == FRA_TABLE) entry->key.table = as_u32(data);
    if (attribute.type == FRA_DST) destination = as_ip(family, data);
    if (attribute.type == FRA_PRIORITY) entry->priority = as_u32(data);
    if (attribute.type == FRA_DPORT_RANGE) entry->key.udp_port = as_port(data);
    if (attribute.type == FRA_PROTOCOL && !data.empty()) protocol = data[0];
  }
  entry->key.destination = {destination, head.dst_len};
  return protocol == kRouteProtocol && destination.family != Family::kNone;
}

// NLMSG_ERROR and NLMSG_DONE begin with a negative errno. An error then repeats the request: its
// header alone when NLM_F_CAPPED, else all of it. Attributes of the extended ACK come last, when
// NLM_F_ACK_TLVS says so.
bool read_status(const nlmsghdr& header, Bytes body, NetlinkNotice* notice) {
  int32_t error = 0;
  if (!take(&body, &error)) {
    notice->error = 0;
    return header.nlmsg_type == NLMSG_DONE;  // old kernels end a dump without a status
  }
  notice->error = error < 0 && error > INT32_MIN ? -error : 0;
  if (header.nlmsg_type == NLMSG_ERROR) {
    nlmsghdr request{};
    Bytes rest = body;
    if (!take(&rest, &request)) return true;
    const bool capped = (header.nlmsg_flags & NLM_F_CAPPED) != 0;
    const size_t whole = NLMSG_ALIGN(size_t{request.nlmsg_len});
    const size_t repeated = capped ? sizeof request : whole;
    body = body.subspan(std::min(body.size(), repeated));
  }
  if ((header.nlmsg_flags & NLM_F_ACK_TLVS) == 0) return true;
  Attribute attribute;
  while (next_attribute(&body, &attribute)) {
    if (attribute.type == NLMSGERR_ATTR_MSG) notice->message.assign(as_text(attribute.data));
  }
  return true;
}

using Kind = NetlinkNotice::Kind;

Kind read_body(const nlmsghdr& header, Bytes body, NetlinkNotice* notice) {
  const uint16_t type = header.nlmsg_type;
  switch (type) {
    case NLMSG_ERROR: return read_status(header, body, notice) ? Kind::kAck : Kind::kOther;
    case NLMSG_DONE: return read_status(header, body, notice) ? Kind::kDone : Kind::kOther;
    case RTM_NEWLINK:
    case RTM_DELLINK:
      notice->link.removed = type == RTM_DELLINK;
      return read_link(body, &notice->link) ? Kind::kLink : Kind::kOther;
    case RTM_NEWADDR:
    case RTM_DELADDR:
      notice->address.removed = type == RTM_DELADDR;
      return read_address(body, &notice->address) ? Kind::kAddress : Kind::kOther;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      notice->entry.removed = type == RTM_DELROUTE;
      return read_route(body, &notice->entry.entry) ? Kind::kEntry : Kind::kOther;
    case RTM_NEWRULE:
    case RTM_DELRULE:
      notice->entry.removed = type == RTM_DELRULE;
      return read_rule(body, &notice->entry.entry) ? Kind::kEntry : Kind::kOther;
    default: return Kind::kOther;
  }
}

}  // namespace

bool next_notice(std::span<const uint8_t>* bytes, NetlinkNotice* notice) {
  *notice = {};
  nlmsghdr header{};
  if (bytes->size() >= sizeof header) std::memcpy(&header, bytes->data(), sizeof header);
  if (header.nlmsg_len < sizeof header || header.nlmsg_len > bytes->size()) {
    *bytes = {};
    return false;
  }
  const Bytes body = bytes->subspan(sizeof header, header.nlmsg_len - sizeof header);
  *bytes = bytes->subspan(std::min(bytes->size(), NLMSG_ALIGN(size_t{header.nlmsg_len})));
  notice->sequence = header.nlmsg_seq;
  notice->port_id = header.nlmsg_pid;
  // The kernel marks any message of an inconsistent dump; what it says is then not worth reading.
  // But the end stays an end (with an error), so that the reader knows when it may ask again.
  const bool interrupted = (header.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
  if (interrupted && header.nlmsg_type != NLMSG_DONE) {
    notice->kind = Kind::kInterrupted;
    return true;
  }
  notice->kind = read_body(header, body, notice);
  if (interrupted && notice->error == 0) notice->error = EINTR;
  return true;
}

}  // namespace faild
