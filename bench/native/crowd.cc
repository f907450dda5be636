#include "crowd.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "core/config.h"
#include "netns.h"
#include "wire/frame.h"

namespace faild::bench {
namespace {

constexpr uint64_t kFirstHost = 0x00c0000000000001;
constexpr size_t kFirstAddress = 256;  // below: the real hosts

// How a real host asks for an ACK (native/core/engine_probes.cc).
constexpr Nanoseconds kAskSpacing = 500 * kMicrosecond;
constexpr Nanoseconds kAskRetryFloor = 20 * kMillisecond;
constexpr Nanoseconds kAskRetryCeiling = 5 * kSecond;
constexpr Nanoseconds kAskEvery = 30 * kSecond;  // once it is proven
constexpr Nanoseconds kNever = INT64_MAX;

constexpr Nanoseconds kRestartEvery = 2 * kSecond;  // on average

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
MacAddress mac_of(size_t lan, size_t host) {
  return {{0x02, 0xfa, static_cast<uint8_t>(lan), 0, static_cast<uint8_t>(host >> 8),
           static_cast<uint8_t>(host)}};
}

// xorshift32 (Marsaglia 2003): the same crowd misbehaves in the same way.
uint32_t next_random(uint32_t* state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

}  // namespace

std::optional<Manner> parse_manner(const std::string& name) {
  static constexpr std::array<std::pair<const char*, Manner>, 9> kManners{{
      {"honest", Manner::kHonest},
      {"silent", Manner::kSilent},
      {"deaf", Manner::kDeaf},
      {"aloof", Manner::kAloof},
      {"restarting", Manner::kRestarting},
      {"usurper", Manner::kUsurper},
      {"stray", Manner::kStray},
      {"replayer", Manner::kReplayer},
      {"babbler", Manner::kBabbler},
  }};
  for (const auto& [known, manner] : kManners) {
    if (name == known) return manner;
  }
  return std::nullopt;
}

Failure Crowd::open(const CrowdOrder& order) {
  order_ = order;
  cluster_ = cluster_hash(order.cluster);
  const auto started = static_cast<uint64_t>(read_clock(CLOCK_REALTIME) / kMillisecond);
  incarnations_.assign(order.count, Incarnation{started});
  const NamespaceVisit visit(order.network_namespace);
  if (visit.failure()) return visit.failure();
  for (const auto& lan : order.lans) {
    const unsigned index = if_nametoindex(lan.interface.c_str());
    const int fd = index == 0 ? -1 : packet_socket(index);
    if (fd < 0) return errno_sentence("cannot open a packet socket on " + lan.interface);
    Lan& opened = lans_.emplace_back();
    opened.socket = fd;
    opened.subnet = lan.subnet;
    opened.places.resize(order.count);
    opened.ask_at.assign(order.count, kNever);
  }
  for (size_t lan = 0; lan < lans_.size(); lan++) {
    for (size_t host = 0; host < order.count; host++) renew_voice(lan, host);
  }
  if (!Voice::proves_itself(to_all(0, 0), introduce(0, 0))) return "docs/wire.md has changed";
  return std::nullopt;
}

void Crowd::begin() {
  started_ = now();
  for (Lan& lan : lans_) plan_to_ask(lan);
}

// Whoever hears the daemon for the first time asks at once. But in a cluster that starts cold each
// host has all the others to ask, the daemon in no special place among them.
void Crowd::plan_to_ask(Lan& lan) {
  for (Nanoseconds& at : lan.ask_at) {
    const auto turn = static_cast<Nanoseconds>(next_random(&random_) % order_.count);
    const bool able = started_ != 0 && daemon_.host != HostId{};
    at = able ? std::max(now(), started_ + order_.interval + turn * kAskSpacing) : kNever;
  }
}

IpAddress Crowd::address_of(size_t lan, size_t host) const {
  IpAddress ip = lans_[lan].subnet.address;
  const size_t number = kFirstAddress + host;
  ip.bytes[2] = static_cast<uint8_t>(ip.bytes[2] + (number >> 8));
  ip.bytes[3] = static_cast<uint8_t>(number);
  return ip;
}

FrameAddresses Crowd::to_all(size_t lan, size_t host) const {
  return {mac_of(lan, host), kBroadcastMac, address_of(lan, host), limited_broadcast_v4(),
          order_.port};
}

// What every packet of a host says on a LAN.
Heartbeat Crowd::introduce(size_t lan, size_t host) const {
  Heartbeat beat;
  beat.requestor = true;
  beat.cluster = cluster_;
  beat.host.value = kFirstHost + host;
  beat.incarnation = incarnations_[host];
  beat.interval = Duration::ns(order_.interval);
  beat.advert_version = 1;
  beat.arrival_lan = static_cast<uint8_t>(lan);
  beat.name.assign("crowd-" + std::to_string(host));
  for (size_t i = 0; i < lans_.size(); i++) {
    LanAdvert* advert = beat.lans.extend();
    *advert = LanAdvert();
    advert->mac = mac_of(i, host);
    IpAddress ip = address_of(i, host);
    if (lans_[i].places[host].manner == Manner::kStray) ip.bytes[0] ^= 0x80;
    (void)advert->addresses.push({ip, lans_[i].subnet.length});
  }
  return beat;
}

void Crowd::renew_voice(size_t lan, size_t host) {
  Place& place = lans_[lan].places[host];
  Heartbeat beat = introduce(lan, host);
  LanAdvert& here = beat.lans[lan];
  if (place.manner == Manner::kDeaf && daemon_.host != HostId{}) {
    (void)beat.missing.push(daemon_.host);
  } else if (place.manner == Manner::kUsurper) {
    const IpAddress others = address_of(lan, (host + 1) % order_.count);
    (void)here.addresses.push({others, lans_[lan].subnet.length});
    beat.advert_version = place.sequence + 2;
  }
  place.voice.set(to_all(lan, host), beat);
}

void Crowd::set_manner(size_t lan, size_t first, size_t count, Manner manner) {
  for (size_t host = first; host < std::min(first + count, order_.count); host++) {
    lans_[lan].places[host].manner = manner;
    for (size_t each = 0; each < lans_.size(); each++) renew_voice(each, host);
  }
}

bool Crowd::hears(size_t lan, size_t host) const {
  const Manner manner = lans_[lan].places[host].manner;
  return manner != Manner::kSilent && manner != Manner::kDeaf && manner != Manner::kAloof;
}

// --- speaking

void Crowd::step() {
  uint64_t due = turns_;
  if (started_ != 0) {
    const auto elapsed = static_cast<uint64_t>(now() - started_);
    const auto interval = static_cast<uint64_t>(order_.interval);
    due = elapsed / interval * order_.count +  // whole rounds, then this one's part
          elapsed % interval * order_.count / interval;
  }
  if (due > turns_ + order_.count) turns_ = due - order_.count;  // after a stall: one round at most
  for (size_t lan = 0; lan < lans_.size(); lan++) {
    for (uint64_t turn = turns_; turn < due; turn++) take_turn(lan, turn % order_.count);
    flush(lan);
    listen(lan);
    if (started_ != 0) ask_some(lan);
    flush(lan);
  }
  turns_ = due;
}

void Crowd::take_turn(size_t lan, size_t host) {
  Place& place = lans_[lan].places[host];
  place.sequence++;
  if (place.manner == Manner::kSilent) return;  // counted all the same: its link is dead, not it
  if (place.manner != Manner::kHonest) misbehave(lan, host);
  place.voice.renumber(place.sequence);
  if (pending_ == kBatch) flush(lan);
  parts_[pending_++] = place.voice.part();
}

void Crowd::misbehave(size_t lan, size_t host) {
  Place& place = lans_[lan].places[host];
  if (place.manner == Manner::kUsurper) renew_voice(lan, host);
  if (place.manner == Manner::kRestarting) {
    const auto turns = static_cast<uint32_t>(kRestartEvery / order_.interval) + 1;
    if (lan == 0 && next_random(&random_) % turns == 0) restart(host);
  }
  if (place.manner == Manner::kReplayer) {
    for (uint32_t back = 1; back <= 2 && back < place.sequence; back++) {
      Heartbeat beat = introduce(lan, host);
      beat.sequence = place.sequence - back;
      send_alone(lan, to_all(lan, host), beat);
    }
  }
  if (place.manner == Manner::kBabbler) babble(lan, host);
}

// Half of it truncated, so that it passes for ours at first sight; half of it noise.
void Crowd::babble(size_t lan, size_t host) {
  std::array<uint8_t, kMaxHeartbeatBytes> payload;
  size_t size = encode(introduce(lan, host), payload);
  if (next_random(&random_) % 2 == 0) {
    size -= 1 + next_random(&random_) % 32;
  } else {
    for (size_t i = 0; i < size; i++) payload[i] = static_cast<uint8_t>(next_random(&random_));
  }
  if (pending_ == kBatch) flush(lan);
  auto& frame = frames_[pending_];
  parts_[pending_++] = {frame.data(),
                        build_frame(to_all(lan, host), {payload.data(), size}, frame)};
}

void Crowd::restart(size_t host) {
  incarnations_[host].value++;
  for (size_t lan = 0; lan < lans_.size(); lan++) {
    Place& place = lans_[lan].places[host];
    place.sequence = place.unicast_sequence = 0;
    place.ask_again_after = 0;
    lans_[lan].ask_at[host] = now();
    renew_voice(lan, host);
  }
}

void Crowd::send_alone(size_t lan, const FrameAddresses& addresses, const Heartbeat& beat) {
  std::array<uint8_t, kMaxHeartbeatBytes> payload;
  const size_t bytes = encode(beat, payload);
  if (pending_ == kBatch) flush(lan);
  auto& frame = frames_[pending_];
  parts_[pending_++] = {frame.data(), build_frame(addresses, {payload.data(), bytes}, frame)};
}

void Crowd::flush(size_t lan) {
  if (pending_ == 0) return;
  std::array<mmsghdr, kBatch> messages{};
  for (size_t i = 0; i < pending_; i++) {
    messages[i].msg_hdr.msg_iov = &parts_[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const int done =
      std::max(0, sendmmsg(lans_[lan].socket, messages.data(), static_cast<unsigned>(pending_), 0));
  lans_[lan].sent += done;
  lans_[lan].sent_rate.note(now(), done);
  refused_ += static_cast<int64_t>(pending_) - done;
  pending_ = 0;
}

// --- the daemon

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
    lans_[lan].heard++;
    lans_[lan].heard_rate.note(arrived, 1);
    notice_daemon(lan, frame.from_mac, frame.from);
    const size_t host = heard_.to.value - kFirstHost;
    if (host >= order_.count || !hears(lan, host)) continue;
    if (heard_.type == MessageType::kInq && heard_.solicit) answer(lan, host, arrived);
    if (heard_.type == MessageType::kAck && heard_.solicit) take_answer(lan, host);
  }
}

void Crowd::notice_daemon(size_t lan, const MacAddress& mac, const IpAddress& ip) {
  daemon_.mac[lan] = mac;
  daemon_.ip[lan] = ip;
  const bool changed = heard_.host != daemon_.host || heard_.incarnation != daemon_.incarnation;
  daemon_.host = heard_.host;
  daemon_.incarnation = heard_.incarnation;
  if (!changed) return;
  for (Lan& each : lans_) {
    each.met = 0;
    for (Place& place : each.places) {
      place.acked = false;
      place.ask_again_after = 0;
    }
    plan_to_ask(each);
  }
}

void Crowd::ask_some(size_t lan) {
  const Nanoseconds at = now();
  const auto& due = lans_[lan].ask_at;
  for (size_t host = 0; host < due.size(); host++) {
    if (due[host] <= at) ask(lan, host);
  }
}

void Crowd::ask(size_t lan, size_t host) {
  Lan& here = lans_[lan];
  Place& place = here.places[host];
  const Nanoseconds floor = std::max(kAskRetryFloor, 2 * order_.interval);
  place.ask_again_after =
      std::clamp(2 * place.ask_again_after, floor, std::max(kAskRetryCeiling, 2 * order_.interval));
  here.ask_at[host] = now() + place.ask_again_after;
  // Its address on this LAN is known from its first packet there.
  if (!hears(lan, host) || daemon_.ip[lan].family == Family::kNone) return;
  Heartbeat beat = introduce(lan, host);
  beat.solicit = true;
  beat.sequence = ++place.unicast_sequence;
  beat.to = daemon_.host;
  beat.to_incarnation = daemon_.incarnation;
  place.asked = beat.sequence;
  send_alone(lan, to_daemon(lan, host), beat);
  here.solicits++;
}

void Crowd::take_answer(size_t lan, size_t host) {
  Place& place = lans_[lan].places[host];
  if (heard_.to_incarnation != incarnations_[host] || heard_.echo_sequence != place.asked) return;
  if (!place.acked) {
    lans_[lan].met++;
    lans_[lan].met_at = now();
  }
  place.acked = true;
  place.ask_again_after = 0;
  lans_[lan].ask_at[host] = now() + kAskEvery;
}

FrameAddresses Crowd::to_daemon(size_t lan, size_t host) const {
  return {mac_of(lan, host), daemon_.mac[lan], address_of(lan, host), daemon_.ip[lan], order_.port};
}

void Crowd::answer(size_t lan, size_t host, Nanoseconds arrived) {
  Heartbeat beat = introduce(lan, host);
  beat.type = MessageType::kAck;
  beat.solicit = true;  // it echoes the sequence of a solicit, not that of a broadcast
  beat.hears_you = true;
  beat.sequence = ++lans_[lan].places[host].unicast_sequence;
  beat.to = heard_.host;
  beat.to_incarnation = heard_.incarnation;
  beat.echo_sequence = heard_.sequence;
  beat.echo_hold = Duration::ns(now() - arrived);
  send_alone(lan, to_daemon(lan, host), beat);
  lans_[lan].answers++;
}

void Crowd::report(Json& json) {
  json.field("at", now()).field("begun", started_).field("refused", refused_);
  json.key("lans").open('[');
  for (Lan& lan : lans_) {
    json.open('{').field("sent", lan.sent).field("heard", lan.heard);
    json.field("solicits", lan.solicits).field("answers", lan.answers);
    json.field("met", lan.met).field("metAt", lan.met_at);
    json.field("sentPeak", lan.sent_rate.take_peak());
    json.field("heardPeak", lan.heard_rate.take_peak()).close('}');
    lan.sent = lan.heard = lan.solicits = lan.answers = 0;
  }
  json.close(']');
  refused_ = 0;
}

}  // namespace faild::bench
