// Random faults; chaos.h says what for.
#include "chaos.h"

#include <algorithm>

#include "core/path.h"

namespace faild::sim {
namespace {

// Shapes of one interval each: quick, ordinary, slow.
constexpr int64_t kIntervalsMs[] = {10, 20, 50, 100};

}  // namespace

Scene random_scene(Random& random) {
  Scene scene;
  scene.lans = 2 + random.below(2);
  scene.hosts.resize(2 + random.below(5));
  const bool mixed = random.below(2) == 0;
  const Duration common = Duration::ms(kIntervalsMs[random.below(4)]);
  for (HostOptions& host : scene.hosts) {
    host.requestor = random.below(4) != 0;
    host.interval = mixed ? Duration::ms(kIntervalsMs[random.below(4)]) : common;
    host.fail_after = 2 + static_cast<uint32_t>(random.below(3));
    host.restore_after = 1 + static_cast<uint32_t>(random.below(10));
  }
  scene.hosts[0].requestor = true;
  return scene;
}

Chaos::Chaos(uint64_t seed, const Scene& scene)
    : cluster(seed, scene.lans, scene.hosts), invariants(cluster), random_(seed ^ 0xC4A05) {}

void Chaos::rage(Duration time) {
  const Instant end = cluster.now() + time;
  while (cluster.now() < end && invariants.broken.empty()) {
    one_fault();
    const auto pause = static_cast<int64_t>(random_.below(random_.below(3) == 0 ? 400 : 30));
    cluster.run(Duration::ms(pause));
    const size_t host = any_host();
    if (random_.below(4) == 0) invariants.replay(host);
  }
}

void Chaos::one_fault() {
  switch (random_.below(10)) {
    case 0: cluster.cut_lan(any_lan(), true); break;
    case 1:
    case 2: cluster.cut_lan(any_lan(), false); break;
    case 3: {
      const uint64_t ways = random_.below(3);
      cluster.cut_host(any_lan(), any_host(), random_.below(2) == 0, ways != 0, ways != 1);
      break;
    }
    case 4: {
      const size_t host = any_host();
      const bool cut = random_.below(2) == 0;
      for (size_t lan = 0; lan < cluster.lans(); lan++) cluster.cut_host(lan, host, cut);
      break;
    }
    case 5:
    case 6: fault_of_host(any_host()); break;
    default: fault_of_link(); break;
  }
}

void Chaos::fault_of_link() {
  Link& link = cluster.link(any_lan(), any_host(), any_host());
  link = Link{};
  switch (random_.below(6)) {
    case 0:
    case 1: link.cut = true; break;
    case 2: link.loss_per_mille = static_cast<uint32_t>(random_.below(900)); break;
    case 3: link.duplicate_per_mille = 300; break;
    case 4: link.jitter = Duration::ms(30); break;  // overtakes: longer than the shortest interval
    default: link.delay = Duration::ms(static_cast<int64_t>(random_.below(20))); break;
  }
}

void Chaos::fault_of_host(size_t host) {
  const bool runs = cluster.host(host).engine != nullptr;
  if (!runs) {
    cluster.start(host);
    return;
  }
  switch (random_.below(5)) {
    case 0: cluster.kill(host); break;
    case 1: cluster.stop(host); break;
    case 2: cluster.carrier(any_lan(), host, random_.below(2) == 0); break;
    default: cluster.stall(host, Duration::ms(static_cast<int64_t>(random_.below(300)))); break;
  }
}

void Chaos::heal() {
  for (size_t lan = 0; lan < cluster.lans(); lan++) {
    for (size_t a = 0; a < cluster.size(); a++) {
      for (size_t b = 0; b < cluster.size(); b++) cluster.link(lan, a, b) = Link{};
    }
  }
  for (size_t host = 0; host < cluster.size(); host++) {
    if (!cluster.host(host).engine) cluster.start(host);
    cluster.host(host).stalled_until = cluster.now();
    for (size_t lan = 0; lan < cluster.lans(); lan++) cluster.carrier(lan, host, true);
  }
}

// In the order in which it happens, at the slowest interval I:
//   a packet of everybody arrives, a stall's last effects pass       2 I + 300 ms
//   the next solicit is due: its retries are at most 5 s apart       5 s
//   or a path that was never heard is introduced                     500 ms or 2 D, + D (within the
//   5 s) s good packets, one round until the other end says so too        (s + 2) I a solicit that
//   crossed one of those is repeated                  one retry floor, 2 I both LANs serve D the
//   LAN's rule goes, standby entries come                        3 I
Duration Chaos::bound() const {
  Duration slowest, detection;
  uint32_t good = 0;
  for (size_t i = 0; i < cluster.size(); i++) {
    slowest = std::max(slowest, const_cast<Cluster&>(cluster).host(i).options.interval);
  }
  for (size_t i = 0; i < cluster.size(); i++) {
    const HostOptions& options = const_cast<Cluster&>(cluster).host(i).options;
    good = std::max(good, options.restore_after);
    const DetectorRules rules{options.fail_after, options.restore_after};
    detection = std::max(detection, detection_time(rules, slowest));
  }
  return Duration::ms(5300) + slowest * (int64_t{good} + 9) + detection;
}

bool Chaos::settled(size_t host) {
  const Engine& engine = *cluster.host(host).engine;
  for (size_t lan = 0; lan < cluster.lans(); lan++) {
    LanRow row;
    engine.read_lan(LanIndex{static_cast<uint8_t>(lan)}, &row);
    if (row.moved || row.state == LanState::kDown) return false;
  }
  size_t standby = 0;
  for (const KernelEntry& entry : cluster.host(host).kernel.entries()) {
    const bool rule = entry.key.kind == RouteKey::Kind::kRule;
    if (rule != (entry.key.table == kExceptionsTable)) return false;
    if (!rule) standby++;
  }
  size_t peers = 0;
  for (size_t to = 0; to < cluster.size(); to++) {
    const bool meet = cluster.host(host).options.requestor || cluster.host(to).options.requestor;
    if (to == host || !meet) continue;
    peers++;
    for (size_t lan = 0; lan < cluster.lans(); lan++) {
      if (cluster.way(host, to, lan) != lan) return false;
    }
  }
  return standby == peers * cluster.lans();
}

bool Chaos::converged() {
  if (!cluster.all_up()) return false;
  for (size_t host = 0; host < cluster.size(); host++) {
    if (!settled(host)) return false;
  }
  return true;
}

}  // namespace faild::sim
