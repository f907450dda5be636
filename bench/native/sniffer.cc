#include "sniffer.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <optional>
#include <thread>

#include "netns.h"
#include "stream.h"
#include "threads.h"

namespace faild::bench {
namespace {

constexpr Nanoseconds kReadEvery = 5 * kMillisecond;
constexpr char kHeartbeatMagic[4] = {'F', 'L', 'D', '1'};  // docs/wire.md
constexpr size_t kHeartbeatType = 5;
constexpr size_t kSnapBytes = 512;

struct Payload {
  const uint8_t* bytes;
  size_t size;
};

std::optional<Payload> udp_payload(const uint8_t* frame, size_t size) {
  constexpr size_t kLeast = ETH_HLEN + sizeof(iphdr) + sizeof(udphdr);
  if (size < kLeast || frame[12] != 0x08 || frame[13] != 0x00) return std::nullopt;
  const size_t ip_bytes = static_cast<size_t>(frame[ETH_HLEN] & 15) * 4;
  const size_t ahead = ETH_HLEN + ip_bytes + sizeof(udphdr);
  if (frame[ETH_HLEN + 9] != IPPROTO_UDP || size < ahead) return std::nullopt;
  return Payload{frame + ahead, size - ahead};
}

int64_t fnv1a(const Payload& payload) {
  uint32_t hash = 2166136261U;
  for (size_t i = 0; i < payload.size; i++) hash = (hash ^ payload.bytes[i]) * 16777619U;
  return hash;
}

Nanoseconds stamp_of(msghdr* header) {
  for (cmsghdr* c = CMSG_FIRSTHDR(header); c != nullptr; c = CMSG_NXTHDR(header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec at{};
    std::memcpy(&at, CMSG_DATA(c), sizeof at);
    return at.tv_sec * kSecond + at.tv_nsec;
  }
  return 0;
}

}  // namespace

Failure Sniffer::add(const std::string& network_namespace, const std::string& interface) {
  const NamespaceVisit visit(network_namespace);
  if (visit.failure()) return visit.failure();
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno_sentence("cannot open a packet socket");
  const int room = 16 << 20;
  const int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes);
  sockaddr_ll self{};
  self.sll_family = AF_PACKET;
  self.sll_protocol = htons(ETH_P_ALL);
  self.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  if (bind(fd, reinterpret_cast<const sockaddr*>(&self), sizeof self) != 0) {
    close(fd);
    return errno_sentence("cannot listen on " + interface);
  }
  const std::lock_guard lock(mutex_);
  ports_.push_back(fd);
  if (ports_.size() > 1) return std::nullopt;
  frames_.reserve(kRoom);
  std::thread(&Sniffer::run, this).detach();
  return std::nullopt;
}

void Sniffer::run() {
  set_up_thread("sniffer", kReceivePriority);
  while (true) {
    sleep_until(now() + kReadEvery);
    const std::lock_guard lock(mutex_);
    for (size_t port = 0; port < ports_.size(); port++) read_port(port);
  }
}

void Sniffer::read_port(size_t port) {
  std::array<uint8_t, kSnapBytes> bytes;
  alignas(cmsghdr) std::array<char, 128> control;
  const Nanoseconds offset = realtime_offset();
  while (true) {
    sockaddr_ll from{};
    iovec part{bytes.data(), bytes.size()};
    msghdr header{};
    header.msg_name = &from;
    header.msg_namelen = sizeof from;
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const ssize_t size = recvmsg(ports_[port], &header, MSG_DONTWAIT);
    if (size < 0) return;
    note(port, bytes.data(), static_cast<size_t>(size), from.sll_pkttype == PACKET_OUTGOING,
         stamp_of(&header) - offset);
  }
}

void Sniffer::note(size_t port, const uint8_t* bytes, size_t size, bool to_host, Nanoseconds at) {
  const auto payload = udp_payload(bytes, size);
  if (!payload || frames_.size() == kRoom) return;
  const auto add = [&](int64_t kind, int64_t identity) {
    frames_.push_back({at, static_cast<int64_t>(port), to_host ? 1 : 0, kind, identity});
  };
  if (payload->size > kHeartbeatType &&
      std::memcmp(payload->bytes, kHeartbeatMagic, sizeof kHeartbeatMagic) == 0) {
    add(payload->bytes[kHeartbeatType], fnv1a(*payload));
  } else if (payload->size == sizeof(StreamPacket)) {
    StreamPacket packet;
    std::memcpy(&packet, payload->bytes, sizeof packet);
    add(0, packet.sequence);
  }
}

void Sniffer::report(Json& json) {
  const std::lock_guard lock(mutex_);
  json.key("frames").open('[');
  for (const Frame& f : frames_) json.row({f.at, f.port, f.to_host, f.kind, f.identity});
  json.close(']');
  frames_.clear();
}

}  // namespace faild::bench
