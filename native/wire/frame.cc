// Ethernet + IP + UDP around a heartbeat. Called by io's raw transport: build_frame for every
// packet sent, parse_frame for every frame that the socket's filter lets through.
//
// The frames are those that the kernel would have made, so hosts with raw and with UDP sockets
// understand each other.
#include "wire/frame.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/limits.h"
#include "wire/bytes.h"

namespace faild {
namespace {

constexpr size_t kEthernetBytes = 14;
constexpr size_t kEtherTypeAt = 12;
constexpr uint16_t kEtherTypeV4 = 0x0800;
constexpr uint16_t kEtherTypeV6 = 0x86dd;

constexpr size_t kV4Bytes = 20;  // without options
constexpr size_t kV6Bytes = 40;
constexpr size_t kUdpBytes = 8;
constexpr uint8_t kProtocolUdp = 17;
constexpr uint8_t kProtocolFragment = 44;  // RFC 8200 4.5

constexpr uint8_t kClassCs6 = 48 << 2;  // network control (RFC 4594 3.2): queues drop it last
constexpr uint16_t kDontFragment = 0x4000;
constexpr uint16_t kMoreFragmentsOrOffset = 0x3fff;
constexpr uint8_t kOneHop = 1;  // a heartbeat proves a LAN, so a router must not carry it elsewhere

// One's complement sum (RFC 1071), carried on over several pieces; each but the last of even
// length.
uint64_t sum_words(uint64_t sum, std::span<const uint8_t> bytes) {
  size_t i = 0;
  for (; i + 4 <= bytes.size(); i += 4) sum += load_be32(&bytes[i]);
  if (i + 2 <= bytes.size()) {
    sum += load_be16(&bytes[i]);
    i += 2;
  }
  if (i < bytes.size()) sum += uint64_t{bytes[i]} << 8;
  return sum;
}

uint16_t fold(uint64_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

// The sum over pseudo header and datagram: 0xffff when the datagram's checksum is right.
uint16_t sum_udp(const IpAddress& from, const IpAddress& to, std::span<const uint8_t> datagram) {
  uint64_t sum = datagram.size() + kProtocolUdp;
  sum = sum_words(sum, {from.bytes.data(), from.size()});
  sum = sum_words(sum, {to.bytes.data(), to.size()});
  return fold(sum_words(sum, datagram));
}

void write_v4(const FrameAddresses& addresses, size_t payload_bytes, uint8_t* p) {
  std::memset(p, 0, kV4Bytes);
  p[0] = 0x45;  // version 4, five words of header
  p[1] = kClassCs6;
  store_be16(p + 2, static_cast<uint16_t>(kV4Bytes + payload_bytes));
  store_be16(p + 6, kDontFragment);
  p[8] = kOneHop;
  p[9] = kProtocolUdp;
  std::memcpy(p + 12, addresses.from.bytes.data(), 4);
  std::memcpy(p + 16, addresses.to.bytes.data(), 4);
  store_be16(p + 10, static_cast<uint16_t>(~fold(sum_words(0, {p, kV4Bytes}))));
}

void write_v6(const FrameAddresses& addresses, size_t payload_bytes, uint8_t* p) {
  store_be32(p, 6U << 28 | uint32_t{kClassCs6} << 20);  // flow label zero
  store_be16(p + 4, static_cast<uint16_t>(payload_bytes));
  p[6] = kProtocolUdp;
  p[7] = kOneHop;
  std::memcpy(p + 8, addresses.from.bytes.data(), 16);
  std::memcpy(p + 24, addresses.to.bytes.data(), 16);
}

void write_udp(const FrameAddresses& addresses, std::span<const uint8_t> payload, uint8_t* p) {
  const size_t size = kUdpBytes + payload.size();
  store_be16(p, addresses.port);
  store_be16(p + 2, addresses.port);
  store_be16(p + 4, static_cast<uint16_t>(size));
  store_be16(p + 6, 0);
  std::copy(payload.begin(), payload.end(), p + kUdpBytes);
  const auto sum = static_cast<uint16_t>(~sum_udp(addresses.from, addresses.to, {p, size}));
  store_be16(p + 6, sum == 0 ? 0xffff : sum);  // zero would mean that there is none (RFC 768)
}

using Error = std::optional<FrameError>;

// Reads the IP header; `*rest` becomes the UDP datagram, without the padding of a short Ethernet
// frame.
Error read_v4(std::span<const uint8_t> ip, ParsedFrame* frame, std::span<const uint8_t>* rest) {
  if (ip.size() < kV4Bytes) return FrameError::kTooShort;
  if (ip[0] >> 4 != 4) return FrameError::kNotIp;
  const size_t header = size_t{4} * (ip[0] & 0xf);
  const size_t total = load_be16(&ip[2]);
  if (header < kV4Bytes || header > total) return FrameError::kBadLength;
  if (total > ip.size()) return FrameError::kTooShort;
  if (fold(sum_words(0, ip.first(header))) != 0xffff) return FrameError::kBadChecksum;
  if ((load_be16(&ip[6]) & kMoreFragmentsOrOffset) != 0) return FrameError::kFragment;
  if (ip[9] != kProtocolUdp) return FrameError::kNotUdp;
  frame->from = {Family::kIpv4, {}};
  frame->to = {Family::kIpv4, {}};
  std::memcpy(frame->from.bytes.data(), &ip[12], 4);
  std::memcpy(frame->to.bytes.data(), &ip[16], 4);
  *rest = ip.subspan(header, total - header);
  return std::nullopt;
}

Error read_v6(std::span<const uint8_t> ip, ParsedFrame* frame, std::span<const uint8_t>* rest) {
  if (ip.size() < kV6Bytes) return FrameError::kTooShort;
  if (ip[0] >> 4 != 6) return FrameError::kNotIp;
  const size_t payload = load_be16(&ip[4]);
  if (payload > ip.size() - kV6Bytes) return FrameError::kTooShort;
  if (ip[6] == kProtocolFragment) return FrameError::kFragment;
  if (ip[6] != kProtocolUdp) return FrameError::kNotUdp;
  frame->from = {Family::kIpv6, {}};
  frame->to = {Family::kIpv6, {}};
  std::memcpy(frame->from.bytes.data(), &ip[8], 16);
  std::memcpy(frame->to.bytes.data(), &ip[24], 16);
  *rest = ip.subspan(kV6Bytes, payload);
  return std::nullopt;
}

Error read_udp(std::span<const uint8_t> rest, uint16_t port, bool verify_checksum,
               ParsedFrame* frame) {
  if (rest.size() < kUdpBytes) return FrameError::kBadLength;
  if (load_be16(&rest[2]) != port) return FrameError::kOtherPort;
  const size_t length = load_be16(&rest[4]);
  if (length < kUdpBytes || length > rest.size()) return FrameError::kBadLength;
  const std::span<const uint8_t> datagram = rest.first(length);
  // Over IPv4 a checksum of zero says that there is none; IPv6 does not allow that (RFC 8200 8.1).
  const bool none = load_be16(&rest[6]) == 0 && frame->from.family == Family::kIpv4;
  if (verify_checksum && !none) {
    const bool absent = load_be16(&rest[6]) == 0;
    if (absent || sum_udp(frame->from, frame->to, datagram) != 0xffff)
      return FrameError::kBadChecksum;
  }
  frame->payload = datagram.subspan(kUdpBytes);
  return std::nullopt;
}

}  // namespace

IpAddress heartbeat_group_v6() {
  // ff12::fa11:d00:9311. ff12 is transient and link-local; then our name as hex digits go, and our
  // port as one reads it.
  return {Family::kIpv6, {0xff, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0xfa, 0x11, 0x0d, 0, 0x93, 0x11}};
}

// 239.255 is the local scope; then our port in two parts, as one reads it.
IpAddress heartbeat_group_v4() { return {Family::kIpv4, {239, 255, 93, 11}}; }

IpAddress limited_broadcast_v4() { return {Family::kIpv4, {255, 255, 255, 255}}; }

MacAddress multicast_mac(const IpAddress& group) {
  const auto& b = group.bytes;
  if (group.family == Family::kIpv6) return {{0x33, 0x33, b[12], b[13], b[14], b[15]}};
  return {{0x01, 0x00, 0x5e, static_cast<uint8_t>(b[1] & 0x7f), b[2], b[3]}};
}

const char* to_string(FrameError error) {
  switch (error) {
    case FrameError::kTooShort: return "too-short";
    case FrameError::kNotIp: return "not-ip";
    case FrameError::kFragment: return "fragment";
    case FrameError::kNotUdp: return "not-udp";
    case FrameError::kOtherPort: return "other-port";
    case FrameError::kBadLength: return "bad-length";
    case FrameError::kBadChecksum: return "bad-checksum";
  }
  return "invalid";
}

size_t build_frame(const FrameAddresses& addresses, std::span<const uint8_t> payload,
                   std::span<uint8_t> out) {
  FAILD_CHECK(out.size() >= kMaxFrameBytes);
  FAILD_CHECK(payload.size() <= kMaxHeartbeatBytes);
  FAILD_CHECK(addresses.from.family == addresses.to.family &&
              addresses.from.family != Family::kNone);
  const bool v4 = addresses.from.family == Family::kIpv4;
  uint8_t* p = out.data();
  p = std::copy(addresses.to_mac.bytes.begin(), addresses.to_mac.bytes.end(), p);
  p = std::copy(addresses.from_mac.bytes.begin(), addresses.from_mac.bytes.end(), p);
  store_be16(p, v4 ? kEtherTypeV4 : kEtherTypeV6);
  p += 2;
  const size_t udp_bytes = kUdpBytes + payload.size();
  if (v4) {
    write_v4(addresses, udp_bytes, p);
    p += kV4Bytes;
  } else {
    write_v6(addresses, udp_bytes, p);
    p += kV6Bytes;
  }
  write_udp(addresses, payload, p);
  return static_cast<size_t>(p - out.data()) + udp_bytes;
}

std::optional<FrameError> parse_frame(std::span<const uint8_t> bytes, uint16_t port,
                                      bool verify_checksum, ParsedFrame* frame) {
  if (bytes.size() < kEthernetBytes) return FrameError::kTooShort;
  std::memcpy(frame->from_mac.bytes.data(), &bytes[6], frame->from_mac.bytes.size());
  const std::span<const uint8_t> ip = bytes.subspan(kEthernetBytes);
  std::span<const uint8_t> rest;
  Error error = FrameError::kNotIp;
  const uint16_t type = load_be16(&bytes[kEtherTypeAt]);
  if (type == kEtherTypeV4) error = read_v4(ip, frame, &rest);
  if (type == kEtherTypeV6) error = read_v6(ip, frame, &rest);
  if (error) return error;
  return read_udp(rest, port, verify_checksum, frame);
}

std::span<const uint8_t> glance_at_payload(std::span<const uint8_t> bytes) {
  if (bytes.size() < kEthernetBytes) return {};
  const uint16_t type = load_be16(&bytes[kEtherTypeAt]);
  if (type != kEtherTypeV4 && type != kEtherTypeV6) return {};
  const size_t ip = type == kEtherTypeV4 ? kV4Bytes : kV6Bytes;
  const size_t headers = kEthernetBytes + ip + kUdpBytes;
  return bytes.subspan(std::min(headers, bytes.size()));
}

}  // namespace faild
