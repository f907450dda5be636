// The udp transport: an ordinary UDP socket bound to one interface, for hosts that may not open raw
// sockets. Same bytes as raw. Its limits: the kernel's rp_filter judges what arrives, and a unicast
// answer needs ARP and a route.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <ctime>

#include "io/errors.h"
#include "io/lan_socket.h"
#include "wire/frame.h"

namespace faild {
namespace {

constexpr unsigned kBatch = 32;
constexpr size_t kControlBytes = 128;
constexpr int kReceiveBufferBytes = 4 << 20;
constexpr int kClassCs6 = 0xc0;  // DSCP CS6, network control
constexpr int kPriority = 6;     // TC_PRIO_INTERACTIVE, as in the raw transport

union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

SocketAddress to_socket_address(const IpAddress& ip, uint16_t port, uint32_t ifindex,
                                socklen_t* size) {
  SocketAddress out{};
  if (ip.family == Family::kIpv4) {
    out.v4.sin_family = AF_INET;
    out.v4.sin_port = htons(port);
    std::memcpy(&out.v4.sin_addr, ip.bytes.data(), 4);
    *size = sizeof out.v4;
  } else {
    out.v6.sin6_family = AF_INET6;
    out.v6.sin6_port = htons(port);
    out.v6.sin6_scope_id = ip.is_link_local() ? ifindex : 0;
    std::memcpy(&out.v6.sin6_addr, ip.bytes.data(), 16);
    *size = sizeof out.v6;
  }
  return out;
}

IpAddress from_socket_address(const SocketAddress& from) {
  IpAddress ip;
  if (from.any.sa_family == AF_INET) {
    ip.family = Family::kIpv4;
    std::memcpy(ip.bytes.data(), &from.v4.sin_addr, 4);
  } else {
    ip.family = Family::kIpv6;
    std::memcpy(ip.bytes.data(), &from.v6.sin6_addr, 16);
  }
  return ip;
}

bool set_option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

class UdpSocket final : public LanSocket {
 public:
  UdpSocket(const LanConfig& lan, uint16_t port, const Everybody& everybody)
      : LanSocket(lan, everybody), port_(port) {}

  [[nodiscard]] std::optional<RuntimeError> open();
  [[nodiscard]] int fd() const override { return fd_.get(); }
  [[nodiscard]] bool receive(const ClockReading& reading, PacketIn* packet) override;
  [[nodiscard]] std::span<const uint8_t> glance(unsigned ahead) const override;
  void send(const SendPacket& packet) override;
  [[nodiscard]] uint32_t take_drops() override;

 private:
  [[nodiscard]] bool configure(Family family);
  [[nodiscard]] bool set_multicast_v4();
  [[nodiscard]] bool join_group(Family family);
  void send_to(const IpAddress& to, std::span<const uint8_t> bytes);
  void prepare_batch();
  [[nodiscard]] bool refill();
  [[nodiscard]] int64_t read_control(msghdr* message);
  [[nodiscard]] bool is_ours(const IpAddress& ip) const;

  uint16_t port_;
  UniqueFd fd_;
  std::array<mmsghdr, kBatch> messages_{};
  std::array<iovec, kBatch> vectors_{};
  std::array<SocketAddress, kBatch> froms_{};
  alignas(cmsghdr) std::array<std::array<uint8_t, kControlBytes>, kBatch> controls_{};
  std::array<std::array<uint8_t, kMaxHeartbeatBytes + 1>, kBatch>
      buffers_{};  // + 1: too long shows
  unsigned filled_ = 0, taken_ = 0;
  bool last_batch_ = false;               // it was not full: the socket was empty after it
  uint32_t drops_ = 0, drops_taken_ = 0;  // the kernel's running count
};

std::optional<RuntimeError> UdpSocket::open() {
  const std::string name(lan_.interface.view());
  const bool v6 = probe_family(lan_) == Family::kIpv6;
  const Family family = v6 ? Family::kIpv6 : Family::kIpv4;  // IPv4 as long as there is no address
  fd_ = UniqueFd(socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd_.valid()) return system_error("opening a UDP socket");
  if (setsockopt(fd_.get(), SOL_SOCKET, SO_BINDTODEVICE, name.c_str(),
                 static_cast<socklen_t>(name.size())) != 0) {
    return make_error(errno == ENODEV ? "ENOLAN" : "ESYSTEM", errno,
                      "cannot listen on interface '" + name + "': does it exist? see `ip link`");
  }
  if (!configure(family)) return system_error("setting up a UDP socket");
  SocketAddress any{};
  any.any.sa_family = v6 ? AF_INET6 : AF_INET;
  (v6 ? any.v6.sin6_port : any.v4.sin_port) = htons(port_);
  if (bind(fd_.get(), &any.any, v6 ? sizeof any.v6 : sizeof any.v4) != 0) {
    return make_error(errno == EADDRINUSE ? "EADDRINUSE" : "ESYSTEM", errno,
                      "UDP port " + std::to_string(port_) + " on interface '" + name +
                          "' is taken: stop what uses it (another faild? see `ss -ulpn`) or "
                          "choose another port on every host (-p)");
  }
  const bool by_group = v6 || everybody_.by == Everybody::By::kMulticast;
  if (!join_group(family) && by_group) return system_error("joining faild's multicast group");
  prepare_batch();
  return std::nullopt;
}

bool UdpSocket::configure(Family family) {
  const int fd = fd_.get();
  // Beyond the system's limit where we may (CAP_NET_ADMIN), up to it otherwise.
  if (!set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, kReceiveBufferBytes)) {
    set_option(fd, SOL_SOCKET, SO_RCVBUF, kReceiveBufferBytes);
  }
  const bool common = set_option(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1) &&
                      set_option(fd, SOL_SOCKET, SO_RXQ_OVFL, 1) &&
                      set_option(fd, SOL_SOCKET, SO_PRIORITY, kPriority);
  if (family != Family::kIpv6) {
    return common && set_option(fd, SOL_SOCKET, SO_BROADCAST, 1) &&
           set_option(fd, IPPROTO_IP, IP_TTL, 1) && set_multicast_v4() &&
           set_option(fd, IPPROTO_IP, IP_TOS, kClassCs6);
  }
  return common && set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) &&
         set_option(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 1) &&
         set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1) &&
         set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0) &&
         set_option(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, static_cast<int>(lan_.ifindex)) &&
         set_option(fd, IPPROTO_IPV6, IPV6_TCLASS, kClassCs6);
}

bool UdpSocket::set_multicast_v4() {
  ip_mreqn interface {};
  interface.imr_ifindex = static_cast<int>(lan_.ifindex);
  return setsockopt(fd_.get(), IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof interface) == 0 &&
         set_option(fd_.get(), IPPROTO_IP, IP_MULTICAST_LOOP, 0) &&
         set_option(fd_.get(), IPPROTO_IP, IP_MULTICAST_TTL, 1);
}

bool UdpSocket::join_group(Family family) {
  if (family == Family::kIpv4) {
    ip_mreqn member{};
    std::memcpy(&member.imr_multiaddr, everybody_.group.bytes.data(), 4);
    member.imr_ifindex = static_cast<int>(lan_.ifindex);
    return setsockopt(fd_.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, &member, sizeof member) == 0;
  }
  const IpAddress group = heartbeat_group_v6();
  ipv6_mreq member{};
  std::memcpy(&member.ipv6mr_multiaddr, group.bytes.data(), 16);
  member.ipv6mr_interface = lan_.ifindex;
  return setsockopt(fd_.get(), IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &member, sizeof member) == 0;
}

void UdpSocket::prepare_batch() {
  for (unsigned i = 0; i < kBatch; i++) {
    vectors_[i] = {buffers_[i].data(), buffers_[i].size()};
    messages_[i].msg_hdr.msg_iov = &vectors_[i];
    messages_[i].msg_hdr.msg_iovlen = 1;
    messages_[i].msg_hdr.msg_name = &froms_[i];
    messages_[i].msg_hdr.msg_control = controls_[i].data();
  }
}

// True: at least one message is there. The kernel shrinks the lengths that it is given, so they are
// set anew each time.
bool UdpSocket::refill() {
  for (unsigned i = 0; i < kBatch; i++) {
    messages_[i].msg_hdr.msg_namelen = sizeof(SocketAddress);
    messages_[i].msg_hdr.msg_controllen = kControlBytes;
  }
  const int count = recvmmsg(fd_.get(), messages_.data(), kBatch, MSG_DONTWAIT, nullptr);
  filled_ = count > 0 ? static_cast<unsigned>(count) : 0;
  taken_ = 0;
  last_batch_ = filled_ < kBatch;
  return filled_ > 0;
}

bool UdpSocket::receive(const ClockReading& reading, PacketIn* packet) {
  while (true) {
    if (taken_ == filled_ && ((filled_ > 0 && last_batch_) || !refill())) {
      filled_ = taken_ = 0;
      drained_at_ = reading.now;
      return false;
    }
    const unsigned i = taken_++;
    msghdr& message = messages_[i].msg_hdr;
    const int64_t stamp = read_control(&message);
    packet->from = from_socket_address(froms_[i]);
    if (is_ours(packet->from)) {
      counters_.own_packets++;
      continue;
    }
    packet->arrived = arrival_time(reading, stamp, drained_at_);
    packet->from_mac = std::nullopt;
    packet->payload = {buffers_[i].data(), messages_[i].msg_len};
    return true;
  }
}

std::span<const uint8_t> UdpSocket::glance(unsigned ahead) const {
  const unsigned i = taken_ + ahead - 1;
  if (i >= filled_) return {};
  return {buffers_[i].data(), std::min<size_t>(messages_[i].msg_len, buffers_[i].size())};
}

// The receive timestamp; the count of drops is taken on the way.
int64_t UdpSocket::read_control(msghdr* message) {
  int64_t stamp = 0;
  for (cmsghdr* c = CMSG_FIRSTHDR(message); c != nullptr; c = CMSG_NXTHDR(message, c)) {
    if (c->cmsg_level != SOL_SOCKET) continue;
    if (c->cmsg_type == SCM_TIMESTAMPNS) {
      timespec t{};
      std::memcpy(&t, CMSG_DATA(c), sizeof t);
      stamp = t.tv_sec * 1'000'000'000LL + t.tv_nsec;
    } else if (c->cmsg_type == SO_RXQ_OVFL) {
      std::memcpy(&drops_, CMSG_DATA(c), sizeof drops_);
    }
  }
  return stamp;
}

// The kernel loops our own broadcasts back to us.
bool UdpSocket::is_ours(const IpAddress& ip) const {
  for (const Prefix& own : lan_.addresses) {
    if (own.address == ip) return true;
  }
  return false;
}

void UdpSocket::send(const SendPacket& packet) {
  if (packet.to) return send_to(packet.to->ip, packet.payload());
  if (everybody_.by != Everybody::By::kUnicast) return send_to(address_of_all(), packet.payload());
  for (const IpAddress& peer : everybody_.peers) {
    if (is_static_peer(peer)) send_to(peer, packet.payload());
  }
}

void UdpSocket::send_to(const IpAddress& to, std::span<const uint8_t> bytes) {
  socklen_t size = 0;
  const SocketAddress address = to_socket_address(to, port_, lan_.ifindex, &size);
  if (sendto(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT, &address.any, size) < 0) {
    counters_.send_errors++;
    counters_.last_send_error = errno;
  }
}

uint32_t UdpSocket::take_drops() {
  const uint32_t fresh = drops_ - drops_taken_;  // wraps with the kernel's count
  drops_taken_ = drops_;
  return fresh;
}

}  // namespace

Owned<LanSocket> open_udp_socket(const LanConfig& lan, uint16_t port, bool /*with_bell*/,
                                 Memory* memory, RuntimeError* error, const Everybody& everybody) {
  auto opened = make_owned<UdpSocket>(memory, lan, port, everybody);
  if (auto failed = opened->open()) {
    *error = std::move(*failed);
    return nullptr;
  }
  return opened;
}

}  // namespace faild
