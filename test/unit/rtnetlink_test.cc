// rtnetlink messages: the golden requests, what they decode to, what is not ours, and every way to
// be cut short.
#include "wire/rtnetlink.h"

#include <doctest/doctest.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/random.h"
#include "unit/vectors.h"

namespace faild {
namespace {

using Bytes = std::vector<uint8_t>;
using Kind = NetlinkNotice::Kind;

RouteOp op_of(const test::Vector& v) {
  RouteOp op;
  op.id = static_cast<uint32_t>(v.number("id"));
  if (v.text("op") == "neighbour") {
    op.kind = RouteOp::Kind::kNeighbour;
    op.neighbour = *parse_ip(v.text("neighbour"));
    if (v.has("mac")) op.neighbour_mac = *parse_mac(v.text("mac"));
    op.neighbour_ifindex = static_cast<uint32_t>(v.number("ifindex"));
    return op;
  }
  op.kind = v.text("op") == "set" ? RouteOp::Kind::kSet : RouteOp::Kind::kRemove;
  op.key.kind = v.text("what") == "rule" ? RouteKey::Kind::kRule : RouteKey::Kind::kRoute;
  op.key.table = static_cast<uint32_t>(v.number("table"));
  op.key.destination = *parse_prefix(v.text("destination"));
  if (v.has("udpPort")) op.key.udp_port = static_cast<uint16_t>(v.number("udpPort"));
  op.priority = static_cast<uint32_t>(v.number("priority"));
  op.target.out_ifindex = static_cast<uint32_t>(v.number("outIfindex"));
  op.target.also_direct_ifindex = static_cast<uint32_t>(v.number("alsoDirectIfindex"));
  if (v.has("rtoMinMs")) op.target.rto_min_ms = static_cast<uint32_t>(v.number("rtoMinMs"));
  if (v.has("gateway")) op.target.gateway = *parse_ip(v.text("gateway"));
  if (v.has("source")) op.target.source = *parse_ip(v.text("source"));
  return op;
}

Bytes encoded(const RouteOp& op) {
  Bytes out(kMaxRouteMessageBytes, 0xee);
  out.resize(encode_route_op(op, out));
  return out;
}

// The first message of a vector alone: a neighbour's removal has two.
Bytes first_message(const test::Vector& v) {
  Bytes bytes = v.bytes();
  nlmsghdr header;
  std::memcpy(&header, bytes.data(), sizeof header);
  bytes.resize(header.nlmsg_len);
  return bytes;
}

// The only notice in `bytes`.
NetlinkNotice read_one(const Bytes& bytes) {
  std::span<const uint8_t> rest(bytes);
  NetlinkNotice notice;
  REQUIRE(next_notice(&rest, &notice));
  CHECK(rest.empty());
  return notice;
}

template <typename T>
void add(Bytes* bytes, const T& value) {
  const auto* p = reinterpret_cast<const uint8_t*>(&value);
  bytes->insert(bytes->end(), p, p + sizeof value);
}
void add_attribute(Bytes* bytes, uint16_t type, const Bytes& data) {
  add(bytes, static_cast<uint16_t>(4 + data.size()));
  add(bytes, type);
  bytes->insert(bytes->end(), data.begin(), data.end());
  bytes->resize((bytes->size() + 3) / 4 * 4);
}
Bytes message(uint16_t type, uint16_t flags, const Bytes& body) {
  Bytes bytes;
  add(&bytes, nlmsghdr{static_cast<uint32_t>(sizeof(nlmsghdr) + body.size()), type, flags, 7, 8});
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}
Bytes text(const char* s) { return Bytes(s, s + std::strlen(s) + 1); }
Bytes status(int error) {
  Bytes body;
  add(&body, int32_t{error});
  return body;
}

}  // namespace

TEST_CASE("golden route operations") {
  for (const auto& v : test::read_vectors("rtnetlink.txt")) {
    INFO(v.text("vector"));
    CHECK(encoded(op_of(v)) == v.bytes());
  }
}

TEST_CASE("what is written for routes and rules reads back as the same entry") {
  for (const auto& v : test::read_vectors("rtnetlink.txt")) {
    INFO(v.text("vector"));
    const RouteOp op = op_of(v);
    if (op.kind == RouteOp::Kind::kNeighbour) continue;
    const NetlinkNotice notice = read_one(v.bytes());
    CHECK(notice.sequence == op.id);
    REQUIRE(notice.kind == Kind::kEntry);
    CHECK(notice.entry.removed == (op.kind == RouteOp::Kind::kRemove));
    CHECK(notice.entry.entry.key == op.key);
    CHECK(notice.entry.entry.priority == op.priority);
    CHECK(notice.entry.entry.target == op.target);
  }
}

TEST_CASE("entries of other protocols are not ours") {
  Bytes route = encoded(op_of(test::read_vectors("rtnetlink.txt").front()));
  route[sizeof(nlmsghdr) + offsetof(rtmsg, rtm_protocol)] = RTPROT_STATIC;
  CHECK(read_one(route).kind == Kind::kOther);
  for (const auto& v : test::read_vectors("rtnetlink.txt")) {
    if (v.text("what") != "rule") continue;
    Bytes rule = v.bytes();
    rule[rule.size() - 4] = RTPROT_STATIC;  // FRA_PROTOCOL comes last
    CHECK(read_one(rule).kind == Kind::kOther);
  }
}

TEST_CASE("host bits of a destination are not sent") {
  RouteOp op = op_of(test::read_vectors("rtnetlink.txt").front());
  op.key.destination = *parse_prefix("10.0.1.77/24");
  CHECK(read_one(encoded(op)).entry.entry.key.destination == *parse_prefix("10.0.1.0/24"));
}

TEST_CASE("a timer that is not locked does not count") {
  Bytes bytes;
  for (const auto& v : test::read_vectors("rtnetlink.txt")) {
    if (v.text("vector") == "route-direct") bytes = v.bytes();
  }
  const Bytes lock = {8, 0, RTAX_LOCK, 0, 0, 1U << (RTAX_RTO_MIN - 8), 0, 0};
  const auto at = std::search(bytes.begin(), bytes.end(), lock.begin(), lock.end());
  REQUIRE(at != bytes.end());
  CHECK(read_one(bytes).entry.entry.target.rto_min_ms == 5);
  at[5] = 0;
  CHECK(read_one(bytes).entry.entry.target.rto_min_ms == 0);
}

TEST_CASE("links") {
  ifinfomsg head{};
  head.ifi_index = 3;
  head.ifi_flags = IFF_UP | IFF_LOWER_UP | IFF_BROADCAST;
  Bytes body;
  add(&body, head);
  add_attribute(&body, IFLA_IFNAME, text("eth0"));
  add_attribute(&body, IFLA_ADDRESS, {2, 0, 0, 0, 0, 1});
  add_attribute(&body, IFLA_MTU, {0xdc, 5, 0, 0});
  Bytes info;
  add_attribute(&info, IFLA_INFO_KIND, text("veth"));
  add_attribute(&body, IFLA_LINKINFO | NLA_F_NESTED, info);
  const NetlinkNotice notice = read_one(message(RTM_NEWLINK, 0, body));
  REQUIRE(notice.kind == Kind::kLink);
  CHECK(notice.link.ifindex == 3);
  CHECK(notice.link.name.view() == "eth0");
  CHECK(notice.link.mac == *parse_mac("02:00:00:00:00:01"));
  CHECK(notice.link.mtu == 1500);
  CHECK(notice.link.kind.view() == "veth");
  CHECK((notice.link.admin_up && notice.link.carrier && notice.link.broadcast));
  CHECK((!notice.link.loopback && !notice.link.removed));
  CHECK(read_one(message(RTM_DELLINK, 0, body)).link.removed);
}

TEST_CASE("addresses: the local one, and whether it is usable yet") {
  ifaddrmsg head{};
  head.ifa_family = AF_INET;
  head.ifa_prefixlen = 24;
  head.ifa_index = 3;
  Bytes body;
  add(&body, head);
  add_attribute(&body, IFA_ADDRESS, {10, 0, 1, 9});
  CHECK(read_one(message(RTM_NEWADDR, 0, body)).address.address == *parse_prefix("10.0.1.9/24"));
  add_attribute(&body, IFA_LOCAL, {10, 0, 1, 1});
  NetlinkNotice notice = read_one(message(RTM_NEWADDR, 0, body));
  REQUIRE(notice.kind == Kind::kAddress);
  CHECK(notice.address.address == *parse_prefix("10.0.1.1/24"));
  CHECK(notice.address.usable);
  add_attribute(&body, IFA_FLAGS, {IFA_F_TENTATIVE, 0, 0, 0});
  notice = read_one(message(RTM_DELADDR, 0, body));
  CHECK(!notice.address.usable);
  CHECK(notice.address.removed);
  body[1] = 33;
  CHECK(read_one(message(RTM_NEWADDR, 0, body)).kind == Kind::kOther);
}

TEST_CASE("answers: done, an errno, the kernel's own words") {
  Bytes body = status(0);
  add(&body, nlmsghdr{});
  NetlinkNotice notice = read_one(message(NLMSG_ERROR, NLM_F_CAPPED, body));
  CHECK(notice.kind == Kind::kAck);
  CHECK(notice.error == 0);
  CHECK(notice.sequence == 7);
  CHECK(notice.port_id == 8);

  const Bytes request = encoded(op_of(test::read_vectors("rtnetlink.txt").front()));
  Bytes whole = status(-ENETUNREACH);
  whole.insert(whole.end(), request.begin(), request.end());
  add_attribute(&whole, NLMSGERR_ATTR_MSG, text("Nexthop has invalid gateway"));
  notice = read_one(message(NLMSG_ERROR, NLM_F_ACK_TLVS, whole));
  CHECK(notice.error == ENETUNREACH);
  CHECK(notice.message.view() == "Nexthop has invalid gateway");
  CHECK(read_one(message(NLMSG_ERROR, 0, whole)).message.view().empty());
  CHECK(read_one(message(NLMSG_ERROR, 0, {1, 2})).kind == Kind::kOther);
}

TEST_CASE("a dump's end, its error, and an interrupted dump") {
  CHECK(read_one(message(NLMSG_DONE, NLM_F_MULTI, status(0))).kind == Kind::kDone);
  CHECK(read_one(message(NLMSG_DONE, NLM_F_MULTI, {})).kind == Kind::kDone);
  CHECK(read_one(message(NLMSG_DONE, NLM_F_MULTI, status(-ENODEV))).error == ENODEV);
  const NetlinkNotice end = read_one(message(NLMSG_DONE, NLM_F_DUMP_INTR, status(0)));
  CHECK(end.kind == Kind::kDone);
  CHECK(end.error == EINTR);
  CHECK(read_one(message(RTM_NEWROUTE, NLM_F_DUMP_INTR, {})).kind == Kind::kInterrupted);
}

TEST_CASE("several messages come one by one, and a broken rest is discarded") {
  Bytes bytes = message(NLMSG_NOOP, 0, {1});
  bytes.resize(20);
  const Bytes done = message(NLMSG_DONE, 0, status(0));
  bytes.insert(bytes.end(), done.begin(), done.end());
  bytes.insert(bytes.end(), {1, 2, 3});
  std::span<const uint8_t> rest(bytes);
  NetlinkNotice notice;
  REQUIRE(next_notice(&rest, &notice));
  CHECK(notice.kind == Kind::kOther);
  REQUIRE(next_notice(&rest, &notice));
  CHECK(notice.kind == Kind::kDone);
  CHECK(!next_notice(&rest, &notice));
  CHECK(rest.empty());
}

TEST_CASE("messages cut or damaged anywhere are read within their bytes") {
  Random random(2);
  for (const auto& v : test::read_vectors("rtnetlink.txt")) {
    const Bytes whole = v.bytes();
    const Bytes one = first_message(v);
    for (size_t size = 0; size < one.size(); size++) {
      Bytes cut(one.begin(), one.begin() + static_cast<ptrdiff_t>(size));
      std::span<const uint8_t> rest(cut);
      NetlinkNotice notice;
      REQUIRE(!next_notice(&rest, &notice));
      if (size < sizeof(nlmsghdr)) continue;
      const auto length =
          static_cast<uint32_t>(size);  // now the header agrees and the body ends early
      std::memcpy(cut.data(), &length, sizeof length);
      (void)read_one(cut);
    }
    for (int round = 0; round < 5000; round++) {
      Bytes bytes = whole;
      for (int i = 0; i < 3; i++)
        bytes[random.below(bytes.size())] = static_cast<uint8_t>(random.next());
      std::span<const uint8_t> rest(bytes);
      NetlinkNotice notice;
      while (next_notice(&rest, &notice)) {
      }
    }
  }
}

}  // namespace faild
