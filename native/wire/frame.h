// Ethernet + IP + UDP around a heartbeat, for the raw transport: the frames that the kernel would
// have made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/net.h"

namespace faild {

// All hosts on this link that run faild, for a LAN without IPv4 (RFC 4291 2.7, link-local scope,
// transient: our own group).
[[nodiscard]] IpAddress heartbeat_group_v6();
// 239.255.93.11: the same for IPv4, of the local scope (RFC 2365 6.1), unless another is configured
[[nodiscard]] IpAddress heartbeat_group_v4();
// 255.255.255.255 (RFC 919: never forwarded)
[[nodiscard]] IpAddress limited_broadcast_v4();
[[nodiscard]] MacAddress multicast_mac(const IpAddress& group);  // RFC 1112 / RFC 2464

struct FrameAddresses {
  MacAddress from_mac, to_mac;
  IpAddress from, to;  // the same family
  uint16_t port = 0;   // source and destination alike
};

// Writes a whole Ethernet frame (IPv4: DF set, TTL 1, DSCP CS6; IPv6: hop limit 1, same class);
// returns the bytes used. `out` must hold kMaxFrameBytes (checked).
[[nodiscard]] size_t build_frame(const FrameAddresses& addresses, std::span<const uint8_t> payload,
                                 std::span<uint8_t> out);

enum class FrameError : uint8_t {
  kTooShort,
  kNotIp,
  kFragment,
  kNotUdp,
  kOtherPort,
  kBadLength,
  kBadChecksum
};
inline constexpr size_t kFrameErrors = 7;
[[nodiscard]] const char* to_string(FrameError error);

struct ParsedFrame {
  MacAddress from_mac;
  IpAddress from, to;
  std::span<const uint8_t> payload;
};

// Reads one Ethernet frame. `verify_checksum` false: the kernel vouches for it
// (TP_STATUS_CSUM_VALID), or has not filled it in yet because the packet never left the machine
// (TP_STATUS_CSUMNOTREADY).
[[nodiscard]] std::optional<FrameError> parse_frame(std::span<const uint8_t> bytes, uint16_t port,
                                                    bool verify_checksum, ParsedFrame* frame);

// Where the heartbeat lies in a frame as those above are made: read unchecked, for a hint and no
// more. Empty: in none such.
[[nodiscard]] std::span<const uint8_t> glance_at_payload(std::span<const uint8_t> bytes);

}  // namespace faild
