// The raw transport: an AF_PACKET socket on one interface, received through a memory-mapped ring,
// and frames of our own making. It hears what a strict rp_filter would drop after a failover, and
// answers the MAC address that asked, with no ARP and no route look-up between.
//
// Order matters when opening: filter, ring, then bind; a socket that is bound first queues every
// packet of the machine until the filter is there.
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cstddef>

#include "base/prefetch.h"
#include "io/errors.h"
#include "io/lan_socket.h"
#include "io/packet_filter.h"
#include "wire/frame.h"

namespace faild {
namespace {

// 4 MiB a LAN: 2048 heartbeats of the greatest size, 20 ms at 100,000 a second; a longer stall of
// ours is reported.
constexpr unsigned kSlotBytes = 2048;
constexpr unsigned kBlockBytes = 32768;
constexpr unsigned kBlocks = 128;
constexpr unsigned kSlots = kBlocks * (kBlockBytes / kSlotBytes);
constexpr size_t kRingBytes = size_t{kBlocks} * kBlockBytes;
// A slot's header and a heartbeat of two LANs lie in its first four cache lines, which are fetched
// before the reactor glances at them.
constexpr unsigned kFetchAhead = 8;
constexpr size_t kFetchBytes = 256;
constexpr int kClassCs6 = 0xc0;  // DSCP CS6, network control
constexpr int kPriority = 6;  // TC_PRIO_INTERACTIVE: the most urgent band that needs no capability

class RawSocket final : public LanSocket {
 public:
  RawSocket(const LanConfig& lan, uint16_t port, const Everybody& everybody)
      : LanSocket(lan, everybody), port_(port) {}
  ~RawSocket() override {
    if (ring_ != nullptr) munmap(ring_, kRingBytes);
  }

  [[nodiscard]] std::optional<RuntimeError> open(bool with_bell);
  [[nodiscard]] int fd() const override { return fd_.get(); }
  [[nodiscard]] int bell_fd() const override { return bell_.get(); }
  [[nodiscard]] bool receive(const ClockReading& reading, PacketIn* packet) override;
  [[nodiscard]] std::span<const uint8_t> glance(unsigned ahead) const override;
  void send(const SendPacket& packet) override;
  [[nodiscard]] uint32_t take_drops() override;

 private:
  [[nodiscard]] tpacket2_hdr* slot(unsigned ahead = 0) const {
    return reinterpret_cast<tpacket2_hdr*>(ring_ + size_t{(next_ + ahead) % kSlots} * kSlotBytes);
  }
  [[nodiscard]] bool configure();
  [[nodiscard]] bool open_bell();
  [[nodiscard]] bool bind_to_interface(int fd);
  [[nodiscard]] bool parse(const tpacket2_hdr& header, const ClockReading& reading,
                           PacketIn* packet);
  void release_slot();
  void join_groups();
  void listen_to(const IpAddress& group);
  void note_mac(const ParsedFrame& frame);
  void send_to(const IpAddress& to, const MacAddress& mac, std::span<const uint8_t> payload);
  void send_to_static_peers(std::span<const uint8_t> payload);
  void ask_kernel_to_send(const IpAddress& to, std::span<const uint8_t> payload);
  void note_error();

  uint16_t port_;
  UniqueFd bell_;  // a packet socket beside the ring's that takes the news alone
  UniqueFd fd_;
  // tell the switches (IGMP, MLD) that we listen to the groups; the kernel's own way to a static
  // peer whose MAC address is not known yet
  UniqueFd member_v4_, member_v6_;
  std::array<MacAddress, kMaxStaticPeers> macs_{};  // of the static peers, as heard
  uint8_t* ring_ = nullptr;
  unsigned next_ = 0;     // the slot that the kernel fills next
  bool holding_ = false;  // that slot was handed out by receive() and is not yet released
  bool losing_ = false;   // the kernel flagged drops since we last asked
  unsigned run_ = 0;      // packets since the ring was last found empty
  std::array<uint8_t, kMaxFrameBytes> frame_{};
};

std::optional<RuntimeError> RawSocket::open(bool with_bell) {
  const std::string name(lan_.interface.view());
  // First, because the kernel serves the newest socket of an interface first: when the bell rings,
  // the packet is in the ring. (Were it not, the next round would find it.)
  if (with_bell && !open_bell()) bell_.reset();
  // Protocol 0: nothing is received until bind() says what.
  fd_ = UniqueFd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd_.valid() && errno == EPERM) {
    return make_error("EPERM_NET_RAW", errno,
                      std::string("the raw transport needs CAP_NET_RAW: ") + kHowToGrant +
                          "; or choose --transport udp");
  }
  if (!fd_.valid() || !configure()) return system_error("setting up a packet socket");
  void* ring = mmap(nullptr, kRingBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
  if (ring == MAP_FAILED) return system_error("mapping a packet socket's receive ring");
  ring_ = static_cast<uint8_t*>(ring);
  if (!bind_to_interface(fd_.get())) {
    const int error = errno;
    return make_error(error == ENODEV || error == ENXIO ? "ENOLAN" : "ESYSTEM", error,
                      "cannot listen on interface '" + name + "': does it exist? see `ip link`");
  }
  join_groups();
  return std::nullopt;
}

bool RawSocket::configure() {
  const int on = 1, version = TPACKET_V2, priority = kPriority;
  tpacket_req request{};
  request.tp_block_size = kBlockBytes;
  request.tp_block_nr = kBlocks;
  request.tp_frame_size = kSlotBytes;
  request.tp_frame_nr = kSlots;
  const int fd = fd_.get();
  return attach_packet_filter(fd, port_, Take::kHeartbeats) == 0 &&
         setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) == 0 &&
         setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof priority) == 0 &&
         setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) == 0 &&
         setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) == 0;
}

// Without it every packet wakes us: dearer, not wrong.
bool RawSocket::open_bell() {
  bell_ = UniqueFd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1, little = 0;  // the least buffer that the kernel allows: one packet rings
  const int fd = bell_.get();
  return bell_.valid() && attach_packet_filter(fd, port_, Take::kNews) == 0 &&
         setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) == 0 &&
         setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little) == 0 &&
         bind_to_interface(fd);
}

bool RawSocket::bind_to_interface(int fd) {
  sockaddr_ll where{};
  where.sll_family = AF_PACKET;
  where.sll_protocol = htons(ETH_P_ALL);  // both families: hosts may probe in either
  where.sll_ifindex = static_cast<int>(lan_.ifindex);
  return bind(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0;
}

// Errors are left: where the kernel lacks a family there is nobody to hear by its group.
void RawSocket::join_groups() {
  listen_to(everybody_.group);
  const int device = static_cast<int>(lan_.ifindex);
  member_v4_ = UniqueFd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ip_mreqn member{};
  std::memcpy(&member.imr_multiaddr, everybody_.group.bytes.data(), 4);
  member.imr_ifindex = device;
  setsockopt(member_v4_.get(), IPPROTO_IP, IP_ADD_MEMBERSHIP, &member, sizeof member);

  const IpAddress group = heartbeat_group_v6();
  listen_to(group);
  member_v6_ = UniqueFd(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ipv6_mreq member_v6{};
  std::memcpy(&member_v6.ipv6mr_multiaddr, group.bytes.data(), 16);
  member_v6.ipv6mr_interface = lan_.ifindex;
  setsockopt(member_v6_.get(), IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &member_v6, sizeof member_v6);

  const std::string name(lan_.interface.view());
  const int hops = 1, best_class = kClassCs6;  // as in the frames that we make
  setsockopt(member_v4_.get(), IPPROTO_IP, IP_TTL, &hops, sizeof hops);
  setsockopt(member_v4_.get(), IPPROTO_IP, IP_TOS, &best_class, sizeof best_class);
  setsockopt(member_v6_.get(), IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof hops);
  setsockopt(member_v6_.get(), IPPROTO_IPV6, IPV6_TCLASS, &best_class, sizeof best_class);
  for (const int fd : {member_v4_.get(), member_v6_.get()}) {
    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name.c_str(), static_cast<socklen_t>(name.size()));
  }
}

// The interface's own filter lets the group's frames pass.
void RawSocket::listen_to(const IpAddress& group) {
  const MacAddress mac = multicast_mac(group);
  packet_mreq listen{};
  listen.mr_ifindex = static_cast<int>(lan_.ifindex);
  listen.mr_type = PACKET_MR_MULTICAST;
  listen.mr_alen = 6;
  std::memcpy(listen.mr_address, mac.bytes.data(), 6);
  setsockopt(fd_.get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &listen, sizeof listen);
}

bool RawSocket::receive(const ClockReading& reading, PacketIn* packet) {
  while (true) {
    if (holding_) release_slot();
    const tpacket2_hdr* header = slot();
    if ((__atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0) {
      drained_at_ = reading.now;
      run_ = 0;
      return false;
    }
    holding_ = true;
    // The kernel flags the packet that follows a drop. If none does, the full ring itself is the
    // sign of it.
    if (++run_ % kSlots == 0) losing_ = true;
    // Another core's kernel has filled the ring, so that every slot is a cache miss a line.
    fetch_ahead(slot(kFetchAhead), kFetchBytes);
    if (parse(*header, reading, packet)) return true;
  }
}

// The packet that was handed out last still holds the slot `next_`.
std::span<const uint8_t> RawSocket::glance(unsigned ahead) const {
  const tpacket2_hdr& header = *slot(ahead);
  if ((__atomic_load_n(&header.tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0) return {};
  return glance_at_payload(
      {reinterpret_cast<const uint8_t*>(&header) + header.tp_mac, header.tp_snaplen});
}

void RawSocket::release_slot() {
  __atomic_store_n(&slot()->tp_status, uint32_t{TP_STATUS_KERNEL}, __ATOMIC_RELEASE);
  next_ = (next_ + 1) % kSlots;
  holding_ = false;
}

bool RawSocket::parse(const tpacket2_hdr& header, const ClockReading& reading, PacketIn* packet) {
  if ((header.tp_status & TP_STATUS_LOSING) != 0) losing_ = true;
  const auto* bytes = reinterpret_cast<const uint8_t*>(&header) + header.tp_mac;
  const bool verify = (header.tp_status & (TP_STATUS_CSUM_VALID | TP_STATUS_CSUMNOTREADY)) == 0;
  ParsedFrame frame;
  if (const auto error = parse_frame({bytes, header.tp_snaplen}, port_, verify, &frame)) {
    counters_.frame_errors[static_cast<size_t>(*error)]++;
    return false;
  }
  const int64_t stamp = int64_t{header.tp_sec} * 1'000'000'000 + header.tp_nsec;
  packet->arrived = arrival_time(reading, stamp, drained_at_);
  packet->from = frame.from;
  packet->from_mac = frame.from_mac;
  packet->payload = frame.payload;
  note_mac(frame);
  return true;
}

void RawSocket::send(const SendPacket& packet) {
  if (packet.to) {
    // A peer whose MAC nobody has seen yet is still reached by a frame to all.
    const MacAddress& mac = packet.to->mac;
    send_to(packet.to->ip, mac.is_unicast() ? mac : kBroadcastMac, packet.payload());
  } else if (everybody_.by == Everybody::By::kUnicast) {
    send_to_static_peers(packet.payload());
  } else {
    const IpAddress all = address_of_all();
    const bool broadcast = all == limited_broadcast_v4();
    send_to(all, broadcast ? kBroadcastMac : multicast_mac(all), packet.payload());
  }
}

void RawSocket::send_to(const IpAddress& to, const MacAddress& mac,
                        std::span<const uint8_t> payload) {
  FrameAddresses addresses;
  addresses.port = port_;
  addresses.from_mac = lan_.mac;
  addresses.to = to;
  addresses.to_mac = mac;
  const auto from = source_address(lan_, to.family);
  ssize_t sent = -1;
  errno = EADDRNOTAVAIL;
  if (from) {
    addresses.from = *from;
    const size_t size = build_frame(addresses, payload, frame_);
    sent = ::send(fd_.get(), frame_.data(), size, MSG_DONTWAIT);
  }
  if (sent < 0) note_error();
}

void RawSocket::send_to_static_peers(std::span<const uint8_t> payload) {
  for (size_t i = 0; i < everybody_.peers.size(); i++) {
    const IpAddress& peer = everybody_.peers[i];
    if (!is_static_peer(peer)) continue;
    if (macs_[i].is_unicast()) {
      send_to(peer, macs_[i], payload);
    } else {
      ask_kernel_to_send(peer, payload);
    }
  }
}

// Nobody has told us its MAC address: the kernel asks for it (ARP, neighbour discovery). The packet
// leaves from another port than ours, which nobody looks at.
void RawSocket::ask_kernel_to_send(const IpAddress& to, std::span<const uint8_t> payload) {
  const bool v4 = to.family == Family::kIpv4;
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port_);
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(port_);
  std::memcpy(&in.sin_addr, to.bytes.data(), 4);
  std::memcpy(&in6.sin6_addr, to.bytes.data(), 16);
  const auto* where =
      v4 ? reinterpret_cast<const sockaddr*>(&in) : reinterpret_cast<const sockaddr*>(&in6);
  const int fd = v4 ? member_v4_.get() : member_v6_.get();
  const socklen_t size = v4 ? sizeof in : sizeof in6;
  if (sendto(fd, payload.data(), payload.size(), MSG_DONTWAIT, where, size) < 0) note_error();
}

void RawSocket::note_error() {
  counters_.send_errors++;
  counters_.last_send_error = errno;
}

// A static peer is where its last packet came from.
void RawSocket::note_mac(const ParsedFrame& frame) {
  if (everybody_.by != Everybody::By::kUnicast) return;
  for (size_t i = 0; i < everybody_.peers.size(); i++) {
    if (everybody_.peers[i] == frame.from) macs_[i] = frame.from_mac;
  }
}

uint32_t RawSocket::take_drops() {
  if (!losing_) return 0;
  losing_ = false;
  tpacket_stats stats{};
  socklen_t size = sizeof stats;
  getsockopt(fd_.get(), SOL_PACKET, PACKET_STATISTICS, &stats, &size);
  return stats.tp_drops;
}

}  // namespace

Owned<LanSocket> open_raw_socket(const LanConfig& lan, uint16_t port, bool with_bell,
                                 Memory* memory, RuntimeError* error, const Everybody& everybody) {
  auto opened = make_owned<RawSocket>(memory, lan, port, everybody);
  if (auto failed = opened->open(with_bell)) {
    *error = std::move(*failed);
    return nullptr;
  }
  return opened;
}

}  // namespace faild
