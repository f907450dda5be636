// Random faults; chaos.h says what for.
#include "chaos.h"

#include <algorithm>

#include "base/check.h"
#include "core/path.h"

namespace faild::sim {
namespace {

// Shapes of one interval each: quick, ordinary, slow.
constexpr int64_t kIntervalsMs[] = {10, 20, 50, 100};

}  // namespace

Timing random_timing(Random& random) {
  return {Duration::ms(kIntervalsMs[random.below(4)]), 2 + static_cast<uint32_t>(random.below(3)),
          1 + static_cast<uint32_t>(random.below(10))};
}

Scene random_scene(Random& random) {
  Scene scene;
  scene.lans = 2 + random.below(2);
  scene.hosts.resize(2 + random.below(5));
  const bool mixed = random.below(2) == 0;
  const Duration common = Duration::ms(kIntervalsMs[random.below(4)]);
  for (HostOptions& host : scene.hosts) {
    host.requestor = random.below(4) != 0;
    Timing timing = random_timing(random);
    if (!mixed) timing.interval = common;
    host.timing = HostOptions::on_all_lans(timing);
    if (mixed && random.below(2) == 0)
      host.timing[random.below(scene.lans)] = random_timing(random);
  }
  scene.hosts[0].requestor = true;
  return scene;
}

Chaos::Chaos(uint64_t seed, const Scene& scene)
    : cluster(seed, scene.lans, scene.hosts), invariants(cluster), random_(seed ^ 0xC4A05) {}

const char* to_string(Fault fault) {
  switch (fault) {
    case Fault::kLanDies: return "lan-dies";
    case Fault::kLanHeals: return "lan-heals";
    case Fault::kHostCut: return "host-cut";
    case Fault::kHostDeafOrMute: return "host-deaf-or-mute";
    case Fault::kHostHeals: return "host-heals";
    case Fault::kIsolated: return "isolated";
    case Fault::kOneWay: return "one-way";
    case Fault::kLossy: return "lossy";
    case Fault::kDelaying: return "delaying";
    case Fault::kDuplicating: return "duplicating";
    case Fault::kReordering: return "reordering";
    case Fault::kMended: return "mended";
    case Fault::kFlapping: return "flapping";
    case Fault::kStarts: return "starts";
    case Fault::kCrashes: return "crashes";
    case Fault::kStops: return "stops";
    case Fault::kRestarts: return "restarts";
    case Fault::kStalls: return "stalls";
    case Fault::kReceiveDrops: return "receive-drops";
    case Fault::kCarrierLost: return "carrier-lost";
    case Fault::kCarrierBack: return "carrier-back";
    case Fault::kEntryDeleted: return "entry-deleted";
    case Fault::kRetimed: return "retimed";
    case Fault::kNewsLost: return "news-lost";
    case Fault::kDrained: return "drained";
  }
  return "invalid";
}

void Chaos::rage(Duration time) {
  const Instant end = cluster.now() + time;
  while (cluster.now() < end && invariants.broken.empty()) {
    const auto fault = static_cast<Fault>(random_.below(kFaults));
    struck[static_cast<size_t>(fault)]++;
    strike(fault);
    const auto pause = static_cast<int64_t>(random_.below(random_.below(3) == 0 ? 400 : 30));
    cluster.run(Duration::ms(pause));
  }
}

void Chaos::strike(Fault fault) {
  if (fault >= Fault::kStarts) {
    strike_host(fault, any_host());
  } else if (fault >= Fault::kOneWay && fault <= Fault::kMended) {
    strike_link(fault);
  } else {
    strike_wires(fault);
  }
}

void Chaos::strike_wires(Fault fault) {
  const size_t lan = any_lan(), host = any_host();
  const bool deaf = random_.below(2) == 0;
  switch (fault) {
    case Fault::kLanDies: cluster.cut_lan(lan, true); break;
    case Fault::kLanHeals: cluster.cut_lan(lan, false); break;
    case Fault::kHostCut: cluster.cut_host(lan, host, true); break;
    case Fault::kHostDeafOrMute: cluster.cut_host(lan, host, true, !deaf, deaf); break;
    case Fault::kHostHeals: cluster.cut_host(lan, host, false); break;
    case Fault::kIsolated:
      for (size_t each = 0; each < cluster.lans(); each++) cluster.cut_host(each, host, true);
      break;
    case Fault::kFlapping: flap(lan); break;
    default: FAILD_CHECK(false);
  }
}

// From far below a detection time to far above it.
void Chaos::flap(size_t lan) {
  for (int times = 0; times < 4; times++) {
    cluster.cut_lan(lan, true);
    cluster.run(Duration::ms(static_cast<int64_t>(random_.below(200))));
    cluster.cut_lan(lan, false);
    cluster.run(Duration::ms(static_cast<int64_t>(random_.below(300))));
  }
}

void Chaos::strike_link(Fault fault) {
  Link& link = cluster.link(any_lan(), any_host(), any_host());
  switch (fault) {
    case Fault::kOneWay: link.cut = true; break;
    case Fault::kLossy: link.loss_per_mille = static_cast<uint32_t>(random_.below(900)); break;
    case Fault::kDelaying:
      link.delay = Duration::ms(static_cast<int64_t>(random_.below(20)));
      break;
    case Fault::kDuplicating: link.duplicate_per_mille = 300; break;
    case Fault::kReordering: link.jitter = Duration::ms(30); break;  // beyond the shortest interval
    case Fault::kMended: link = Link{}; break;
    default: FAILD_CHECK(false);
  }
}

void Chaos::strike_host(Fault fault, size_t host) {
  const bool runs = cluster.host(host).engine != nullptr;
  if (runs == (fault == Fault::kStarts)) return;
  const auto some_ms = [&](uint64_t most) {
    return Duration::ms(static_cast<int64_t>(random_.below(most)));
  };
  switch (fault) {
    case Fault::kStarts: cluster.start(host); break;
    case Fault::kCrashes: cluster.kill(host); break;
    case Fault::kStops: cluster.stop(host); break;
    case Fault::kRestarts:
      cluster.kill(host);
      cluster.run(some_ms(500));
      cluster.start(host);
      break;
    case Fault::kStalls: cluster.stall(host, some_ms(300)); break;
    case Fault::kReceiveDrops: cluster.drop_received(any_lan(), host, 5); break;
    case Fault::kCarrierLost: cluster.carrier(any_lan(), host, false); break;
    case Fault::kCarrierBack: cluster.carrier(any_lan(), host, true); break;
    case Fault::kEntryDeleted: delete_entry(host, true); break;
    case Fault::kRetimed: cluster.retime(any_lan(), host, random_timing(random_)); break;
    case Fault::kNewsLost: delete_entry(host, false); break;
    case Fault::kDrained: cluster.drain(host, !cluster.host(host).options.drained); break;
    default: FAILD_CHECK(false);
  }
}

// Somebody else deletes one of our routes or rules.
void Chaos::delete_entry(size_t host, bool told) {
  const Kernel& kernel = cluster.host(host).kernel;
  if (kernel.size() == 0) return;
  cluster.remove_entry(host, kernel.entries()[random_.below(kernel.size())].key, told);
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
  Timing worst{Duration(), 0, 0};
  for (size_t i = 0; i < cluster.size(); i++) {
    for (size_t lan = 0; lan < cluster.lans(); lan++) {
      const Timing& timing = const_cast<Cluster&>(cluster).host(i).options.timing[lan];
      worst.interval = std::max(worst.interval, timing.interval);
      worst.fail_after = std::max(worst.fail_after, timing.fail_after);
      worst.restore_after = std::max(worst.restore_after, timing.restore_after);
    }
  }
  const Duration slowest = worst.interval;
  const Duration detection = detection_time({worst.fail_after}, slowest);
  return Duration::ms(5300) + slowest * (int64_t{worst.restore_after} + 9) + detection;
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
