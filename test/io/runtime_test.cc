// Whole runtimes (io/lans.h draws them) must find each other, fail over when LAN A is cut in the
// middle (no carrier is lost at the hosts), return when it heals, and leave nothing behind when
// they stop.
#include "io/runtime.h"

#include <doctest/doctest.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>

#include "io/lans.h"

namespace faild {
namespace {

using lab::Host, lab::Lans, lab::is_failover, lab::is_path_up, lab::is_switchback;

void drop_capability(int capability) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
  REQUIRE(syscall(SYS_capget, &header, data) == 0);
  data[CAP_TO_INDEX(capability)].effective &= ~CAP_TO_MASK(capability);
  REQUIRE(syscall(SYS_capset, &header, data) == 0);
}

void story(Transport first, Transport second, bool v6) {
  Lans lans(v6);
  lans.start(0, first);
  lans.start(1, second);
  CHECK(lans.hosts[0].runtime->facts().transport == first);
  for (Host& host : lans.hosts) {
    for (int lan = 0; lan < 2; lan++) CHECK(host.wait_for(is_path_up));
  }
  lans.middle.run("ip link set pA2 nomaster");
  for (Host& host : lans.hosts) CHECK(host.wait_for(is_failover));
  const std::string get = v6 ? "ip -6 route get fd00:1::2" : "ip route get 10.0.1.2";
  CHECK(lans.hosts[0].space.output(get).find("ethB") != std::string::npos);
  lans.middle.run("ip link set pA2 master brA");
  for (Host& host : lans.hosts) CHECK(host.wait_for(is_switchback));

  Host& host = lans.hosts[0];
  REQUIRE(host.runtime->request_snapshot(77));
  CHECK_FALSE(host.runtime->request_snapshot(78));
  CHECK(host.wait_for([](const Event& e) { return e.kind == EventKind::kAnswer && e.id == 77; }));
  const auto snapshot = host.runtime->take_snapshot();
  REQUIRE(snapshot);
  CHECK(snapshot->peers.size() == 1);
  CHECK(snapshot->paths.size() == 2);
  CHECK(snapshot->lans.size() == 2);
  CHECK(host.runtime->heartbeat_count() > 10);

  host.runtime->stop(true);
  CHECK(lans.hosts[1].wait_for(EventKind::kPathStopped));
  lans.hosts[1].runtime->stop(true);
  for (Host& each : lans.hosts) {
    CHECK(each.space.output("ip rule; ip -6 rule").find("931") == std::string::npos);
    CHECK(each.space.output("ip route show table all proto 213").empty());
    CHECK(each.space.output("ip -6 route show table all proto 213").empty());
    CHECK(each.lost == 0);
  }
}

}  // namespace

TEST_CASE("two hosts fail over and return: raw") { story(Transport::kRaw, Transport::kRaw, false); }
TEST_CASE("two hosts fail over and return: udp") { story(Transport::kUdp, Transport::kUdp, false); }
TEST_CASE("raw and udp speak to each other") { story(Transport::kRaw, Transport::kUdp, false); }
TEST_CASE("LANs without IPv4: raw") { story(Transport::kRaw, Transport::kRaw, true); }
TEST_CASE("LANs without IPv4: udp") { story(Transport::kUdp, Transport::kUdp, true); }

TEST_CASE("a rule that somebody deletes is repaired, a lost interface comes back") {
  Lans lans;
  lans.start(0, Transport::kRaw);
  lans.start(1, Transport::kRaw);
  for (Host& host : lans.hosts) {
    for (int lan = 0; lan < 2; lan++) CHECK(host.wait_for(is_path_up));
  }
  Host& host = lans.hosts[0];
  CHECK_FALSE(host.space.output("ip route show table all proto 213").empty());
  host.space.run("ip route flush table all proto 213");
  CHECK(host.wait_for(EventKind::kRouteRepaired));

  // A driver that is reloaded: another index under the same name.
  host.space.run("ip link del ethA");
  CHECK(host.wait_for(is_failover));
  lab::connect(lans.middle, "pA1", host.space, "ethA");
  lans.middle.run("ip link set pA1 master brA");
  host.space.run("ip addr add 10.0.1.1/24 dev ethA");
  CHECK(host.wait_for(is_path_up));
}

TEST_CASE("without a capability: another transport, or an error that says what to grant") {
  Lans lans;
  RuntimeConfig config = lans.config(0, Transport::kAutomatic);
  std::optional<RuntimeError> error;
  std::optional<Transport> transport;
  const auto start_without = [&](int capability) {
    std::thread([&] {  // capabilities belong to a thread, and the engine's inherits them
      drop_capability(capability);
      Runtime runtime(
          config, [](void*) {}, nullptr);
      error = runtime.start();
      if (!error) transport = runtime.facts().transport;
    })
        .join();
  };
  SUBCASE("automatic falls back to udp") {
    start_without(CAP_NET_RAW);
    CHECK_FALSE(error);
    CHECK(transport == Transport::kUdp);
  }
  SUBCASE("raw on demand does not") {
    config.transport = Transport::kRaw;
    start_without(CAP_NET_RAW);
    REQUIRE(error);
    CHECK(error->code == "EPERM_NET_RAW");
    CHECK(error->message.find("setcap cap_net_raw") != std::string::npos);
  }
  SUBCASE("routes cannot be changed") {
    start_without(CAP_NET_ADMIN);
    REQUIRE(error);
    CHECK(error->code == "EPERM_NET_ADMIN");
    CHECK(error->message.find("CAP_NET_ADMIN") != std::string::npos);
  }
}

TEST_CASE("start errors name what is wrong") {
  Lans lans;
  RuntimeConfig config = lans.config(0, Transport::kRaw);
  SUBCASE("an interface that is not there") {
    config.engine.lans[1].interface.assign("nope0");
    Runtime runtime(
        config, [](void*) {}, nullptr);
    const auto error = runtime.start();
    REQUIRE(error);
    CHECK(error->code == "ENOLAN");
    CHECK(error->message.find("nope0") != std::string::npos);
  }
  SUBCASE("a port that is taken") {
    Runtime first(
        config, [](void*) {}, nullptr),
        second(
            config, [](void*) {}, nullptr);
    REQUIRE_FALSE(first.start());
    const auto error = second.start();
    REQUIRE(error);
    CHECK(error->code == "EADDRINUSE");
    CHECK(error->message.find("9311") != std::string::npos);
  }
  SUBCASE("a namespace that is not there") {
    config.network_namespace = "/nonexistent";
    Runtime runtime(
        config, [](void*) {}, nullptr);
    const auto error = runtime.start();
    REQUIRE(error);
    CHECK(error->code == "ENETNS");
  }
}

}  // namespace faild
