#include "stream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <thread>

#include "netns.h"
#include "threads.h"

namespace faild::bench {
namespace {

constexpr Nanoseconds kReadEvery = 5 * kMillisecond;
constexpr Nanoseconds kRest = 20 * kMillisecond;

// A bound (and with a port in `peer`, connected) UDP socket in a namespace; -1 on failure with
// errno set.
int udp_socket(const sockaddr_in& self, const sockaddr_in* peer) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const int room = 8 << 20;
  const int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes);
  setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &yes, sizeof yes);
  const bool bound = bind(fd, reinterpret_cast<const sockaddr*>(&self), sizeof self) == 0;
  if (bound && peer == nullptr) return fd;
  if (bound && connect(fd, reinterpret_cast<const sockaddr*>(peer), sizeof *peer) == 0) return fd;
  close(fd);
  return -1;
}

sockaddr_in endpoint(const std::string& address, uint16_t port) {
  sockaddr_in end{};
  end.sin_family = AF_INET;
  end.sin_port = htons(port);
  inet_pton(AF_INET, address.c_str(), &end.sin_addr);
  return end;
}

int socket_in(const std::string& network_namespace, const sockaddr_in& self,
              const sockaddr_in* peer, Failure* failure) {
  const NamespaceVisit visit(network_namespace);
  *failure = visit.failure();
  if (*failure) return -1;
  const int fd = udp_socket(self, peer);
  if (fd < 0) *failure = errno_sentence("cannot open a stream in " + network_namespace);
  return fd;
}

// What came with a datagram: its kernel timestamp (0: none) and the interface.
struct Ancillary {
  Nanoseconds stamped = 0;
  uint32_t interface = 0;
};

Ancillary read_ancillary(msghdr* header) {
  Ancillary found;
  for (cmsghdr* c = CMSG_FIRSTHDR(header); c != nullptr; c = CMSG_NXTHDR(header, c)) {
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
      timespec at{};
      std::memcpy(&at, CMSG_DATA(c), sizeof at);
      found.stamped = at.tv_sec * kSecond + at.tv_nsec;
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      found.interface = static_cast<uint32_t>(info.ipi_ifindex);
    }
  }
  return found;
}

}  // namespace

Failure Streams::add(const std::string& name, const std::string& from_namespace,
                     const std::string& from, const std::string& to_namespace,
                     const std::string& to, uint16_t port) {
  auto stream = std::make_unique<Stream>();
  const sockaddr_in source = endpoint(from, port);
  const sockaddr_in sink = endpoint(to, port);
  Failure failure;
  stream->name = name;
  stream->receiver = socket_in(to_namespace, sink, nullptr, &failure);
  if (failure) return failure;
  sockaddr_in any_port = source;
  any_port.sin_port = 0;
  stream->sender = socket_in(from_namespace, any_port, &sink, &failure);
  if (failure) return failure;
  streams_.push_back(std::move(stream));
  return std::nullopt;
}

void Streams::start() {
  std::thread(&Streams::send_all, this).detach();
  std::thread(&Streams::receive_all, this).detach();
}

void Streams::send_all() {
  set_up_thread("stream-send", kSendPriority);
  Nanoseconds due = now();
  while (true) {
    const Nanoseconds period = period_;
    due = std::max(due + period,
                   now() - kRest);  // after a pause or a stall: do not catch up for ever
    if (period == 0) {
      sleep_until(now() + kRest);
      due = now();
      continue;
    }
    if (period < kSpin)
      spin_until(due);
    else
      sleep_until(due);
    const std::lock_guard lock(sending_);
    pacing_.add(now() - due);
    for (const auto& stream : streams_) send_one(*stream);
  }
}

void Streams::send_one(Stream& stream) {
  const StreamPacket packet{stream.sequence, 0, now()};
  stream.sequence++;
  if (send(stream.sender, &packet, sizeof packet, MSG_DONTWAIT) < 0) refused_++;
}

void Streams::receive_all() {
  set_up_thread("stream-receive", kReceivePriority);
  while (true) {
    sleep_until(now() + kReadEvery);
    const std::lock_guard lock(receiving_);
    for (const auto& stream : streams_) receive_one(*stream);
  }
}

void Streams::receive_one(Stream& stream) {
  constexpr size_t kBatch = 64;
  std::array<StreamPacket, kBatch> packets;
  std::array<iovec, kBatch> parts;
  std::array<mmsghdr, kBatch> messages{};
  alignas(cmsghdr) std::array<std::array<char, 128>, kBatch> control;
  for (size_t i = 0; i < kBatch; i++) {
    parts[i] = {&packets[i], sizeof packets[i]};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  int count = kBatch;
  while (count == kBatch) {
    for (size_t i = 0; i < kBatch; i++) {
      messages[i].msg_hdr.msg_control = control[i].data();
      messages[i].msg_hdr.msg_controllen = control[i].size();
    }
    count = recvmmsg(stream.receiver, messages.data(), kBatch, MSG_DONTWAIT, nullptr);
    const Nanoseconds offset = realtime_offset();
    for (int i = 0; i < count; i++) {
      mmsghdr& message = messages[static_cast<size_t>(i)];
      if (message.msg_len != sizeof(StreamPacket)) continue;
      const Ancillary came = read_ancillary(&message.msg_hdr);
      stream.arrivals.add(packets[static_cast<size_t>(i)], came.stamped - offset, came.interface);
    }
  }
}

void Streams::report(Json& json) {
  json.open('{');
  {
    const std::lock_guard lock(sending_);
    json.key("pacing");
    pacing_.report(json);
    json.field("refused", refused_);
    refused_ = 0;
  }
  const std::lock_guard lock(receiving_);
  for (const auto& stream : streams_) {
    json.key(stream->name);
    stream->arrivals.report(json);
  }
  json.close('}');
}

}  // namespace faild::bench
