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
// A slot's header and a heartbeat of two LANs lie in its first four cache lines; two packets are
// time enough to fetch them.
constexpr unsigned kFetchAhead = 2;
constexpr size_t kFetchBytes = 256, kCacheLine = 64;
constexpr int kPriority = 6;  // TC_PRIO_INTERACTIVE: the most urgent band that needs no capability

class RawSocket final : public LanSocket {
 public:
  RawSocket(const LanConfig& lan, uint16_t port) : LanSocket(lan), port_(port) {}
  ~RawSocket() override {
    if (ring_ != nullptr) munmap(ring_, kRingBytes);
  }

  [[nodiscard]] std::optional<RuntimeError> open(bool with_bell);
  [[nodiscard]] int fd() const override { return fd_.get(); }
  [[nodiscard]] int bell_fd() const override { return bell_.get(); }
  [[nodiscard]] bool receive(const ClockReading& reading, PacketIn* packet) override;
  void send(const SendPacket& packet) override;
  [[nodiscard]] uint32_t take_drops() override;

 private:
  [[nodiscard]] tpacket2_hdr* slot() const {
    return reinterpret_cast<tpacket2_hdr*>(ring_ + size_t{next_} * kSlotBytes);
  }
  void fetch_ahead() const;
  [[nodiscard]] bool configure();
  [[nodiscard]] bool open_bell();
  [[nodiscard]] bool bind_to_interface(int fd);
  [[nodiscard]] bool parse(const tpacket2_hdr& header, const ClockReading& reading,
                           PacketIn* packet);
  void release_slot();
  void join_group();

  uint16_t port_;
  UniqueFd bell_;  // a packet socket beside the ring's that takes the news alone
  UniqueFd fd_;
  UniqueFd member_;  // tells the switches (MLD) that we listen to the group
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
  join_group();
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

// Only hosts without IPv4 probe by multicast; where the kernel has no IPv6 there is nobody to hear.
// So errors are left.
void RawSocket::join_group() {
  const IpAddress group = heartbeat_group_v6();
  const MacAddress mac = multicast_mac(group);
  packet_mreq listen{};
  listen.mr_ifindex = static_cast<int>(lan_.ifindex);
  listen.mr_type = PACKET_MR_MULTICAST;
  listen.mr_alen = 6;
  std::memcpy(listen.mr_address, mac.bytes.data(), 6);
  setsockopt(fd_.get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &listen, sizeof listen);

  member_ = UniqueFd(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ipv6_mreq member{};
  std::memcpy(&member.ipv6mr_multiaddr, group.bytes.data(), 16);
  member.ipv6mr_interface = lan_.ifindex;
  setsockopt(member_.get(), IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &member, sizeof member);
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
    fetch_ahead();
    if (parse(*header, reading, packet)) return true;
  }
}

// Another core's kernel has filled the ring, so that every slot is a cache miss a line. The next
// packets are asked for while the engine is busy with this one.
void RawSocket::fetch_ahead() const {
  const uint8_t* ahead = ring_ + size_t{(next_ + kFetchAhead) % kSlots} * kSlotBytes;
  for (size_t i = 0; i < kFetchBytes; i += kCacheLine) __builtin_prefetch(ahead + i);
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
  return true;
}

void RawSocket::send(const SendPacket& packet) {
  FrameAddresses to;
  to.port = port_;
  to.from_mac = lan_.mac;
  if (packet.to) {
    to.to = packet.to->ip;
    // A peer whose MAC nobody has seen yet is still reached by a frame to all.
    to.to_mac = packet.to->mac.is_unicast() ? packet.to->mac : kBroadcastMac;
  } else if (probe_family(lan_) == Family::kIpv4) {
    to.to = limited_broadcast_v4();
    to.to_mac = kBroadcastMac;
  } else {
    to.to = heartbeat_group_v6();
    to.to_mac = multicast_mac(to.to);
  }
  const auto from = source_address(lan_, to.to.family);
  ssize_t sent = -1;
  errno = EADDRNOTAVAIL;
  if (from) {
    to.from = *from;
    const size_t size = build_frame(to, packet.payload(), frame_);
    sent = ::send(fd_.get(), frame_.data(), size, MSG_DONTWAIT);
  }
  if (sent < 0) {
    counters_.send_errors++;
    counters_.last_send_error = errno;
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
                                 Memory* memory, RuntimeError* error) {
  auto opened = make_owned<RawSocket>(memory, lan, port);
  if (auto failed = opened->open(with_bell)) {
    *error = std::move(*failed);
    return nullptr;
  }
  return opened;
}

}  // namespace faild
