// Frames for the raw transport: every refusal, both families, damage, padding and the checksum's
// corner cases.
#include "wire/frame.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "base/limits.h"
#include "unit/vectors.h"
#include "wire/bytes.h"

namespace faild {
namespace {

using Bytes = std::vector<uint8_t>;
constexpr uint16_t kPort = 9311;

FrameAddresses v4() {
  return {*parse_mac("02:00:00:00:0a:01"), kBroadcastMac, *parse_ip("10.0.1.1"),
          limited_broadcast_v4(), kPort};
}
FrameAddresses v6() {
  const IpAddress group = heartbeat_group_v6();
  return {*parse_mac("02:00:00:00:0a:01"), multicast_mac(group), *parse_ip("fe80::1"), group,
          kPort};
}

Bytes built(const FrameAddresses& addresses, const Bytes& payload) {
  Bytes out(kMaxFrameBytes);
  out.resize(build_frame(addresses, payload, out));
  return out;
}

std::string refusal(const Bytes& bytes, bool verify = true) {
  const Bytes copy(bytes.begin(), bytes.end());
  ParsedFrame frame;
  const auto error = parse_frame(copy, kPort, verify, &frame);
  return error ? to_string(*error) : "none";
}

// The frame with one byte changed and the IPv4 header checksum (if any) made right again.
Bytes with(Bytes frame, size_t at, uint8_t value) {
  frame[at] = value;
  if (frame[12] != 0x08) return frame;
  store_be16(&frame[24], 0);
  uint32_t sum = 0;
  // A header that claims more than there is has no right checksum; the reader refuses it before.
  const size_t end = std::min(14 + size_t{4} * (frame[14] & 0xf), frame.size() - 1);
  for (size_t i = 14; i < end; i += 2) sum += load_be16(&frame[i]);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  store_be16(&frame[24], static_cast<uint16_t>(~sum));
  return frame;
}

}  // namespace

TEST_CASE("every refusal of a frame is reached") {
  const Bytes four = built(v4(), {1, 2, 3});
  const Bytes six = built(v6(), {1, 2, 3});
  const struct {
    const char* what;
    Bytes frame;
    const char* error;
  } cases[] = {
      {"nothing", {}, "too-short"},
      {"half an Ethernet header", Bytes(four.begin(), four.begin() + 13), "too-short"},
      {"no room for IPv4", Bytes(four.begin(), four.begin() + 33), "too-short"},
      {"IPv4 ends early", Bytes(four.begin(), four.end() - 1), "too-short"},
      {"no room for IPv6", Bytes(six.begin(), six.begin() + 53), "too-short"},
      {"IPv6 ends early", Bytes(six.begin(), six.end() - 1), "too-short"},
      {"ARP", with(four, 13, 0x06), "not-ip"},
      {"IPv4 of version 5", with(four, 14, 0x55), "not-ip"},
      {"IPv6 of version 4", with(six, 14, 0x4c), "not-ip"},
      {"more fragments", with(four, 20, 0x20), "fragment"},
      {"a fragment's offset", with(four, 21, 0x01), "fragment"},
      {"an IPv6 fragment", with(six, 20, 44), "fragment"},
      {"TCP", with(four, 23, 6), "not-udp"},
      {"IPv6 hop-by-hop options", with(six, 20, 0), "not-udp"},
      {"another port", with(four, 37, 0x60), "other-port"},
      {"an IPv4 header of four words", with(four, 14, 0x44), "bad-length"},
      {"an IPv4 header beyond the packet", with(four, 14, 0x4f), "bad-length"},
      {"IPv4 without room for UDP", with(four, 17, 27), "bad-length"},
      {"UDP longer than IPv4 says", with(four, 39, 12), "bad-length"},
      {"UDP shorter than its header", with(four, 39, 7), "bad-length"},
      {"UDP longer than IPv6 says", with(six, 59, 12), "bad-length"},
      {"a changed payload", with(four, 42, 9), "bad-checksum"},
      {"a changed payload over IPv6", with(six, 62, 9), "bad-checksum"},
  };
  std::set<std::string> seen;
  for (const auto& c : cases) {
    CHECK_MESSAGE(refusal(c.frame) == c.error, c.what);
    seen.insert(c.error);
  }
  CHECK(seen.size() == kFrameErrors);
  Bytes header = four;
  header[15] ^= 1;  // the class: covered by the IPv4 header's checksum, which no card vouches for
  CHECK(refusal(header, false) == "bad-checksum");
}

TEST_CASE("what is built is read") {
  for (const FrameAddresses& addresses : {v4(), v6()}) {
    for (size_t size :
         {size_t{0}, size_t{1}, size_t{2}, size_t{3}, size_t{139}, kMaxHeartbeatBytes}) {
      Bytes payload(size);
      for (size_t i = 0; i < size; i++) payload[i] = static_cast<uint8_t>(i * 7);
      Bytes bytes = built(addresses, payload);
      bytes.resize(std::max(bytes.size(), size_t{60}));  // the shortest Ethernet frame: padding
      ParsedFrame frame;
      REQUIRE(!parse_frame(bytes, kPort, true, &frame));
      CHECK(frame.from == addresses.from);
      CHECK(frame.to == addresses.to);
      CHECK(frame.from_mac == addresses.from_mac);
      CHECK(glance_at_payload(bytes).data() == frame.payload.data());
      CHECK(std::equal(frame.payload.begin(), frame.payload.end(), payload.begin(), payload.end()));
    }
  }
}

TEST_CASE("the golden frames") {
  // Made by hand from RFC 791, 768 and 8200: CS6, don't fragment, one hop; payload "hi".
  CHECK(built(v4(), {'h', 'i'}) == test::from_hex("ffffffffffff02000000"
                                                  "0a010800"
                                                  "45c0001e000040000111"
                                                  "6e0f"
                                                  "0a000101ffffffff"
                                                  "245f245f000a"
                                                  "43b2"
                                                  "6869"));
  const Bytes six = built(v6(), {'h', 'i'});
  CHECK(Bytes(six.begin(), six.begin() + 22) == test::from_hex("33330d009311"
                                                               "020000000a01"
                                                               "86dd"
                                                               "6c000000"
                                                               "000a1101"));
}

TEST_CASE("a checksum may be absent over IPv4 only, and unverified where the kernel vouches") {
  Bytes four = built(v4(), {1, 2, 3});
  store_be16(&four[40], 0);
  CHECK(refusal(four) == "none");
  Bytes six = built(v6(), {1, 2, 3});
  store_be16(&six[60], 0);
  CHECK(refusal(six) == "bad-checksum");
  CHECK(refusal(six, false) == "none");
}

TEST_CASE("a checksum that comes out as zero is sent as ffff") {
  // Put into the payload what makes the sum zero: the checksum of the datagram with two zero bytes
  // there.
  const Bytes zero = built(v4(), {0, 0});
  const Bytes frame = built(v4(), {zero[40], zero[41]});
  CHECK(load_be16(&frame[40]) == 0xffff);
  CHECK(refusal(frame) == "none");
}

TEST_CASE("IPv4 options are stepped over") {
  Bytes frame = built(v4(), {1, 2, 3});
  frame.insert(frame.begin() + 34, {1, 1, 1, 1});
  frame[17] = static_cast<uint8_t>(frame[17] + 4);
  CHECK(refusal(with(frame, 14, 0x46)) == "none");
}

TEST_CASE("a glance goes no further than the frame") {
  for (const Bytes& whole : {built(v4(), Bytes(40, 7)), built(v6(), Bytes(40, 7))}) {
    for (size_t size = 0; size < whole.size(); size++) {
      const std::span<const uint8_t> cut = std::span(whole).first(size);
      const auto payload = glance_at_payload(cut);
      REQUIRE((payload.empty() || payload.data() + payload.size() == cut.data() + cut.size()));
    }
  }
  CHECK(glance_at_payload(with(built(v4(), Bytes(40, 7)), 12, 0x86)).empty());
}

TEST_CASE("a frame cut or damaged anywhere is refused or read, never more") {
  for (const Bytes& whole : {built(v4(), Bytes(40, 7)), built(v6(), Bytes(40, 7))}) {
    for (size_t size = 0; size < whole.size(); size++) {
      REQUIRE(refusal(Bytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size))) ==
              "too-short");
    }
    for (size_t bit = 0; bit < whole.size() * 8; bit++) {
      Bytes bytes = whole;
      bytes[bit / 8] ^= static_cast<uint8_t>(1U << (bit % 8));
      (void)refusal(bytes);
      (void)refusal(bytes, false);
    }
  }
}

TEST_CASE("multicast MAC addresses follow their group") {
  CHECK(to_text(multicast_mac(heartbeat_group_v6())).view() == "33:33:0d:00:93:11");
  CHECK(to_text(multicast_mac(*parse_ip("239.129.2.3"))).view() == "01:00:5e:01:02:03");
  CHECK(to_text(heartbeat_group_v6()).view() == "ff12::fa11:d00:9311");
}

}  // namespace faild
