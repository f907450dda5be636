// Addresses as values: what they mean and how they read. Pure; inet_ntop and inet_pton only convert
// text.
//
// Used by every layer: wire validates what peers announce, core compares subnets, io and addon show
// and parse text.
#include "base/net.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace faild {
namespace {

constexpr size_t bits_of(Family family) {
  return family == Family::kIpv4 ? 32 : family == Family::kIpv6 ? 128 : 0;
}

bool is_zero(const IpAddress& ip) {
  return std::all_of(ip.bytes.begin(), ip.bytes.end(), [](uint8_t b) { return b == 0; });
}

// The bits that a prefix of `length` keeps of byte `i`.
constexpr uint8_t mask_of_byte(size_t i, size_t length) {
  const size_t begin = i * 8;
  if (length >= begin + 8) return 0xff;
  if (length <= begin) return 0;
  return static_cast<uint8_t>(0xff00U >> (length - begin));
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

bool IpAddress::is_link_local() const {
  if (family == Family::kIpv4) return bytes[0] == 169 && bytes[1] == 254;
  return family == Family::kIpv6 && bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

bool IpAddress::is_host() const {
  if (family == Family::kNone || is_zero(*this)) return false;
  if (family == Family::kIpv6) {
    const bool loopback = bytes[15] == 1 && std::all_of(bytes.begin(), bytes.end() - 1,
                                                        [](uint8_t b) { return b == 0; });
    return !loopback && bytes[0] != 0xff;
  }
  const bool multicast = (bytes[0] & 0xf0) == 0xe0;
  const bool broadcast =
      std::all_of(bytes.begin(), bytes.begin() + 4, [](uint8_t b) { return b == 0xff; });
  return bytes[0] != 127 && !multicast && !broadcast;
}

Prefix Prefix::network() const {
  Prefix result = *this;
  for (size_t i = 0; i < result.address.size(); i++) {
    result.address.bytes[i] &= mask_of_byte(i, length);
  }
  return result;
}

bool Prefix::contains(const IpAddress& ip) const {
  if (ip.family != address.family || ip.family == Family::kNone) return false;
  for (size_t i = 0; i < ip.size(); i++) {
    if (((ip.bytes[i] ^ address.bytes[i]) & mask_of_byte(i, length)) != 0) return false;
  }
  return true;
}

Prefix Prefix::host(const IpAddress& ip) { return {ip, static_cast<uint8_t>(bits_of(ip.family))}; }

bool MacAddress::is_unicast() const { return (bytes[0] & 1) == 0 && *this != MacAddress{}; }

AddressText to_text(const IpAddress& ip) {
  if (ip.family == Family::kNone) return AddressText("none");
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = ip.family == Family::kIpv4 ? AF_INET : AF_INET6;
  FAILD_CHECK(inet_ntop(family, ip.bytes.data(), text.data(), text.size()) != nullptr);
  return AddressText(std::string_view(text.data()));
}

AddressText to_text(const Prefix& prefix) {
  const AddressText address = to_text(prefix.address);
  std::array<char, INET6_ADDRSTRLEN + 4> text{};
  char* end = std::copy(address.view().begin(), address.view().end(), text.begin());
  *end++ = '/';
  end = std::to_chars(end, text.end(), prefix.length).ptr;
  return AddressText({text.data(), static_cast<size_t>(end - text.data())});
}

AddressText to_text(const MacAddress& mac) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<char, 17> text{};
  for (size_t i = 0; i < mac.bytes.size(); i++) {
    if (i > 0) text[3 * i - 1] = ':';
    text[3 * i] = kDigits[mac.bytes[i] >> 4];
    text[3 * i + 1] = kDigits[mac.bytes[i] & 0xf];
  }
  return AddressText({text.data(), text.size()});
}

std::optional<IpAddress> parse_ip(std::string_view text) {
  // inet_pton wants a NUL at the end; a NUL inside would cut the text short and hide what follows.
  std::array<char, INET6_ADDRSTRLEN> copy{};
  if (text.size() >= copy.size() || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::copy(text.begin(), text.end(), copy.begin());
  IpAddress ip;
  const bool v6 = text.find(':') != std::string_view::npos;
  if (inet_pton(v6 ? AF_INET6 : AF_INET, copy.data(), ip.bytes.data()) != 1) return std::nullopt;
  ip.family = v6 ? Family::kIpv6 : Family::kIpv4;
  return ip;
}

std::optional<Prefix> parse_prefix(std::string_view text) {
  const size_t slash = text.find('/');
  const std::optional<IpAddress> ip = parse_ip(text.substr(0, slash));
  if (!ip) return std::nullopt;
  if (slash == std::string_view::npos) return Prefix::host(*ip);
  const std::string_view digits = text.substr(slash + 1);
  uint8_t length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (length > bits_of(ip->family)) return std::nullopt;
  return Prefix{*ip, length};
}

std::optional<MacAddress> parse_mac(std::string_view text) {
  MacAddress mac;
  if (text.size() != mac.bytes.size() * 3 - 1) return std::nullopt;
  for (size_t i = 0; i < mac.bytes.size(); i++) {
    const int high = hex_digit(text[3 * i]);
    const int low = hex_digit(text[3 * i + 1]);
    if (high < 0 || low < 0 || (i > 0 && text[3 * i - 1] != ':')) return std::nullopt;
    mac.bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return mac;
}

}  // namespace faild
