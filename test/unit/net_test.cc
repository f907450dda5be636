// Addresses as values: what counts as a host's address, what a prefix contains, and how they read
// as text.
#include "base/net.h"

#include <doctest/doctest.h>

#include <string>

namespace faild {
namespace {

IpAddress ip(const char* text) {
  const auto parsed = parse_ip(text);
  REQUIRE_MESSAGE(parsed, text);
  return *parsed;
}
Prefix prefix(const char* text) {
  const auto parsed = parse_prefix(text);
  REQUIRE_MESSAGE(parsed, text);
  return *parsed;
}
std::string round(const char* text) { return std::string(to_text(prefix(text)).view()); }

}  // namespace

TEST_CASE("text that is no address is refused") {
  for (const char* text : {"", "10.0.0", "10.0.0.256", "10.0.0.1 ", "fe80::1%eth0", "1:2", ":::",
                           "host", "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc"}) {
    CHECK_MESSAGE(!parse_ip(text), text);
  }
  CHECK(!parse_ip(std::string_view("10.0.0.1\0x", 10)));
  for (const char* text : {"10.0.0.1/33", "fe80::1/129", "10.0.0.1/", "10.0.0.1/-1", "10.0.0.1/8x",
                           "10.0.0.1/256", "/24", "10.0.0.1/8/8"}) {
    CHECK_MESSAGE(!parse_prefix(text), text);
  }
  for (const char* text :
       {"", "02:00:00:00:00", "02:00:00:00:00:0g", "02-00-00-00-00-01", "02:00:00:00:00:01:02"}) {
    CHECK_MESSAGE(!parse_mac(text), text);
  }
}

TEST_CASE("text and value go back and forth") {
  CHECK(round("10.0.0.1/24") == "10.0.0.1/24");
  CHECK(round("10.0.0.1") == "10.0.0.1/32");
  CHECK(round("fe80::1") == "fe80::1/128");
  CHECK(round("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/128") ==
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff/128");
  CHECK(to_text(IpAddress{}).view() == "none");
  CHECK(to_text(*parse_mac("02:AB:00:ff:10:01")).view() == "02:ab:00:ff:10:01");
}

TEST_CASE("only a host's own address is one") {
  for (const char* text : {"0.0.0.0", "127.0.0.1", "127.255.0.1", "224.0.0.1", "239.1.1.1",
                           "255.255.255.255", "::", "::1", "ff02::1", "ff12::1"}) {
    CHECK_MESSAGE(!ip(text).is_host(), text);
  }
  for (const char* text :
       {"10.0.0.1", "169.254.1.1", "223.255.255.255", "fe80::1", "::2", "1::1", "2001:db8::"}) {
    CHECK_MESSAGE(ip(text).is_host(), text);
  }
  CHECK(!IpAddress{}.is_host());
}

TEST_CASE("link-local is 169.254/16 and fe80::/10") {
  CHECK(ip("169.254.0.1").is_link_local());
  CHECK(!ip("169.253.0.1").is_link_local());
  CHECK(ip("fe80::1").is_link_local());
  CHECK(ip("febf::1").is_link_local());
  CHECK(!ip("fec0::1").is_link_local());
  CHECK(!IpAddress{}.is_link_local());
}

TEST_CASE("a prefix contains its subnet and nothing of another family") {
  CHECK(prefix("10.0.1.1/24").contains(ip("10.0.1.255")));
  CHECK(!prefix("10.0.1.1/24").contains(ip("10.0.2.1")));
  CHECK(prefix("10.0.1.1/23").contains(ip("10.0.0.9")));
  CHECK(!prefix("10.0.1.1/32").contains(ip("10.0.1.0")));
  CHECK(prefix("0.0.0.0/0").contains(ip("1.2.3.4")));
  CHECK(!prefix("0.0.0.0/0").contains(ip("::1")));
  CHECK(prefix("2001:db8::/33").contains(ip("2001:db8:7fff::1")));
  CHECK(!prefix("2001:db8::/33").contains(ip("2001:db8:8000::1")));
  CHECK(!Prefix{}.contains(IpAddress{}));
  CHECK(prefix("10.0.129.7/17").network() == prefix("10.0.128.0/17"));
  CHECK(prefix("fe80::1:2:3:4/64").network() == prefix("fe80::/64"));
}

TEST_CASE("a MAC address of one interface is unicast") {
  CHECK(parse_mac("02:00:00:00:00:01")->is_unicast());
  CHECK(!kBroadcastMac.is_unicast());
  CHECK(!MacAddress{}.is_unicast());
  CHECK(!parse_mac("01:00:5e:00:00:01")->is_unicast());
}

}  // namespace faild
