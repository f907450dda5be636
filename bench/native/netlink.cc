#include "netlink.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace faild::bench {
namespace {

// One request under construction: header, rtmsg, attributes.
struct Request {
  nlmsghdr header{};
  rtmsg route{};
  std::array<uint8_t, 128> attributes{};

  Request(uint16_t type, uint16_t flags, const Address& destination) {
    header.nlmsg_len = NLMSG_LENGTH(sizeof route);
    header.nlmsg_type = type;
    header.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
    route.rtm_family = static_cast<uint8_t>(destination.family);
    route.rtm_dst_len = static_cast<uint8_t>(destination.size() * 8);
    add(RTA_DST, &destination.bytes, destination.size());
  }
  void add(uint16_t type, const void* data, size_t size) {
    rtattr attribute{static_cast<uint16_t>(RTA_LENGTH(size)), type};
    uint8_t* at = attributes.data() + (header.nlmsg_len - NLMSG_LENGTH(sizeof route));
    std::memcpy(at, &attribute, sizeof attribute);
    std::memcpy(at + RTA_LENGTH(0), data, size);
    header.nlmsg_len += static_cast<uint32_t>(RTA_ALIGN(RTA_LENGTH(size)));
  }
};

OutInterface out_interface(const nlmsghdr* header) {
  const auto* message = static_cast<const rtmsg*>(NLMSG_DATA(header));
  int left = static_cast<int>(RTM_PAYLOAD(header));
  for (const rtattr* a = RTM_RTA(message); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
    if (a->rta_type != RTA_OIF) continue;
    OutInterface index = 0;
    std::memcpy(&index, RTA_DATA(a), sizeof index);
    return index;
  }
  return 0;
}

}  // namespace

std::optional<Address> parse_address(const std::string& text) {
  Address address;
  if (inet_pton(AF_INET, text.c_str(), &address.bytes) == 1) return address;
  address.family = AF_INET6;
  if (inet_pton(AF_INET6, text.c_str(), &address.bytes) == 1) return address;
  return std::nullopt;
}

Netlink::~Netlink() {
  if (fd_ >= 0) close(fd_);
}

Failure Netlink::open(uint32_t groups) {
  fd_ = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  const int room = 32 << 20;  // a thousand peers' routes at once must not overrun it
  setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  sockaddr_nl self{};
  self.nl_family = AF_NETLINK;
  self.nl_groups = groups;
  if (bind(fd_, reinterpret_cast<const sockaddr*>(&self), sizeof self) != 0) {
    return errno_sentence("cannot open rtnetlink");
  }
  return std::nullopt;
}

OutInterface Netlink::look_up(const Address& destination) {
  Request request(RTM_GETROUTE, 0, destination);
  request.header.nlmsg_seq = ++sequence_;
  if (send(fd_, &request, request.header.nlmsg_len, 0) < 0) return 0;
  alignas(nlmsghdr) std::array<char, 4096> buffer;
  const ssize_t size = recv(fd_, buffer.data(), buffer.size(), 0);
  const auto* header = reinterpret_cast<const nlmsghdr*>(buffer.data());
  if (size < 0 || !NLMSG_OK(header, static_cast<size_t>(size))) return 0;
  return header->nlmsg_type == RTM_NEWROUTE ? out_interface(header) : 0;
}

int Netlink::change_route(const Address& destination, uint32_t ifindex, bool add) {
  const uint16_t flags = NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_REPLACE : 0);
  Request request(add ? RTM_NEWROUTE : RTM_DELROUTE, flags, destination);
  request.header.nlmsg_seq = ++sequence_;
  request.route.rtm_table = RT_TABLE_MAIN;
  request.route.rtm_protocol = RTPROT_STATIC;
  request.route.rtm_scope = RT_SCOPE_LINK;
  request.route.rtm_type = RTN_UNICAST;
  request.add(RTA_OIF, &ifindex, sizeof ifindex);
  return ask(request.header);
}

int Netlink::set_link(uint32_t ifindex, bool up) {
  struct {
    nlmsghdr header{};
    ifinfomsg link{};
  } request;
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.link);
  request.header.nlmsg_type = RTM_SETLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  request.header.nlmsg_seq = ++sequence_;
  request.link.ifi_index = static_cast<int>(ifindex);
  request.link.ifi_change = IFF_UP;
  request.link.ifi_flags = up ? IFF_UP : 0;
  return ask(request.header);
}

int Netlink::ask(const nlmsghdr& request) {
  if (send(fd_, &request, request.nlmsg_len, 0) < 0) return errno;
  alignas(nlmsghdr) std::array<char, 4096> buffer;
  const ssize_t size = recv(fd_, buffer.data(), buffer.size(), 0);
  const auto* header = reinterpret_cast<const nlmsghdr*>(buffer.data());
  if (size < 0 || header->nlmsg_type != NLMSG_ERROR) return EPROTO;
  return -static_cast<const nlmsgerr*>(NLMSG_DATA(header))->error;
}

}  // namespace faild::bench
