// The checks of invariants.h.
#include "invariants.h"

#include <algorithm>
#include <set>

#include "core/path.h"

namespace faild::sim {

void Invariants::breach(size_t host, const std::string& what) {
  if (!broken.empty()) return;
  broken = "host " + std::to_string(host) + " at " + std::to_string(cluster_.now().in_ns() / 1000) +
           " us: " + what;
}

bool Invariants::quiet(size_t host) const {
  Host& it = cluster_.host(host);
  const Instant busy_until = std::max(it.stalled_until, it.leaves_alone_until);
  return it.engine && !it.stopping && it.answers.empty() && !it.has_news() &&
         cluster_.now() >= busy_until && it.engine->poll_at() > cluster_.now();
}

Duration Invariants::patience(size_t host, const PathRow& row) const {
  const Timing& timing = cluster_.host(host).options.timing[row.lan.value];
  return row.interval * timing.restore_after * 3 / 2 +
         detection_time({timing.fail_after}, row.interval);
}

void Invariants::look(size_t host) {
  looks++;
  const bool changed = look_at_kernel(host);
  // What it does not see of the host's paths may interrupt what it counts.
  if (cluster_.now() < cluster_.host(host).leaves_alone_until) forget(host);
  if (!quiet(host) || replaying_) return;
  stalls_seen_.resize(cluster_.size());
  const Counters& counters = cluster_.host(host).engine->counters();
  const uint64_t stalls = counters.stalls + counters.receive_drops;
  if (stalls != stalls_seen_[host]) {
    // Patience is counted in time during which the host was able to listen.
    forget(host);
    stalls_seen_[host] = stalls;
  }
  const size_t peers = cluster_.host(host).engine->peer_count();
  for (size_t peer = 0; peer < peers; peer++) look_at_peer(host, peer);
  replay(host, changed);
}

void Invariants::forget(size_t host) {
  std::erase_if(bad_since_, [&](const auto& bad) { return std::get<0>(bad.first) == host; });
}

// Not heard since its LAN was judged dead: no path to rely on, though its own time is not over.
bool Invariants::suspect(const Engine& engine, const PathRow& row) const {
  LanRow lan;
  engine.read_lan(row.lan, &lan);
  return lan.state == LanState::kDown && cluster_.now() - *row.silence < lan.since;
}

void Invariants::look_at_peer(size_t host, size_t peer) {
  const HostOptions& options = cluster_.host(host).options;
  const Engine& engine = *cluster_.host(host).engine;
  std::array<PathRow, kMaxLans> rows;
  std::array<bool, kMaxLans> known{};
  size_t good = kMaxLans;
  bool trouble = false;
  for (size_t lan = 0; lan < cluster_.lans(); lan++) {
    PathRow& row = rows[lan];
    known[lan] = engine.read_path(cluster_.now(), peer, LanIndex{static_cast<uint8_t>(lan)}, &row);
    if (!known[lan]) continue;
    trouble = trouble || row.state == PathState::kDown || row.alternate;
    const bool fresh =
        row.silence && *row.silence < overdue_time({options.timing[lan].fail_after}, row.interval);
    if (row.state == PathState::kUp && fresh && !suspect(engine, row)) good = lan;
  }
  for (size_t lan = 0; lan < cluster_.lans() && trouble; lan++) {
    if (!known[lan]) continue;
    const auto to = static_cast<size_t>(rows[lan].host.value - Cluster::id(0).value);
    const size_t way = cluster_.way(host, to, lan);
    const size_t alternate = rows[lan].alternate ? rows[lan].alternate->value : lan;
    const auto down = [&](size_t on) { return rows[on].state == PathState::kDown; };
    const Place place{host, peer, lan};
    if (good == kMaxLans || (!down(way) && !down(alternate))) {
      bad_since_.erase(place);
      continue;
    }
    const Instant since = bad_since_.try_emplace(place, cluster_.now()).first->second;
    const bool returning = way == lan && alternate == lan && rows[lan].good > 0;
    if (returning && cluster_.now() - since <= patience(host, rows[lan])) continue;
    breach(host, "traffic for host " + std::to_string(to) + " on LAN " + std::to_string(lan) +
                     " takes LAN " + std::to_string(way) + " (alternate " +
                     std::to_string(alternate) + "), which is down, while LAN " +
                     std::to_string(good) + " is up; state " + to_string(rows[lan].state) + " " +
                     to_string(rows[lan].reason) + ", good " + std::to_string(rows[lan].good));
  }
}

bool Invariants::look_at_kernel(size_t host) {
  const Kernel& kernel = cluster_.host(host).kernel;
  changes_seen_.resize(cluster_.size());
  if (kernel.changes == changes_seen_[host]) return false;
  changes_seen_[host] = kernel.changes;
  if (kernel.redundant > 0) breach(host, "the kernel was asked for what it has");
  std::set<std::pair<uint32_t, uint32_t>> metrics;
  for (const KernelEntry& entry : kernel.entries()) {
    if (entry.key.kind == RouteKey::Kind::kRule) continue;
    if (!metrics.insert({entry.key.table, entry.priority}).second) breach(host, "a metric twice");
  }
  return true;
}

void Invariants::replay(size_t host, bool dump) {
  replaying_ = true;
  replays++;
  const uint64_t before = cluster_.host(host).kernel.changes;
  Command same;
  same.kind = Command::Kind::kSetPlan;
  same.plan = cluster_.plan_of(host);
  cluster_.step(host, [&](Engine& engine, Effects& effects) {
    engine.on_command(cluster_.now(), same, effects);
  });
  if (cluster_.host(host).kernel.changes != before) breach(host, "the same plan gave operations");
  if (dump) cluster_.resync(host);
  if (cluster_.host(host).kernel.changes != before) breach(host, "a resync gave operations");
  replaying_ = false;
}

}  // namespace faild::sim
