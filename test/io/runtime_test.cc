// Whole runtimes, each in a namespace of its own, with two LANs between them:
//
//   host 1: ethA ---- [bridge A] ---- ethA :host 2
//   host 1: ethB ---- [bridge B] ---- ethB :host 2
//
// They must find each other, fail over when LAN A is cut in the middle (no carrier is lost at the
// hosts), return when it heals, and leave nothing behind when they stop.
#include "io/runtime.h"

#include <doctest/doctest.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <functional>
#include <semaphore>

#include "io/allocations.h"
#include "io/lab.h"

namespace faild {
namespace {

using lab::Namespace;

struct Host {
  Namespace space;
  std::unique_ptr<Runtime> runtime;
  std::counting_semaphore<> woken{0};
  std::vector<Event> events;
  size_t next = 0;  // the first that no wait has looked at
  uint64_t lost = 0;

  static void wake(void* self) { static_cast<Host*>(self)->woken.release(); }

  // Reads on until an event fits; false after `seconds`.
  bool wait_for(const std::function<bool(const Event&)>& fits, int seconds = 10) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
    while (true) {
      while (next < events.size()) {
        if (fits(events[next++])) return true;
      }
      std::array<Event, 64> batch;
      const size_t count = runtime->drain(batch.data(), batch.size(), &lost);
      events.insert(events.end(), batch.begin(),
                    batch.begin() + static_cast<std::ptrdiff_t>(count));
      if (count == 0 && !woken.try_acquire_until(end)) return false;
    }
  }
  bool wait_for(EventKind kind) {
    return wait_for([kind](const Event& event) { return event.kind == kind; });
  }
};

struct Lans {
  Namespace middle;
  Host hosts[2];

  explicit Lans(bool v6 = false) {
    for (const std::string lan : {"A", "B"}) {
      middle.run("ip link add br" + lan + " type bridge && ip link set br" + lan + " up");
      for (int h = 0; h < 2; h++) {
        const std::string port = "p" + lan + std::to_string(h + 1), eth = "eth" + lan;
        lab::connect(middle, port, hosts[h].space, eth);
        middle.run("ip link set " + port + " master br" + lan);
        const std::string net = lan == "A" ? "1" : "2", host = std::to_string(h + 1);
        hosts[h].space.run(v6 ? "ip addr add fd00:" + net + "::" + host + "/64 nodad dev " + eth
                              : "ip addr add 10.0." + net + "." + host + "/24 dev " + eth);
      }
    }
  }

  RuntimeConfig config(int h, Transport transport) {
    RuntimeConfig out;
    out.engine.host = HostId{static_cast<uint64_t>(h) + 1};
    out.engine.incarnation = Incarnation{1};
    out.engine.name = HostName(h == 0 ? "one" : "two");
    out.engine.requestor = true;
    out.engine.interval = Duration::ms(10);
    out.engine.max_peers = 64;
    out.engine.seed = static_cast<uint64_t>(h) + 1;
    std::vector<InterfaceInfo> interfaces;
    REQUIRE_FALSE(list_interfaces(hosts[h].space.path(), &interfaces));
    for (const InterfaceInfo& info : interfaces) {
      if (info.loopback) continue;
      LanConfig lan = info.lan;
      lan.name.assign(lan.interface.view() == "ethA" ? "A" : "B");
      REQUIRE(out.engine.lans.push(lan));
    }
    REQUIRE(out.engine.lans.size() == 2);
    if (out.engine.lans[0].name.view() != "A") std::swap(out.engine.lans[0], out.engine.lans[1]);
    REQUIRE(out.engine.plan.preference.push(LanIndex{0}));
    REQUIRE(out.engine.plan.preference.push(LanIndex{1}));
    out.transport = transport;
    out.network_namespace = hosts[h].space.path();
    return out;
  }

  void start(int h, Transport transport) {
    Host& host = hosts[h];
    host.runtime = std::make_unique<Runtime>(config(h, transport), &Host::wake, &host);
    const auto error = host.runtime->start();
    REQUIRE_MESSAGE(!error, (error ? error->message : std::string()));
  }
};

bool is_path_up(const Event& event) { return event.kind == EventKind::kPathUp; }
bool is_failover(const Event& event) {
  return event.kind == EventKind::kFailover || event.kind == EventKind::kLanFailover;
}
bool is_switchback(const Event& event) {
  return event.kind == EventKind::kSwitchback || event.kind == EventKind::kLanSwitchback;
}

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
  lab::count_allocations();
  lans.middle.run("ip link set pA2 nomaster");
  for (Host& host : lans.hosts) CHECK(host.wait_for(is_failover));
  const std::string get = v6 ? "ip -6 route get fd00:1::2" : "ip route get 10.0.1.2";
  CHECK(lans.hosts[0].space.output(get).find("ethB") != std::string::npos);
  lans.middle.run("ip link set pA2 master brA");
  for (Host& host : lans.hosts) CHECK(host.wait_for(is_switchback));
  CHECK(lab::allocations_of_engines() == 0);

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
