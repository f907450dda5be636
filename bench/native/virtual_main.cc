// faild-bench-virtual HOSTS INTERVAL-US: the story of a large cluster under virtual time
// (virtual_cluster.h), told as one line of JSON. bench/scenarios/scale-virtual.ts runs it.
//
//   cold start -> ten intervals of quiet -> one host's link to LAN A dies, and heals -> one host
//   dies
//   -> all of LAN A dies, and heals
//
// All instants are virtual nanoseconds, a row for each full engine; only "engineNs" is real time.
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <optional>

#include "clock.h"
#include "json.h"
#include "virtual_cluster.h"

namespace faild::bench {
namespace {

constexpr size_t kLinkVictim = 4711, kDeadHost = 815;
constexpr int64_t kPatience = 60;  // intervals

class Story {
 public:
  explicit Story(const VirtualOrder& order)
      : interval_(order.interval), began_(bench::now()), cluster_(order) {}
  void tell();

 private:
  void cold_start();
  void be_quiet();
  void fail_link();
  void kill_host();
  void fail_lan();
  void close();
  void wait_until_all_up();
  // Since `from`, on each engine: how long until the first event of that kind (about that host).
  void latencies(const char* key, Instant from, EventKind kind, HostId host = HostId{});
  void verdicts(const char* key);

  Duration interval_;
  Nanoseconds began_;
  VirtualCluster cluster_;
  Json json_;
};

void Story::tell() {
  json_.open('{');
  cold_start();
  be_quiet();
  fail_link();
  kill_host();
  fail_lan();
  close();
  std::cout << json_.close('}').text() << std::endl;
}

void Story::wait_until_all_up() {
  for (int64_t i = 0; i < kPatience && !cluster_.all_up(); i++) cluster_.run(interval_);
}

void Story::cold_start() {
  const Instant from = cluster_.now();
  wait_until_all_up();
  json_.field("met", cluster_.all_up() ? 1 : 0).key("coldStart").open('[');
  for (size_t i = 0; i < cluster_.engines(); i++) {
    json_.number((cluster_.seen(i).last_up - from).in_ns());
  }
  json_.close(']').key("coldPeaks").open('[');
  for (size_t i = 0; i < cluster_.engines(); i++) {
    for (Rate& rate : cluster_.seen(i).rate) json_.number(rate.take_peak());
  }
  json_.close(']');
}

void Story::verdicts(const char* key) {
  json_.key(key).open('[');
  for (size_t i = 0; i < cluster_.engines(); i++) {
    json_.number(static_cast<int64_t>(cluster_.counters(i).verdicts_down));
  }
  json_.close(']');
}

void Story::be_quiet() {
  cluster_.run(interval_ * 10);
  verdicts("quietVerdicts");
}

void Story::latencies(const char* key, Instant from, EventKind kind, HostId host) {
  json_.key(key).open('[');
  for (size_t i = 0; i < cluster_.engines(); i++) {
    const auto& events = cluster_.seen(i).events;
    const auto found = std::find_if(events.begin(), events.end(), [&](const Event& event) {
      return event.kind == kind && event.at >= from && event.host == host;
    });
    if (found != events.end()) json_.number((found->at - from).in_ns());
  }
  json_.close(']');
}

void Story::fail_link() {
  const Instant from = cluster_.now();
  const HostId victim = cluster_.speaker_id(kLinkVictim);
  cluster_.cut_speaker(0, kLinkVictim, true);
  cluster_.run(interval_ * 6);
  latencies("linkVerdict", from, EventKind::kPathDown, victim);
  latencies("linkMoved", from, EventKind::kFailover, victim);
  cluster_.cut_speaker(0, kLinkVictim, false);
  wait_until_all_up();
  cluster_.run(interval_ * 10);
}

// Silent on every LAN: that is no LAN's fault, and there is nowhere to go.
void Story::kill_host() {
  const Instant from = cluster_.now();
  const HostId victim = cluster_.speaker_id(kDeadHost);
  for (size_t lan = 0; lan < VirtualCluster::kLans; lan++) {
    cluster_.cut_speaker(lan, kDeadHost, true);
  }
  cluster_.run(interval_ * 6);
  latencies("deathVerdict", from, EventKind::kPathDown, victim);
  for (size_t lan = 0; lan < VirtualCluster::kLans; lan++) {
    cluster_.cut_speaker(lan, kDeadHost, false);
  }
  wait_until_all_up();
  cluster_.run(interval_ * 10);
}

void Story::fail_lan() {
  const Instant cut = cluster_.now();
  cluster_.cut_lan(0, true);
  cluster_.run(interval_ * 8);
  latencies("lanVerdict", cut, EventKind::kLanDown);
  latencies("lanMoved", cut, EventKind::kLanFailover);
  verdicts("lanVerdicts");
  const Instant healed = cluster_.now();
  cluster_.cut_lan(0, false);
  wait_until_all_up();
  cluster_.run(interval_ * 10);
  latencies("lanReturned", healed, EventKind::kLanSwitchback);
  json_.field("allUpAgain", cluster_.all_up() ? 1 : 0);
}

void Story::close() {
  json_.field("virtual", cluster_.now().in_ns()).field("real", bench::now() - began_);
  json_.key("packets").open('[');
  for (size_t i = 0; i < cluster_.engines(); i++) {
    json_.number(static_cast<int64_t>(cluster_.seen(i).packets));
  }
  json_.close(']').key("engineNs").open('[');
  for (size_t i = 0; i < cluster_.engines(); i++) json_.number(cluster_.seen(i).busy_ns);
  json_.close(']');
}

}  // namespace
}  // namespace faild::bench

int main(int argc, char** argv) {
  faild::bench::VirtualOrder order;
  order.hosts = argc == 3 ? std::strtoul(argv[1], nullptr, 10) : 0;
  order.interval = faild::Duration::us(argc == 3 ? std::strtol(argv[2], nullptr, 10) : 0);
  if (order.hosts < 5000 || order.hosts > faild::kMaxPeers || order.interval.in_us() < 1000) {
    std::cerr << "usage: faild-bench-virtual HOSTS INTERVAL-US, of 5000 hosts or more\n";
    return 2;
  }
  faild::bench::Story(order).tell();
  return 0;
}
