// The kernel's word on our rtnetlink messages: routes, rules and neighbours go into a real kernel
// and come back equal.
//
// Runs in a network namespace of its own (in a user namespace too, without root), in a child
// process, so that nothing of this machine is touched. Where neither is allowed it says so and
// passes.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "wire/rtnetlink.h"

namespace faild {
namespace {

using Kind = NetlinkNotice::Kind;

#ifndef NETLINK_GET_STRICT_CHK
#define NETLINK_GET_STRICT_CHK 12
#endif

// A plain NETLINK_ROUTE socket: asks, and waits for the kernel's answer, which comes at once.
class Kernel {
 public:
  Kernel() : fd_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)) {
    const int on = 1;
    (void)setsockopt(fd_, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
    (void)setsockopt(fd_, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
    (void)setsockopt(fd_, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  }
  ~Kernel() { close(fd_); }
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  [[nodiscard]] NetlinkNotice carry_out(const RouteOp& op) {
    std::vector<uint8_t> out(kMaxRouteMessageBytes);
    send_bytes(out, encode_route_op(op, out));
    return collect().back();
  }
  [[nodiscard]] std::vector<NetlinkNotice> dump(DumpKind kind,
                                                std::optional<uint32_t> table = std::nullopt) {
    std::vector<uint8_t> out(kMaxRouteMessageBytes);
    send_bytes(out, encode_dump(kind, 99, out, table));
    return collect();
  }

 private:
  void send_bytes(const std::vector<uint8_t>& out, size_t size) const {
    REQUIRE(send(fd_, out.data(), size, 0) == static_cast<ssize_t>(size));
  }
  // Everything up to the answer or the end of the dump, which comes last.
  [[nodiscard]] std::vector<NetlinkNotice> collect() const {
    std::vector<NetlinkNotice> notices;
    std::vector<uint8_t> buffer(65536);
    for (;;) {
      const ssize_t got = recv(fd_, buffer.data(), buffer.size(), 0);
      REQUIRE(got > 0);
      std::span<const uint8_t> rest(buffer.data(), static_cast<size_t>(got));
      NetlinkNotice notice;
      while (next_notice(&rest, &notice)) {
        notices.push_back(notice);
        if (notice.kind == Kind::kAck || notice.kind == Kind::kDone) return notices;
      }
    }
  }

  int fd_;
};

RouteOp route(uint32_t id, const char* destination, const char* gateway, const char* source,
              uint32_t out_ifindex, uint32_t also_direct_ifindex) {
  RouteOp op;
  op.id = id;
  op.key = {RouteKey::Kind::kRoute, kExceptionsTable, *parse_prefix(destination)};
  op.target.out_ifindex = out_ifindex;
  op.target.gateway = *parse_ip(gateway);
  if (source != nullptr) op.target.source = *parse_ip(source);
  op.target.also_direct_ifindex = also_direct_ifindex;
  op.priority = 1000 + id;
  return op;
}

RouteOp rule(uint32_t id, const char* destination, uint32_t table, uint32_t priority) {
  RouteOp op;
  op.id = id;
  op.key = {RouteKey::Kind::kRule, table, *parse_prefix(destination)};
  op.priority = priority;
  return op;
}

const KernelEntry* find(const std::vector<NetlinkNotice>& dump, const RouteKey& key) {
  for (const NetlinkNotice& notice : dump) {
    if (notice.kind == Kind::kEntry && notice.entry.entry.key == key) return &notice.entry.entry;
  }
  return nullptr;
}

DumpKind dump_of(const RouteOp& op) {
  const bool v4 = op.key.destination.address.family == Family::kIpv4;
  if (op.key.kind == RouteKey::Kind::kRule) return v4 ? DumpKind::kRulesV4 : DumpKind::kRulesV6;
  return v4 ? DumpKind::kRoutesV4 : DumpKind::kRoutesV6;
}

// Sets, sees it in the dump, sets again (replaced, or refused for a rule), removes, no longer sees
// it.
void check_round_trip(Kernel& kernel, RouteOp op) {
  const auto text = to_text(op.key.destination);
  INFO(std::string(text.view()));
  const NetlinkNotice answer = kernel.carry_out(op);
  INFO(std::string(answer.message.view()));
  REQUIRE(answer.kind == Kind::kAck);
  REQUIRE(answer.error == 0);
  CHECK(answer.sequence == op.id);
  const auto dump = kernel.dump(dump_of(op));
  CHECK(dump.back().error == 0);
  const KernelEntry* entry = find(dump, op.key);
  REQUIRE(entry != nullptr);
  CHECK(entry->target == op.target);
  CHECK(entry->priority == op.priority);
  const bool is_rule = op.key.kind == RouteKey::Kind::kRule;
  CHECK(kernel.carry_out(op).error == (is_rule ? EEXIST : 0));
  op.kind = RouteOp::Kind::kRemove;
  CHECK(kernel.carry_out(op).error == 0);
  CHECK(find(kernel.dump(dump_of(op)), op.key) == nullptr);
  CHECK(kernel.carry_out(op).error == (is_rule ? ENOENT : ESRCH));
}

std::string output_of(const char* command) {
  std::string text;
  FILE* pipe = popen(command, "r");
  REQUIRE(pipe != nullptr);
  for (int c = fgetc(pipe); c != EOF; c = fgetc(pipe)) text += static_cast<char>(c);
  pclose(pipe);
  return text;
}

void check_routes(Kernel& kernel, uint32_t a, uint32_t b) {
  check_round_trip(kernel, route(1, "10.0.1.2/32", "10.0.2.2", "10.0.1.1", b, 0));
  check_round_trip(kernel, route(2, "10.0.1.2/32", "10.0.2.2", "10.0.1.1", b, a));
  check_round_trip(kernel, route(3, "10.0.1.2/32", "fe80::b:2", "10.0.1.1", b, 0));
  check_round_trip(kernel, route(4, "10.0.1.2/32", "fe80::b:2", nullptr, b, a));
  check_round_trip(kernel, route(5, "2001:db8:1::2/128", "2001:db8:2::2", "2001:db8:1::1", b, 0));
  check_round_trip(kernel, route(6, "2001:db8:1::2/128", "fe80::b:2", nullptr, b, 0));
  // A neighbour outside our prefix on that LAN: `onlink`.
  check_round_trip(kernel, route(7, "10.0.1.2/32", "192.168.77.2", "10.0.1.1", b, 0));
  check_round_trip(kernel, route(8, "10.0.1.2/32", "192.168.77.2", "10.0.1.1", b, a));
  check_round_trip(kernel, route(9, "2001:db8:1::2/128", "2001:db8:77::2", nullptr, b, 0));
  // From one way to both and back: the same entry is replaced.
  RouteOp op = route(10, "10.0.1.3/32", "10.0.2.3", "10.0.1.1", b, 0);
  CHECK(kernel.carry_out(op).error == 0);
  op.target.also_direct_ifindex = a;
  CHECK(kernel.carry_out(op).error == 0);
  CHECK(find(kernel.dump(DumpKind::kRoutesV4), op.key)->target == op.target);
  CHECK(kernel.dump(DumpKind::kRoutesV4).size() == 2);  // it, and the end
}

// TCP's timer on a route of a failover, with one way and with two, and on a peer's own LAN; the
// kernel tells the metric as it locked it.
void check_timers(Kernel& kernel, uint32_t a, uint32_t b) {
  std::vector<RouteOp> ops = {route(14, "10.0.1.6/32", "10.0.2.6", "10.0.1.1", b, 0),
                              route(15, "10.0.1.6/32", "10.0.2.6", "10.0.1.1", b, a),
                              route(16, "2001:db8:1::6/128", "fe80::b:6", nullptr, b, 0)};
  for (const auto& [address, source] :
       {std::pair("10.0.1.6/32", "10.0.1.1"), std::pair("2001:db8:1::6/128", "2001:db8:1::1")}) {
    RouteOp direct = route(17, address, source, source, a, 0);
    direct.key.table = kDirectTable;
    direct.target.gateway = {};
    ops.push_back(direct);
  }
  for (RouteOp& op : ops) {
    op.target.rto_min_ms = 5;
    check_round_trip(kernel, op);
  }
  CHECK(kernel.carry_out(ops[3]).error == 0);
  const std::string shown = output_of("ip route show table 931109");
  INFO(shown);
  CHECK(shown.find("10.0.1.6 dev lanA proto 213 scope link src 10.0.1.1 metric 1017 "
                   "rto_min lock 5ms") != std::string::npos);
}

// A table that is named is all that the kernel walks through.
void check_tables(Kernel& kernel, uint32_t b) {
  RouteOp standby = route(11, "10.0.1.4/32", "10.0.2.4", "10.0.1.1", b, 0);
  standby.key.table = standby_table({0});
  RouteOp standby_v6 = route(12, "2001:db8:1::4/128", "2001:db8:2::4", nullptr, b, 0);
  standby_v6.key.table = standby_table({0});
  RouteOp exception_v6 = route(13, "2001:db8:1::5/128", "2001:db8:2::5", nullptr, b, 0);
  for (const RouteOp& op : {standby, standby_v6, exception_v6}) {
    CHECK(kernel.carry_out(op).error == 0);
  }
  for (const DumpKind kind : {DumpKind::kRoutesV4, DumpKind::kRoutesV6}) {
    const bool v4 = kind == DumpKind::kRoutesV4;
    const auto found = kernel.dump(kind, standby_table({0}));
    CHECK(found.size() == 2);  // its only entry, and the end
    CHECK(find(found, v4 ? standby.key : standby_v6.key) != nullptr);
    CHECK(kernel.dump(kind, kExceptionsTable).size() == 2);
    CHECK(kernel.dump(kind, standby_table({7})).back().error == ENOENT);
  }
}

void check_rules(Kernel& kernel) {
  check_round_trip(kernel, rule(1, "10.0.1.0/24", standby_table({0}), standby_priority({0})));
  check_round_trip(kernel, rule(2, "2001:db8:1::/64", standby_table({1}), standby_priority({1})));
  check_round_trip(kernel, rule(3, "0.0.0.0/0", kExceptionsTable, kExceptionsPriority));
  check_round_trip(kernel, rule(4, "::/0", kExceptionsTable, kExceptionsPriority));
  for (const char* any : {"0.0.0.0/0", "::/0"}) {
    RouteOp heartbeats = rule(5, any, kMainTable, kHeartbeatsPriority);
    heartbeats.key.udp_port = 9311;
    check_round_trip(kernel, heartbeats);
  }
}

// Removed while packets go there, which make the kernel look for the neighbour anew: whatever it
// finds is its own. (RTM_DELNEIGH alone left one in eight behind as ours.)
void check_removal_under_traffic(Kernel& kernel, uint32_t b) {
  std::atomic<bool> stop{false};
  std::thread traffic([&] {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(9);
    (void)inet_pton(AF_INET, "10.0.2.2", &to.sin_addr);
    while (!stop) (void)sendto(fd, "x", 1, 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
    close(fd);
  });
  RouteOp op;
  op.kind = RouteOp::Kind::kNeighbour;
  op.id = 1;
  op.neighbour = *parse_ip("10.0.2.2");
  op.neighbour_ifindex = b;
  size_t left = 0;
  for (int i = 0; i < 120; i++) {
    op.neighbour_mac = *parse_mac("02:00:00:00:0b:02");
    CHECK(kernel.carry_out(op).error == 0);
    op.neighbour_mac = {};
    CHECK(kernel.carry_out(op).error == 0);
    if (!output_of("ip neigh show 10.0.2.2 proto 213").empty()) left++;
  }
  stop = true;
  traffic.join();
  CHECK(left == 0);
  op.neighbour = *parse_ip("10.0.2.77");  // of which there is none
  CHECK(Kernel().carry_out(op).error == ENOENT);
}

void check_neighbours(Kernel& kernel, uint32_t b) {
  for (const char* address : {"10.0.2.2", "fe80::b:2"}) {
    RouteOp op;
    op.kind = RouteOp::Kind::kNeighbour;
    op.id = 1;
    op.neighbour = *parse_ip(address);
    op.neighbour_mac = *parse_mac("02:00:00:00:0b:02");
    op.neighbour_ifindex = b;
    CHECK(kernel.carry_out(op).error == 0);
    op.neighbour_mac = *parse_mac("02:00:00:00:0b:03");
    CHECK(kernel.carry_out(op).error == 0);
    const std::string shown = output_of((std::string("ip neigh show ") + address).c_str());
    INFO(shown);
    CHECK(shown.find("lladdr 02:00:00:00:0b:03") != std::string::npos);
    CHECK(shown.find("extern_learn") != std::string::npos);
    CHECK(shown.find("REACHABLE") != std::string::npos);
    CHECK(shown.find("proto 213") != std::string::npos);
    op.neighbour_mac = {};
    CHECK(kernel.carry_out(op).error == 0);
    CHECK(output_of((std::string("ip neigh show ") + address).c_str()).empty());
  }
}

void check_interfaces(Kernel& kernel, uint32_t a) {
  bool link_seen = false;
  for (const NetlinkNotice& notice : kernel.dump(DumpKind::kLinks)) {
    if (notice.kind != Kind::kLink || notice.link.ifindex != a) continue;
    link_seen = true;
    CHECK(notice.link.name.view() == "lanA");
    CHECK(notice.link.kind.view() == "veth");
    CHECK(notice.link.mac.is_unicast());
    CHECK(notice.link.mtu == 1500);
    CHECK((notice.link.admin_up && notice.link.carrier && notice.link.broadcast));
  }
  CHECK(link_seen);
  bool address_seen = false;
  for (const NetlinkNotice& notice : kernel.dump(DumpKind::kAddresses)) {
    if (notice.kind != Kind::kAddress || notice.address.ifindex != a) continue;
    address_seen |= notice.address.address == *parse_prefix("10.0.1.1/24") && notice.address.usable;
  }
  CHECK(address_seen);
}

void check_refusal(Kernel& kernel) {
  const NetlinkNotice answer =
      kernel.carry_out(route(1, "10.0.1.2/32", "10.0.2.2", nullptr, 4242, 0));
  CHECK(answer.error == ENODEV);
  const NetlinkNotice own =
      kernel.carry_out(route(2, "10.0.1.2/32", "10.0.2.1", nullptr, if_nametoindex("lanB"), 0));
  CHECK(own.error == EINVAL);  // our own address as the gateway
  CHECK(own.message.view() == "Nexthop has invalid gateway");
}

// Two LANs, each a veth pair whose far end stands beside it.
constexpr const char* kSetUp =
    "set -e; ip link set lo up;"
    "for l in A B; do ip link add lan$l type veth peer name far$l;"
    "ip link set lan$l up; ip link set far$l up; done;"
    "ip addr add 10.0.1.1/24 dev lanA; ip addr add 10.0.2.1/24 dev lanB;"
    "ip addr add 2001:db8:1::1/64 dev lanA nodad; ip addr add 2001:db8:2::1/64 dev lanB nodad";

constexpr int kNotAllowed = 77;

// Root of a user namespace of our own; without the mapping, `ip` would lose its rights when it is
// executed.
bool enter_user_namespace() {
  const std::string map = "0 " + std::to_string(getuid()) + " 1";
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return false;
  std::ofstream("/proc/self/uid_map") << map;
  return getuid() == 0;
}

// In the child: its failures are told by the exit status.
int run_in_namespace() {
  if (unshare(CLONE_NEWNET) != 0 && !enter_user_namespace()) return kNotAllowed;
  if (std::system(kSetUp) != 0) return kNotAllowed;
  const char* const arguments[] = {"kernel", "--test-case=in the namespace:*", "--no-skip"};
  return doctest::Context(3, arguments).run();
}

}  // namespace

// Only the child below runs this one.
TEST_CASE("in the namespace: the kernel takes what we write and tells it back" * doctest::skip()) {
  Kernel kernel;
  const uint32_t a = if_nametoindex("lanA");
  const uint32_t b = if_nametoindex("lanB");
  REQUIRE(a != 0);
  REQUIRE(b != 0);
  check_refusal(kernel);
  check_routes(kernel, a, b);
  check_timers(kernel, a, b);
  check_tables(kernel, b);
  check_rules(kernel);
  check_neighbours(kernel, b);
  check_removal_under_traffic(kernel, b);
  check_interfaces(kernel, a);
}

TEST_CASE("rtnetlink against the kernel, in a network namespace of its own") {
  std::fflush(nullptr);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const int result = run_in_namespace();
    std::fflush(nullptr);
    _exit(result);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNotAllowed) {
    MESSAGE(
        "skipped: needs root or user namespaces (sysctl kernel.unprivileged_userns_clone=1), and "
        "iproute2");
    return;
  }
  CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace faild
