// What a runtime does when something is too much, too late or gone: nothing is lost that is not
// counted, nobody is blamed for it, and nothing is ever allocated on the engine's thread.
#include <doctest/doctest.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <sstream>
#include <string>
#include <thread>

#include "io/allocations.h"
#include "io/lans.h"
#include "wire/frame.h"
#include "wire/heartbeat.h"

namespace faild {
namespace {

using lab::Hold, lab::Host, lab::Lans;
using std::chrono::milliseconds;

bool is_verdict(const Event& event) {
  return event.kind == EventKind::kPathDown || event.kind == EventKind::kLanDown ||
         event.kind == EventKind::kIsolated;
}
bool is_answer(const Event& event) { return event.kind == EventKind::kAnswer; }

Command new_plan(const RuntimeConfig& config, uint32_t id) {
  Command command;
  command.kind = Command::Kind::kSetPlan;
  command.plan = config.engine.plan;
  command.id = id;
  return command;
}

// What the kernel could not deliver to the netlink sockets of a namespace, all together.
uint64_t news_dropped(const lab::Namespace& space) {
  std::istringstream sockets(space.output("cat /proc/net/netlink"));
  std::string line, field;
  uint64_t sum = 0;
  std::getline(sockets, line);  // sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode
  while (std::getline(sockets, line)) {
    std::istringstream fields(line);
    for (int i = 0; i < 9; i++) fields >> field;
    sum += std::strtoull(field.c_str(), nullptr, 10);
  }
  return sum;
}

// The engines' notification sockets are open in this process. With room for some hundred notices
// instead of twenty thousand a flood is short; it is still more than one round of the reactor
// reads.
void shrink_news_sockets() {
  for (int fd = 0; fd < 1024; fd++) {
    std::array<uint32_t, 16> groups{};  // a bit each
    socklen_t size = sizeof groups;
    if (getsockopt(fd, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups.data(), &size) != 0) continue;
    const int bytes = 128 << 10;
    if (groups[0] != 0) REQUIRE(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes) == 0);
  }
}

// Rules that come and go, until it is more news than a notification socket holds.
void flood_with_news(const lab::Namespace& space) {
  shrink_news_sockets();
  const uint64_t before = news_dropped(space);
  for (int i = 0; i < 40 && news_dropped(space) == before; i++) {
    space.run(
        "for i in $(seq 200); do echo rule add pref 40000 lookup main; "
        "echo rule del pref 40000; done | ip -batch -");
  }
  REQUIRE(news_dropped(space) > before);
}

uint64_t resyncs_of(Host& host) { return host.snapshot()->counters.resyncs; }

// As many heartbeats of strangers as the kernel takes for a second: every other one spoilt.
uint64_t flood(const lab::Namespace& space, milliseconds duration) {
  uint64_t sent = 0;
  lab::inside(space, [&] {
    const UniqueFd fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
    sockaddr_ll where{};
    where.sll_family = AF_PACKET;
    where.sll_ifindex = static_cast<int>(if_nametoindex("brA"));
    REQUIRE(bind(fd.get(), reinterpret_cast<sockaddr*>(&where), sizeof where) == 0);
    Heartbeat beat;
    beat.requestor = true;
    beat.cluster = 0;
    beat.incarnation = Incarnation{1};
    beat.interval = Duration::seconds(1);
    LanAdvert* advert = beat.lans.extend();
    *advert = LanAdvert();
    advert->mac = {{2, 0, 0, 0, 0, 9}};
    REQUIRE(advert->addresses.push(*parse_prefix("10.0.1.99/24")));
    FrameAddresses to{
        {{2, 0, 0, 0, 0, 9}}, kBroadcastMac, *parse_ip("10.0.1.99"), limited_broadcast_v4(), 9311};
    std::array<uint8_t, kMaxHeartbeatBytes> payload;
    std::array<uint8_t, kMaxFrameBytes> frame;
    const auto end = std::chrono::steady_clock::now() + duration;
    while (std::chrono::steady_clock::now() < end) {
      beat.host = HostId{1000 + sent};
      const size_t size = encode(beat, payload);
      if (sent % 2 == 1) payload[sent % size] ^= static_cast<uint8_t>(1 + sent % 255);
      const size_t bytes = build_frame(to, std::span(payload).first(size), frame);
      if (send(fd.get(), frame.data(), bytes, 0) > 0) sent++;
    }
  });
  return sent;
}

// Of all threads of this process.
Duration cpu_time() {
  timespec spent{};
  REQUIRE(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent) == 0);
  return Duration::seconds(spent.tv_sec) + Duration::ns(spent.tv_nsec);
}

}  // namespace

TEST_CASE("the engine's thread: its name, no signals, timers that wait for nobody") {
  struct Seen {
    char name[16] = {};
    sigset_t blocked{};
    int slack_ns = -1;
    std::atomic<bool> done{false};
  } seen;
  const auto look = [](void* argument) {  // on that thread
    auto* out = static_cast<Seen*>(argument);
    prctl(PR_GET_NAME, out->name);
    pthread_sigmask(SIG_SETMASK, nullptr, &out->blocked);
    out->slack_ns = prctl(PR_GET_TIMERSLACK);
    out->done.store(true, std::memory_order_release);
  };
  Lans lans;
  RuntimeConfig config = lans.config(0, Transport::kRaw);
  config.realtime_priority = 0;  // a real-time thread's timers have no slack anyway
  Runtime runtime(config, look, &seen);
  REQUIRE_FALSE(runtime.start());
  REQUIRE(runtime.submit(new_plan(config, 1)));  // its answer rings
  REQUIRE(Host::eventually([&] { return seen.done.load(std::memory_order_acquire); }));
  CHECK(std::string(seen.name) == "faild-engine");
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD, SIGPIPE, SIGPROF}) {
    CHECK(sigismember(&seen.blocked, signal) == 1);
  }
  CHECK(seen.slack_ns == 1);
}

TEST_CASE("an engine at work allocates nothing") {
  Lans lans;
  for (int h = 0; h < 2; h++) lans.start(h, Transport::kRaw);
  lans.meet();
  lab::count_allocations();
  Host& host = lans.hosts[0];
  lans.middle.run("ip link set pA2 nomaster");
  for (Host& each : lans.hosts) CHECK(each.wait_for(lab::is_failover));
  lans.middle.run("ip link set pA2 master brA");
  for (Host& each : lans.hosts) CHECK(each.wait_for(lab::is_switchback));
  host.space.run("ip route flush table all proto 213");
  CHECK(host.wait_for(EventKind::kRouteRepaired));
  const uint64_t resyncs = resyncs_of(host);
  {
    const Hold hold(host);
    flood_with_news(host.space);
  }
  // A resync is many rounds of work, beside which the engine answers: it is waited for.
  CHECK(Host::eventually([&] { return resyncs_of(host) > resyncs; }));
  host.space.run("ip addr add 10.0.1.77/24 dev ethA; ip addr del 10.0.1.77/24 dev ethA");
  REQUIRE(host.runtime->submit(new_plan(lans.config(0, Transport::kRaw), 5)));
  CHECK(host.wait_for([](const Event& e) { return is_answer(e) && e.id == 5; }));
  CHECK(lab::allocations_of_engines() == 0);
  CHECK(host.runtime->facts().memory_bytes > sizeof(Effects));
}

TEST_CASE("news that the kernel could not deliver: what was deleted meanwhile is put back") {
  Lans lans;
  lans.fail_after = 1000;  // being held for a while is then no silence
  lans.interval = Duration::ms(50);
  for (int h = 0; h < 2; h++) lans.start(h, Transport::kRaw);
  lans.meet();
  Host& host = lans.hosts[0];
  const auto routes = [&] { return host.space.output("ip route show table all proto 213"); };
  REQUIRE(Host::eventually([&] { return !routes().empty(); }));
  const std::string before = routes();
  const uint64_t resyncs = resyncs_of(host);
  {
    const Hold hold(host);
    flood_with_news(host.space);
    host.space.run("ip route flush table all proto 213");
    CHECK(routes().empty());
  }
  CHECK(host.wait_for(EventKind::kRouteRepaired));  // told when the resync has been counted
  CHECK(resyncs_of(host) > resyncs);
  CHECK(Host::eventually([&] { return routes() == before; }));
  CHECK(host.count(is_verdict) == 0);
}

// Once it has said ENOBUFS the kernel drops all further news until the socket is empty.
TEST_CASE("news that the kernel dropped after it had told of the loss is not missed") {
  Lans lans;
  lans.fail_after = 1000;
  lans.interval = Duration::ms(50);
  for (int h = 0; h < 2; h++) lans.start(h, Transport::kRaw);
  lans.meet();
  Host& host = lans.hosts[0];
  const auto addresses = [&] { return host.snapshot()->lans[0].addresses.size(); };
  const size_t before = addresses();
  {
    Hold hold(host);
    flood_with_news(host.space);
    hold.one_round();  // it has been told, and has looked at its interfaces
    const uint64_t dropped = news_dropped(host.space);
    host.space.run("ip addr add 10.0.1.77/24 dev ethA");
    REQUIRE(news_dropped(host.space) > dropped);
  }
  CHECK(Host::eventually([&] { return addresses() == before + 1; }));
}

TEST_CASE("a full command queue says so, and answers what it took") {
  Lans lans;
  lans.start(0, Transport::kRaw);
  Host& host = lans.hosts[0];
  const RuntimeConfig config = lans.config(0, Transport::kRaw);
  {
    const Hold hold(host);
    for (uint32_t id = 1; id <= kCommandQueueSlots; id++) {
      REQUIRE(host.runtime->submit(new_plan(config, id)));
    }
    CHECK_FALSE(host.runtime->submit(new_plan(config, 9999)));
  }
  const auto taken = [](const Event& e) {
    return is_answer(e) && e.id <= kCommandQueueSlots && e.error == 0;
  };
  CHECK(Host::eventually([&] { return host.count(taken) == kCommandQueueSlots; }));
  uint32_t next = 1;
  for (const Event& event : host.events) next += taken(event) && event.id == next ? 1 : 0;
  CHECK(next == kCommandQueueSlots + 1);  // each once, in order
  CHECK(host.count([](const Event& e) { return is_answer(e) && e.id == 9999; }) == 0);
  CHECK(host.lost == 0);
}

TEST_CASE("a full event ring counts what it loses, and a snapshot makes up for it") {
  Lans lans;
  lans.fail_after = 1000;
  for (int h = 0; h < 2; h++) lans.start(h, Transport::kRaw);
  lans.meet();
  Host& host = lans.hosts[0];
  const RuntimeConfig config = lans.config(0, Transport::kRaw);
  (void)host.count(is_answer);
  host.events.clear();
  host.next = 0;
  constexpr uint32_t kCommands = kEventRingSlots + 500;
  for (uint32_t id = 1; id <= kCommands;) {
    if (host.runtime->submit(new_plan(config, id))) id++;
  }
  REQUIRE(host.runtime->request_snapshot(kCommands + 1));
  std::unique_ptr<Snapshot> snapshot;
  while (!(snapshot = host.runtime->take_snapshot())) std::this_thread::yield();
  CHECK(snapshot->paths.size() == 2);
  for (const PathRow& path : snapshot->paths) CHECK(path.state == PathState::kUp);
  // What is still in the command queue finds room in the ring, which is read now.
  CHECK(Host::eventually([&] { return host.count(is_answer) + host.lost >= kCommands + 1; }));
  CHECK(host.count(is_answer) >= kEventRingSlots);
  CHECK(host.lost >= 500 - kCommandQueueSlots);
  CHECK(host.snapshot()->peers.size() == 1);  // and it goes on
}

TEST_CASE("a stalled engine judges nobody") {
  Lans lans;
  lans.fail_after = 50;  // half a second: a machine that is merely busy is no silence
  lans.start(0, Transport::kRaw);
  RuntimeConfig patient = lans.config(1, Transport::kRaw);
  patient.engine.plan.timing.fill(
      {Duration::ms(10), 1000, 10});  // host 2 may well call host 1 silent, and does not here
  lans.start(1, patient);
  lans.meet();
  Host& host = lans.hosts[0];
  const uint64_t stalls = host.snapshot()->counters.stalls;
  {
    const Hold hold(host);
    std::this_thread::sleep_for(milliseconds(1000));
  }
  CHECK(host.snapshot()->counters.stalls > stalls);
  for (Host& each : lans.hosts) CHECK(each.count(is_verdict) == 0);
}

TEST_CASE("a hung engine is not waited for, and stops when it goes on") {
  Lans lans;
  for (int h = 0; h < 2; h++) lans.start(h, Transport::kRaw);
  lans.meet();
  Host& host = lans.hosts[0];
  {
    const Hold hold(host);
    const auto asked = std::chrono::steady_clock::now();
    CHECK_FALSE(host.runtime->stop(true));
    CHECK(std::chrono::steady_clock::now() - asked >= milliseconds(2000));
  }
  CHECK(host.runtime->stop(true));
  CHECK(lans.hosts[1].wait_for(EventKind::kPathStopped));
}

TEST_CASE("a process that is stopped and continued sleeps on") {
  Lans lans;
  lans.interval = Duration::seconds(3600);
  lans.start(0, Transport::kRaw);
  REQUIRE(lans.hosts[0].snapshot());
  REQUIRE(std::system("kill -STOP $PPID; sleep 0.02; kill -CONT $PPID") == 0);
  const Duration before = cpu_time();
  std::this_thread::sleep_for(milliseconds(300));
  CHECK(cpu_time() - before < Duration::ms(100));
}

TEST_CASE("a flood on a LAN silences nobody and gives no verdict on who still speaks") {
  Lans lans;
  lans.interval = Duration::ms(20);
  for (int h = 0; h < 2; h++) lans.start(h, Transport::kRaw);
  lans.meet();
  const uint64_t before = lans.hosts[0].snapshot()->counters.packets_received;
  const uint64_t sent = flood(lans.middle, milliseconds(1000));
  for (Host& each : lans.hosts) {
    const auto after = each.snapshot();
    MESSAGE(sent, " sent, ", after->counters.packets_received - before, " read");
    CHECK(after->counters.packets_received > before + sent / 4);
    for (const PathRow& path : after->paths) {
      if (path.host.value <= 2) CHECK(path.state == PathState::kUp);
    }
    CHECK(each.count([](const Event& e) { return is_verdict(e) && e.host.value <= 2; }) == 0);
  }
}

TEST_CASE("an address that comes and goes is told to the peers") {
  Lans lans;
  lans.fail_after = 1000;
  for (int h = 0; h < 2; h++) lans.start(h, Transport::kRaw);
  lans.meet();
  Host& peer = lans.hosts[1];
  const auto addresses = [&] {
    const auto taken = peer.snapshot();  // a temporary would end before the loop
    for (const PathRow& path : taken->paths) {
      if (path.lan == LanIndex{0}) return path.addresses.size();
    }
    return size_t{0};
  };
  const size_t before = addresses();
  lans.hosts[0].space.run("ip addr add 10.0.1.77/24 dev ethA");
  CHECK(peer.wait_for(EventKind::kPeerChanged));
  CHECK(addresses() == before + 1);
  lans.hosts[0].space.run("ip addr del 10.0.1.77/24 dev ethA");
  CHECK(peer.wait_for(EventKind::kPeerChanged));
  CHECK(addresses() == before);
  for (Host& each : lans.hosts) CHECK(each.count(is_verdict) == 0);
}

}  // namespace faild
