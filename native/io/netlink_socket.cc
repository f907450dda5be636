#include "io/netlink_socket.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "base/routes.h"

namespace faild {
namespace {

// The kernel's whole answer to a batch, or its news of a burst, must fit before we read.
constexpr int kReceiveBufferBytes = 8 << 20;

bool set_option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

bool join_groups(int fd) {
  for (const int group :
       {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
        RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE}) {
    if (!set_option(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)) return false;
  }
  return true;
}

}  // namespace

std::optional<RuntimeError> NetlinkSocket::open(NetlinkUse use) {
  fd_ = UniqueFd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  if (!fd_.valid()) return system_error("opening a netlink socket");
  const int fd = fd_.get();
  // Beyond the system's limit where we may; the limit, and a resync now and then, otherwise.
  if (!set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, kReceiveBufferBytes)) {
    set_option(fd, SOL_SOCKET, SO_RCVBUF, kReceiveBufferBytes);
  }
  // Conveniences of newer kernels: without them errors come without text, ACKs are longer, dumps
  // less filtered.
  set_option(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
  set_option(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
  if (use == NetlinkUse::kDumps) set_option(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);

  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  socklen_t size = sizeof address;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return system_error("binding a netlink socket");
  }
  port_id_ = address.nl_pid;
  if (use == NetlinkUse::kNotifications && !join_groups(fd)) {
    return system_error("subscribing to the kernel's routing news");
  }
  return std::nullopt;
}

void NetlinkSocket::ignore_others_routes(uint32_t own_port_id) {
  constexpr uint32_t kTypeAt = 4, kPortAt = 12, kProtocolAt = NLMSG_HDRLEN + 5;  // rtm_protocol
  // BPF loads big-endian; netlink is in the host's order.
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kPortAt),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(own_port_id), 6, 0),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, kTypeAt),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 0, 2),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kProtocolAt),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kRouteProtocol, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  const sock_fprog program{sizeof code / sizeof code[0], code};
  // Without it we only wake more often: next_notice and the port id filter again.
  setsockopt(fd_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

int NetlinkSocket::send(std::span<const uint8_t> bytes) {
  return ::send(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT) < 0 ? errno : 0;
}

NetlinkSocket::Received NetlinkSocket::receive(std::span<uint8_t> buffer) {
  while (true) {
    sockaddr_nl from{};
    iovec vector{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    const ssize_t size = recvmsg(fd_.get(), &message, MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return {{}, errno};
    if (from.nl_pid != 0) continue;  // not the kernel: any process may write to us
    if ((message.msg_flags & MSG_TRUNC) != 0) return {{}, ENOBUFS};
    return {buffer.first(static_cast<size_t>(size)), 0};
  }
}

}  // namespace faild
