// Whole runtimes, each in a namespace of its own, with two LANs between them:
//
//   host 1: ethA ---- [bridge A] ---- ethA :host 2
//   host 1: ethB ---- [bridge B] ---- ethB :host 2
//
// A machine without real-time threads may keep an engine waiting for long. Where nobody shall be
// judged silent by that, a test sets `fail_after` so that only a dead host would be.
//
// A host's owner is the test's thread. `Hold` keeps an engine's thread from its work, as a stopped
// process or a starved machine would: the runtime's wake-up is the one place where foreign code
// runs on that thread. Used by runtime_test.cc and trouble_test.cc.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

#include "io/lab.h"
#include "io/runtime.h"

namespace faild::lab {

struct Host {
  Namespace space;
  std::unique_ptr<Runtime> runtime;
  std::counting_semaphore<> woken{0};
  std::vector<Event> events;
  size_t next = 0;  // the first that no wait has looked at
  uint64_t lost = 0;

  std::atomic<bool> holding{false};
  std::binary_semaphore held{0}, released{0};

  static void wake(void* argument) {
    auto* self = static_cast<Host*>(argument);
    self->woken.release();
    if (!self->holding.load(std::memory_order_acquire)) return;
    self->held.release();
    self->released.acquire();
  }

  // How long what must come may take on a busy machine; nothing takes so long that is well.
  static constexpr int kPatience = 30;  // seconds

  // Reads on until an event fits; false after `seconds`.
  bool wait_for(const std::function<bool(const Event&)>& fits, int seconds = kPatience) {
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
  // For what no event tells.
  static bool eventually(const std::function<bool()>& holds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(kPatience);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }
  // Drains once; how many of the events so far fit?
  size_t count(const std::function<bool(const Event&)>& fits) {
    while (wait_for([](const Event&) { return false; }, 0)) continue;
    return static_cast<size_t>(std::count_if(events.begin(), events.end(), fits));
  }
  std::unique_ptr<Snapshot> snapshot(uint32_t id = 77) {
    REQUIRE(runtime->request_snapshot(id));
    REQUIRE(wait_for([&](const Event& e) { return e.kind == EventKind::kAnswer && e.id == id; }));
    auto taken = runtime->take_snapshot();
    REQUIRE(taken);
    return taken;
  }
  bool wait_for(EventKind kind) {
    return wait_for([kind](const Event& event) { return event.kind == kind; });
  }
};

struct Lans {
  Namespace middle;
  Host hosts[2];
  Duration interval = Duration::ms(10);
  uint32_t fail_after = 3;

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
    out.engine.plan.timing.fill({interval, fail_after, 10});
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

  void start(int h, Transport transport) { start(h, config(h, transport)); }
  void start(int h, const RuntimeConfig& config) {
    Host& host = hosts[h];
    host.runtime = std::make_unique<Runtime>(config, &Host::wake, &host);
    const auto error = host.runtime->start();
    REQUIRE_MESSAGE(!error, (error ? error->message : std::string()));
  }

  void meet() {
    for (Host& host : hosts) {
      for (int lan = 0; lan < 2; lan++) {
        REQUIRE(host.wait_for([](const Event& e) { return e.kind == EventKind::kPathUp; }));
      }
    }
  }
};

inline bool is_path_up(const Event& event) { return event.kind == EventKind::kPathUp; }
inline bool is_failover(const Event& event) {
  return event.kind == EventKind::kFailover || event.kind == EventKind::kLanFailover;
}
inline bool is_switchback(const Event& event) {
  return event.kind == EventKind::kSwitchback || event.kind == EventKind::kLanSwitchback;
}

// While it lives, the host's engine thread does nothing but what `one_round` permits.
class Hold {
 public:
  explicit Hold(Host& host) : host_(host) {
    host.holding.store(true, std::memory_order_release);
    (void)host.count([](const Event&) { return false; });  // the next event is then a wake-up
    REQUIRE(host.runtime->request_snapshot(kId));
    host.held.acquire();
  }
  ~Hold() {
    host_.holding.store(false, std::memory_order_release);
    host_.released.release();
    (void)host_.wait_for(
        [](const Event& e) { return e.kind == EventKind::kAnswer && e.id == kId; });
    (void)host_.runtime->take_snapshot();
  }
  // One round of the reactor, with whatever waits for it: its answer to a command that names nobody
  // is the next wake-up.
  void one_round() {
    (void)host_.count([](const Event&) { return false; });
    Command command;
    command.kind = Command::Kind::kSwitchback;
    command.host = HostId{UINT64_MAX};
    REQUIRE(host_.runtime->submit(command));
    host_.released.release();
    host_.held.acquire();
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  static constexpr uint32_t kId = 1000000;
  Host& host_;
};

}  // namespace faild::lab
