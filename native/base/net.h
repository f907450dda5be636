// Addresses as values: a family and bytes, never a bare uint32.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bounded.h"

namespace faild {

enum class Family : uint8_t { kNone = 0, kIpv4 = 4, kIpv6 = 6 };

// An IPv4 or IPv6 address in network byte order; IPv4 uses the first four bytes, the rest stay
// zero.
struct IpAddress {
  Family family = Family::kNone;
  std::array<uint8_t, 16> bytes{};

  [[nodiscard]] size_t size() const {
    return family == Family::kIpv4 ? 4 : family == Family::kIpv6 ? 16 : 0;
  }
  [[nodiscard]] bool is_link_local() const;  // 169.254/16 or fe80::/10
  // neither unspecified, loopback, multicast nor limited broadcast
  [[nodiscard]] bool is_host() const;
  constexpr auto operator<=>(const IpAddress&) const = default;
};

// An address with its prefix length: an interface's address, or (with the host bits zero) a subnet.
struct Prefix {
  IpAddress address;
  uint8_t length = 0;  // bits: 0..32 or 0..128

  [[nodiscard]] Prefix network() const;  // the same with the host bits cleared
  // same family and same leading `length` bits
  [[nodiscard]] bool contains(const IpAddress& ip) const;
  [[nodiscard]] static Prefix host(const IpAddress& ip);  // /32 or /128
  constexpr auto operator<=>(const Prefix&) const = default;
};

struct MacAddress {
  std::array<uint8_t, 6> bytes{};
  [[nodiscard]] bool is_unicast() const;  // not multicast, not all zero
  constexpr auto operator<=>(const MacAddress&) const = default;
};
inline constexpr MacAddress kBroadcastMac{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

using AddressText = BoundedText<48>;  // "fe80::1/128" at most, with room
[[nodiscard]] AddressText to_text(const IpAddress& ip);
[[nodiscard]] AddressText to_text(const Prefix& prefix);
[[nodiscard]] AddressText to_text(const MacAddress& mac);
[[nodiscard]] std::optional<IpAddress> parse_ip(std::string_view text);
[[nodiscard]] std::optional<Prefix> parse_prefix(
    std::string_view text);  // "10.0.0.1/24"; without "/": a host
[[nodiscard]] std::optional<MacAddress> parse_mac(std::string_view text);

}  // namespace faild
