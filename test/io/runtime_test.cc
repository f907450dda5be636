// Whole runtimes (io/lans.h draws them) must find each other, fail over when LAN A is cut in the
// middle (no carrier is lost at the hosts), return when it heals, and leave nothing behind when
// they stop.
#include "io/runtime.h"

#include <doctest/doctest.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
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

// The kernel refuses real-time scheduling to this thread and those that it makes, as it does to a
// control group without a share of it.
void refuse_realtime() {
  const sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_setscheduler, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{std::size(code), const_cast<sock_filter*>(code)};
  REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  REQUIRE(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

// 0 when this process has none.
pid_t engine_thread() {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(task.path() / "comm"), name);
    if (name == "faild-engine") return std::stoi(task.path().filename().string());
  }
  return 0;
}

// May a thread of this process have it? Asked of the kernel itself.
bool realtime_is_permitted(int priority) {
  bool granted = false;
  std::thread([&] {
    const sched_param wish{priority};
    granted = sched_setscheduler(0, SCHED_FIFO, &wish) == 0;
  }).join();
  return granted;
}

// The last CPU on which this thread may run: seldom the one on which it does.
int last_cpu() {
  cpu_set_t cpus;
  REQUIRE(sched_getaffinity(0, sizeof cpus, &cpus) == 0);
  int cpu = CPU_SETSIZE - 1;
  while (!CPU_ISSET(static_cast<size_t>(cpu), &cpus)) cpu--;
  return cpu;
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

TEST_CASE("a LAN whose interface has no address yet joins when it gets one") {
  Transport transport{};
  SUBCASE("raw") { transport = Transport::kRaw; }
  SUBCASE("udp") { transport = Transport::kUdp; }
  Lans lans;
  Host& host = lans.hosts[0];
  host.space.run("ip addr flush dev ethA");  // the link-local one as well
  for (int h = 0; h < 2; h++) lans.start(h, transport);
  for (Host& each : lans.hosts) CHECK(each.wait_for(is_path_up));
  CHECK(host.snapshot()->lans[0].addresses.empty());
  CHECK(host.count(is_path_up) == 1);  // by the other LAN alone
  host.space.run("ip addr add 10.0.1.1/24 dev ethA");
  const auto is_up_on_a = [](const Event& e) { return is_path_up(e) && e.lan == LanIndex{0}; };
  for (Host& each : lans.hosts) CHECK(each.wait_for(is_up_on_a));
  // A host's adverts are taken over once in 100 ms; only an address that is known can move.
  CHECK(Host::eventually([&] {
    const auto taken = lans.hosts[1].snapshot();
    return std::all_of(taken->paths.begin(), taken->paths.end(),
                       [](const PathRow& path) { return !path.addresses.empty(); });
  }));
  lans.middle.run("ip link set pA2 nomaster");
  for (Host& each : lans.hosts) CHECK(each.wait_for(is_failover));
}

TEST_CASE("an interface that is renamed goes on serving, and no namesake takes its place") {
  Lans lans;
  for (int h = 0; h < 2; h++) lans.start(h, Transport::kRaw);
  lans.meet();
  Host& host = lans.hosts[0];
  const auto lan_a = [&] { return host.snapshot()->lans[0]; };
  const auto all_up = [&] {
    const auto taken = host.snapshot();
    return std::all_of(taken->paths.begin(), taken->paths.end(),
                       [](const PathRow& path) { return path.state == PathState::kUp; });
  };
  host.space.run(  // an older kernel renames only what is down
      "ip link set ethA name red 2>/dev/null || { ip link set ethA down; "
      "ip link set ethA name red; ip link set red up; }");
  CHECK(Host::eventually([&] { return lan_a().interface.view() == "red"; }));
  lab::connect(lans.middle, "pX", host.space, "ethA");
  host.space.run("ip addr add 10.0.9.1/24 dev ethA");
  host.space.run("ip addr add 10.0.1.77/24 dev red");  // all interfaces are looked at again
  CHECK(Host::eventually([&] { return lan_a().addresses.size() == 3; }));
  CHECK(lan_a().interface.view() == "red");
  CHECK(lan_a().name.view() == "A");
  CHECK(lan_a().carrier);
  CHECK(Host::eventually(all_up));
  lans.middle.run("ip link set pA2 nomaster");
  CHECK(host.wait_for(is_failover));
}

TEST_CASE("an interface that is deleted is not replaced by the one that took its name") {
  Lans lans;
  for (int h = 0; h < 2; h++) lans.start(h, Transport::kRaw);
  lans.meet();
  Host& host = lans.hosts[0];
  const auto lan = [&](size_t i) { return host.snapshot()->lans[i]; };
  host.space.run(
      "ip link del ethA; ip link set ethB name ethA 2>/dev/null || { ip link set ethB down; "
      "ip link set ethB name ethA; ip link set ethA up; }");
  CHECK(Host::eventually([&] { return lan(1).interface.view() == "ethA"; }));
  CHECK_FALSE(lan(0).carrier);
  CHECK(lan(1).carrier);

  lab::connect(lans.middle, "pX", host.space, "ethX");
  host.space.run(
      "ip link set ethA name ethB 2>/dev/null || { ip link set ethA down; "
      "ip link set ethA name ethB; ip link set ethB up; }; "
      "ip link set ethX down; ip link set ethX name ethA; ip link set ethA up; "
      "ip addr add 10.0.1.1/24 dev ethA");
  lans.middle.run("ip link set pX master brA");
  CHECK(Host::eventually([&] { return lan(0).carrier && lan(1).interface.view() == "ethB"; }));
}

// Alone on its LANs: nothing but its timer wakes the engine's thread to speak.
TEST_CASE("every wait that reached its time is counted, and so is every batch of routes") {
  Lans lans;
  lans.start(0, Transport::kRaw);
  Host& host = lans.hosts[0];
  const auto first = host.snapshot();
  (void)host.count([](const Event&) { return false; });
  (void)host.wait_for([](const Event&) { return false; }, 1);  // a second passes
  const auto second = host.snapshot();
  const uint64_t rounds = host.runtime->heartbeat_count();

  const uint64_t turns = (second->counters.packets_sent - first->counters.packets_sent) / 2;
  const Histogram &early = first->histograms.timer_lateness,
                  &late = second->histograms.timer_lateness;
  const uint64_t waits = late.count() - early.count();
  CHECK(turns > 10);
  CHECK(waits >= turns * 9 / 10);
  CHECK(late.count() <= rounds);
  const Duration lateness = late.sum() - early.sum();
  CHECK(lateness > Duration());
  CHECK(lateness < second->taken - first->taken);

  const auto batches = [](const auto& taken) -> const Histogram& {
    return taken->histograms.netlink_round_trip;
  };
  CHECK(batches(second).count() > 0);  // the rules, at the start
  CHECK(batches(second).count() <= second->counters.route_ops);
  lans.start(1, Transport::kRaw);
  lans.meet();
  const auto third = host.snapshot();  // a peer's neighbour entries and standby routes
  CHECK(batches(third).count() > batches(second).count());
  const uint64_t more = third->counters.route_ops - second->counters.route_ops;
  CHECK(batches(third).count() - batches(second).count() <= more);
  CHECK(batches(third).sum() > batches(second).sum());
  CHECK(batches(third).sum() - batches(second).sum() < third->taken - second->taken);
}

TEST_CASE("without a capability: another transport, or an error that says what to grant") {
  Lans lans;
  RuntimeConfig config = lans.config(0, Transport::kAutomatic);
  std::optional<RuntimeError> error;
  std::optional<Transport> transport;
  std::string hint;
  const auto start_without = [&](int capability) {
    std::thread([&] {  // capabilities belong to a thread, and the engine's inherits them
      drop_capability(capability);
      Runtime runtime(
          config, [](void*) {}, nullptr);
      error = runtime.start();
      if (error) return;
      transport = runtime.facts().transport;
      hint = runtime.facts().transport_hint;
    })
        .join();
  };
  SUBCASE("automatic falls back to udp") {
    start_without(CAP_NET_RAW);
    CHECK_FALSE(error);
    CHECK(transport == Transport::kUdp);
    CHECK(hint.find("grant it (setcap cap_net_raw") != std::string::npos);
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

TEST_CASE(
    "without real-time scheduling: the hint names what is missing, and no right that is there") {
  Lans lans;
  RuntimeConfig config = lans.config(0, Transport::kRaw);
  config.realtime_priority = 50;
  RuntimeFacts facts;
  const auto start = [&](bool with_capability) {
    std::thread([&] {
      if (!with_capability) drop_capability(CAP_SYS_NICE);
      refuse_realtime();
      Runtime runtime(
          config, [](void*) {}, nullptr);
      REQUIRE_FALSE(runtime.start());
      facts = runtime.facts();
    }).join();
  };
  const auto says = [&](const char* words) {
    return facts.realtime_hint.find(words) != std::string::npos;
  };
  start(false);
  CHECK(facts.realtime_error == EPERM);
  CHECK(says("grant CAP_SYS_NICE"));
  start(true);
  CHECK(facts.realtime_error == EPERM);
  CHECK_FALSE(says("grant CAP_SYS_NICE"));
  CHECK(says("cpu.rt_runtime_us"));
}

TEST_CASE("the engine's thread has the priority and the CPU that it was given") {
  constexpr int kPriority = 37;  // nobody's default
  const bool permitted = realtime_is_permitted(kPriority);
  Lans lans;
  RuntimeConfig config = lans.config(0, Transport::kRaw);
  config.cpu = last_cpu();
  config.realtime_priority = kPriority;
  SUBCASE("in real time where permitted") {}
  SUBCASE("0 does not ask for it") { config.realtime_priority = 0; }
  const bool realtime = permitted && config.realtime_priority > 0;
  lans.start(0, config);
  const pid_t thread = engine_thread();
  REQUIRE(thread != 0);
  sched_param given{};
  REQUIRE(sched_getparam(thread, &given) == 0);
  CHECK(given.sched_priority == (realtime ? kPriority : 0));
  const int policy = sched_getscheduler(thread) & ~SCHED_RESET_ON_FORK;
  CHECK(policy == (realtime ? SCHED_FIFO : SCHED_OTHER));
  CHECK(lans.hosts[0].runtime->facts().realtime == realtime);
  cpu_set_t cpus;
  REQUIRE(sched_getaffinity(thread, sizeof cpus, &cpus) == 0);
  CHECK(CPU_COUNT(&cpus) == 1);
  CHECK(CPU_ISSET(static_cast<size_t>(*config.cpu), &cpus));
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
  SUBCASE("no address anywhere") {
    for (const char* name : {"ethA", "ethB"}) {
      lans.hosts[0].space.run(std::string("ip addr flush dev ") + name);
    }
    Runtime runtime(
        config, [](void*) {}, nullptr);
    const auto error = runtime.start();
    REQUIRE(error);
    CHECK(error->code == "ENOADDRESS");
    CHECK(error->message.find("ethA") != std::string::npos);
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
  SUBCASE("a CPU that is not there") {
    config.cpu = CPU_SETSIZE - 1;
    Runtime runtime(
        config, [](void*) {}, nullptr);
    const auto error = runtime.start();
    REQUIRE(error);
    CHECK(error->code == "ECPU");
    CHECK(error->message.find("CPU " + std::to_string(CPU_SETSIZE - 1)) != std::string::npos);
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
