// What both transports share: addresses, the held port, errors that would wake the loop for ever.
#include "io/lan_socket.h"

#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "core/planner.h"
#include "io/errors.h"

namespace faild {

void LanSocket::clear_error() {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size);
  size = sizeof error;
  getsockopt(bell_fd(), SOL_SOCKET, SO_ERROR, &error, &size);
}

// Bounded, should somebody ring without end; the next round goes on.
void LanSocket::silence_bell() const {
  uint8_t ignored = 0;
  for (int i = 0; i < 16 && recv(bell_fd(), &ignored, sizeof ignored, MSG_DONTWAIT) >= 0; i++) {
  }
}

IpAddress LanSocket::address_of_all() const {
  if (probe_family(lan_) != Family::kIpv4) return heartbeat_group_v6();
  const bool multicast = everybody_.by == Everybody::By::kMulticast;
  return multicast ? everybody_.group : limited_broadcast_v4();
}

bool LanSocket::is_static_peer(const IpAddress& ip) const {
  return ip.family == probe_family(lan_) && is_routable(lan_, ip);
}

std::optional<IpAddress> source_address(const LanConfig& lan, Family family) {
  std::optional<IpAddress> fallback;
  for (const Prefix& prefix : lan.addresses) {
    const IpAddress& ip = prefix.address;
    if (ip.family != family) continue;
    // IPv6 heartbeats are link-local: they then stay on the link whatever the routing tables say.
    if (family == Family::kIpv4 || ip.is_link_local()) return ip;
    if (!fallback) fallback = ip;
  }
  return fallback;
}

Family probe_family(const LanConfig& lan) {
  if (source_address(lan, Family::kIpv4)) return Family::kIpv4;
  return source_address(lan, Family::kIpv6) ? Family::kIpv6 : Family::kNone;
}

namespace {

// A bound UDP socket of one family that refuses every packet. A filter, not a small buffer: nothing
// is ever queued.
UniqueFd hold_port(int family, uint16_t port) {
  UniqueFd fd(socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return fd;
  sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
  const sock_fprog program{1, &drop_all};
  setsockopt(fd.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
  int bound = 0;
  if (family == AF_INET) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_port = htons(port);
    bound = bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any);
  } else {
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(port);
    bound = bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any);
  }
  if (bound != 0) fd.reset();
  return fd;
}

}  // namespace

std::optional<RuntimeError> PortHolder::open(uint16_t port) {
  v4_ = hold_port(AF_INET, port);
  const int error_v4 = errno;
  v6_ = hold_port(AF_INET6, port);
  const int error_v6 = errno;
  // A machine may lack a family; a port that is taken is another matter.
  if (v4_.valid() && (v6_.valid() || error_v6 != EADDRINUSE)) return std::nullopt;
  const int error = v4_.valid() ? error_v6 : error_v4;
  if (error == EAFNOSUPPORT && v6_.valid()) return std::nullopt;
  return make_error(error == EADDRINUSE ? "EADDRINUSE" : "ESYSTEM", error,
                    "UDP port " + std::to_string(port) +
                        " is taken: stop what uses it (another faild? see `ss -ulpn`) or choose "
                        "another port on every host (-p)");
}

}  // namespace faild
