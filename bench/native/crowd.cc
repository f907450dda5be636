#include "crowd.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "core/config.h"
#include "netns.h"
#include "wire/frame.h"

namespace faild::bench {
namespace {

constexpr uint64_t kFirstHost = 0x00c0000000000001;
constexpr size_t kFirstAddress = 256;  // below: the real hosts

int packet_socket(unsigned ifindex) {
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int yes = 1;
  const int room = 8 << 20;
  setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes);
  setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  sockaddr_ll self{};
  self.sll_family = AF_PACKET;
  self.sll_protocol = htons(ETH_P_IP);
  self.sll_ifindex = static_cast<int>(ifindex);
  if (fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&self), sizeof self) == 0) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

// Locally administered, its LAN and number inside.
MacAddress mac_of(size_t lan, size_t peer) {
  return {{0x02, 0xfa, static_cast<uint8_t>(lan), 0, static_cast<uint8_t>(peer >> 8),
           static_cast<uint8_t>(peer)}};
}

}  // namespace

Failure Crowd::open(const CrowdOrder& order) {
  order_ = order;
  cluster_ = cluster_hash(order.cluster);
  incarnation_.value = static_cast<uint64_t>(read_clock(CLOCK_REALTIME) / kMillisecond);
  const NamespaceVisit visit(order.network_namespace);
  if (visit.failure()) return visit.failure();
  for (const auto& lan : order.lans) {
    const unsigned index = if_nametoindex(lan.interface.c_str());
    const int fd = index == 0 ? -1 : packet_socket(index);
    if (fd < 0) return errno_sentence("cannot open a packet socket on " + lan.interface);
    lans_.push_back({fd, lan.subnet, 0, std::vector<uint32_t>(order.count),
                     std::vector<uint32_t>(order.count)});
  }
  started_ = now();
  return std::nullopt;
}

IpAddress Crowd::address_of(size_t lan, size_t peer) const {
  IpAddress ip = lans_[lan].subnet.address;
  const size_t number = kFirstAddress + peer;
  ip.bytes[2] = static_cast<uint8_t>(ip.bytes[2] + (number >> 8));
  ip.bytes[3] = static_cast<uint8_t>(number);
  return ip;
}

// What every packet of a peer says.
Heartbeat Crowd::introduce(size_t peer) const {
  Heartbeat beat;
  beat.requestor = true;
  beat.cluster = cluster_;
  beat.host.value = kFirstHost + peer;
  beat.incarnation = incarnation_;
  beat.interval = Duration::ns(order_.interval);
  beat.advert_version = 1;
  beat.name.assign("crowd-" + std::to_string(peer));
  for (size_t lan = 0; lan < lans_.size(); lan++) {
    LanAdvert* advert = beat.lans.extend();
    *advert = LanAdvert();
    advert->mac = mac_of(lan, peer);
    (void)advert->addresses.push({address_of(lan, peer), lans_[lan].subnet.length});
  }
  return beat;
}

void Crowd::step() {
  const auto elapsed = static_cast<uint64_t>(now() - started_);
  const auto interval = static_cast<uint64_t>(order_.interval);
  const uint64_t due = elapsed / interval * order_.count +  // whole rounds, then this one's part
                       elapsed % interval * order_.count / interval;
  if (due > turns_ + order_.count) turns_ = due - order_.count;  // after a stall: one round at most
  const uint64_t first = turns_;
  for (size_t lan = 0; lan < lans_.size(); lan++) {
    for (uint64_t turn = first; turn < due; turn++) broadcast(lan, turn % order_.count);
    flush(lan);
    listen(lan);
    flush(lan);
  }
  turns_ = std::max(due, turns_);
}

void Crowd::broadcast(size_t lan, size_t peer) {
  const uint32_t sequence = ++lans_[lan].sequences[peer];
  if (peer < lans_[lan].silent) return;
  Heartbeat beat = introduce(peer);
  beat.sequence = sequence;
  beat.arrival_lan = static_cast<uint8_t>(lan);
  std::array<uint8_t, kMaxHeartbeatBytes> payload;
  const size_t bytes = encode(beat, payload);
  if (pending_ == kBatch) flush(lan);
  frame_bytes_[pending_] = build_frame({mac_of(lan, peer), kBroadcastMac, address_of(lan, peer),
                                        limited_broadcast_v4(), order_.port},
                                       {payload.data(), bytes}, frames_[pending_]);
  pending_++;
}

void Crowd::flush(size_t lan) {
  std::array<mmsghdr, kBatch> messages{};
  std::array<iovec, kBatch> parts;
  for (size_t i = 0; i < pending_; i++) {
    parts[i] = {frames_[i].data(), frame_bytes_[i]};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const int done = pending_ == 0 ? 0
                                 : sendmmsg(lans_[lan].socket, messages.data(),
                                            static_cast<unsigned>(pending_), 0);
  sent_ += std::max(done, 0);
  refused_ += static_cast<int64_t>(pending_) - std::max(done, 0);
  pending_ = 0;
}

void Crowd::listen(size_t lan) {
  std::array<uint8_t, 2048> buffer;
  for (size_t i = 0; i < kBatch; i++) {
    const ssize_t size = recv(lans_[lan].socket, buffer.data(), buffer.size(), 0);
    if (size <= 0) return;
    const Nanoseconds arrived = now();
    ParsedFrame frame;
    const std::span<const uint8_t> bytes(buffer.data(), static_cast<size_t>(size));
    if (parse_frame(bytes, order_.port, false, &frame)) continue;
    if (decode(frame.payload, &heard_)) continue;
    received_++;
    const bool asks_us = heard_.type == MessageType::kInq && heard_.solicit &&
                         heard_.to.value - kFirstHost < order_.count;
    if (asks_us) answer(lan, heard_, frame.from_mac, frame.from, arrived);
  }
}

void Crowd::answer(size_t lan, const Heartbeat& asked, const MacAddress& mac, const IpAddress& ip,
                   Nanoseconds arrived) {
  const size_t peer = asked.to.value - kFirstHost;
  if (peer < lans_[lan].silent) return;
  Heartbeat beat = introduce(peer);
  beat.type = MessageType::kAck;
  beat.solicit = true;  // it echoes the sequence of a solicit, not that of a broadcast
  beat.hears_you = true;
  beat.sequence = ++lans_[lan].unicast_sequences[peer];
  beat.arrival_lan = static_cast<uint8_t>(lan);
  beat.to = asked.host;
  beat.to_incarnation = asked.incarnation;
  beat.echo_sequence = asked.sequence;
  beat.echo_hold = Duration::ns(now() - arrived);
  std::array<uint8_t, kMaxHeartbeatBytes> payload;
  const size_t bytes = encode(beat, payload);
  if (pending_ == kBatch) flush(lan);
  frame_bytes_[pending_] =
      build_frame({mac_of(lan, peer), mac, address_of(lan, peer), ip, order_.port},
                  {payload.data(), bytes}, frames_[pending_]);
  pending_++;
  answered_++;
}

void Crowd::report(Json& json) {
  json.field("sent", sent_).field("refused", refused_).field("received", received_);
  json.field("answered", answered_);
  sent_ = refused_ = received_ = answered_ = 0;
}

}  // namespace faild::bench
