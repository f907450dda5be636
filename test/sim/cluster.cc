// The simulated cluster; cluster.h says what it is.
#include "cluster.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "core/route_store.h"

namespace faild::sim {
namespace {

constexpr Duration kRouteLatency = Duration::us(20);

[[nodiscard]] uint32_t ifindex_of(size_t lan) { return static_cast<uint32_t>(10 + lan); }

[[nodiscard]] MacAddress mac_of(size_t lan, size_t host) {
  return MacAddress{{2, 0, static_cast<uint8_t>(lan), 0, static_cast<uint8_t>(host >> 8),
                     static_cast<uint8_t>(host)}};
}

}  // namespace

// --- kernel

int Kernel::check(const RouteOp& op) const {
  if (op.kind == RouteOp::Kind::kNeighbour) return 0;
  const bool present = holds(op.key);
  if (op.kind == RouteOp::Kind::kRemove) return present ? 0 : ESRCH;
  return present && op.key.kind == RouteKey::Kind::kRule ? EEXIST : 0;
}

bool Kernel::holds(const RouteKey& key) const {
  return std::any_of(entries_.begin(), entries_.end(),
                     [&](const KernelEntry& e) { return e.key == key; });
}

bool Kernel::remove(const RouteKey& key) {
  return std::erase_if(entries_, [&](const KernelEntry& e) { return e.key == key; }) > 0;
}

void Kernel::carry_out(const RouteOp& op) {
  if (op.kind == RouteOp::Kind::kNeighbour) return;
  changes++;
  const bool set = op.kind == RouteOp::Kind::kSet;
  const auto old = std::find_if(entries_.begin(), entries_.end(),
                                [&](const KernelEntry& e) { return e.key == op.key; });
  if (set ? old != entries_.end() && old->target == op.target : old == entries_.end()) redundant++;
  (void)remove(op.key);
  if (set) entries_.push_back({op.key, op.target, op.priority});
}

// Rules in the order of their preference; the first table with a route for the destination wins.
std::optional<uint32_t> Kernel::way_to(const IpAddress& destination) const {
  const auto leads = [&](const KernelEntry& rule, uint32_t table) {
    if (rule.key.kind != RouteKey::Kind::kRule || rule.key.table != table) return false;
    const Prefix& to = rule.key.destination;
    return to.length == 0 ? to.address.family == destination.family : to.contains(destination);
  };
  const KernelEntry* best = nullptr;
  uint32_t best_priority = UINT32_MAX;
  for (const KernelEntry& route : entries_) {
    if (route.key.kind != RouteKey::Kind::kRoute) continue;
    if (route.key.destination.address != destination) continue;
    for (const KernelEntry& rule : entries_) {
      if (!leads(rule, route.key.table) || rule.priority >= best_priority) continue;
      best = &route;
      best_priority = rule.priority;
    }
  }
  if (best == nullptr) return std::nullopt;
  return best->target.out_ifindex;
}

void Kernel::dump(Instant now, Engine& engine) const {
  engine.on_resync_begin(now);
  for (const KernelEntry& e : entries_) engine.on_resync_entry(now, e);
}

// --- cluster

Cluster::Cluster(uint64_t seed, size_t lans, const std::vector<HostOptions>& hosts)
    : lans_(lans),
      random_(seed),
      hosts_(hosts.size()),
      links_(lans * hosts.size() * hosts.size()),
      lost_in_a_row_(links_.size()) {
  for (size_t i = 0; i < hosts.size(); i++) hosts_[i].options = hosts[i];
}

IpAddress Cluster::address(size_t lan, size_t host) {
  IpAddress ip;
  ip.family = Family::kIpv4;
  ip.bytes = {10, static_cast<uint8_t>(lan + 1), static_cast<uint8_t>((host + 1) >> 8),
              static_cast<uint8_t>(host + 1)};
  return ip;
}

Link& Cluster::link(size_t lan, size_t from, size_t to) {
  return links_[(lan * hosts_.size() + from) * hosts_.size() + to];
}

void Cluster::cut_lan(size_t lan, bool cut) {
  for (size_t a = 0; a < size(); a++) {
    for (size_t b = 0; b < size(); b++) link(lan, a, b).cut = cut;
  }
}

void Cluster::cut_host(size_t lan, size_t host, bool cut, bool outgoing, bool incoming) {
  for (size_t other = 0; other < size(); other++) {
    if (outgoing) link(lan, host, other).cut = cut;
    if (incoming) link(lan, other, host).cut = cut;
  }
}

void Cluster::set_loss(uint32_t per_mille, uint32_t most_in_a_row) {
  for (Link& link : links_) {
    link.loss_per_mille = per_mille;
    link.most_in_a_row = most_in_a_row;
  }
}

Plan Cluster::plan_of(size_t i) const {
  Plan plan;
  plan.timing = hosts_[i].options.timing;
  plan.host_drained = hosts_[i].options.drained;
  for (size_t lan = 0; lan < lans_; lan++) {
    FAILD_CHECK(plan.preference.push(LanIndex{static_cast<uint8_t>(lan)}));
  }
  return plan;
}

void Cluster::start(size_t i) {
  Host& host = hosts_[i];
  EngineConfig config;
  config.host = id(i);
  config.incarnation = Incarnation{++host.incarnation};
  config.name.assign("host" + std::to_string(i + 1));
  config.cluster = cluster_hash("sim");
  config.requestor = host.options.requestor;
  config.plan = plan_of(i);
  config.max_peers = std::max<size_t>(16, size());
  config.seed = random_.next();
  for (size_t lan = 0; lan < lans_; lan++) {
    LanConfig ours;
    ours.name.assign(std::string(1, static_cast<char>('A' + lan)));
    ours.interface.assign("lan" + std::to_string(lan));
    ours.ifindex = ifindex_of(lan);
    ours.mac = mac_of(lan, i);
    FAILD_CHECK(ours.addresses.push(Prefix{address(lan, i), 16}));
    FAILD_CHECK(config.lans.push(ours));
  }
  host.engine = std::make_unique<Engine>(config, now_);
  host.kernel.dump(now_, *host.engine);
  step(i, [&](Engine& engine, Effects& effects) { engine.on_resync_end(now_, effects); });
}

void Cluster::kill(size_t i) {
  hosts_[i].engine.reset();
  hosts_[i].answers.clear();
  hosts_[i].news.clear();
  hosts_[i].told.clear();
  hosts_[i].stopping = hosts_[i].dump_wanted = false;
  hosts_[i].stalled_until = hosts_[i].leaves_alone_until = now_;
}

void Cluster::stop(size_t i) {
  hosts_[i].stopping = true;
  Command command;
  command.kind = Command::Kind::kBye;
  for (int times = 0; times < 3; times++) {
    step(i, [&](Engine& engine, Effects& effects) { engine.on_command(now_, command, effects); });
  }
  command.kind = Command::Kind::kCleanup;
  step(i, [&](Engine& engine, Effects& effects) { engine.on_command(now_, command, effects); });
  run(Duration::ms(1));
  kill(i);
}

void Cluster::stall(size_t i, Duration time) { hosts_[i].stalled_until = now_ + time; }

void Cluster::carrier(size_t lan, size_t i, bool present) {
  const LinkChange change{LanIndex{static_cast<uint8_t>(lan)}, present};
  if (!hosts_[i].engine) return;
  step(i, [&](Engine& engine, Effects& effects) { engine.on_link(now_, change, effects); });
}

void Cluster::retime(size_t lan, size_t i, const Timing& timing) {
  hosts_[i].options.timing[lan] = timing;
  replan(i);
}

void Cluster::drain(size_t i, bool drained) {
  hosts_[i].options.drained = drained;
  if (hosts_[i].engine) replan(i);
}

void Cluster::replan(size_t i) {
  Command command;
  command.kind = Command::Kind::kSetPlan;
  command.plan = plan_of(i);
  step(i, [&](Engine& engine, Effects& effects) { engine.on_command(now_, command, effects); });
}

void Cluster::drop_received(size_t lan, size_t i, uint32_t count) {
  const LanIndex index{static_cast<uint8_t>(lan)};
  step(i, [&](Engine& engine, Effects& effects) {
    engine.on_receive_drops(now_, index, count, effects);
  });
}

void Cluster::resync(size_t i) {
  hosts_[i].dump_wanted = true;
  read_news(i);
}

void Cluster::remove_entry(size_t i, RouteKey key, bool told) {
  Host& host = hosts_[i];
  if (!host.kernel.remove(key) || !host.engine) return;
  if (told) host.news.push_back(key);
  if (!told) host.dump_wanted = true;
  if (now_ >= host.stalled_until) read_news(i);
}

// As a round of the daemon does: the answers to what it has asked for come before anything else
// that the kernel says (Reactor::carry_out), and what others removed before a dump.
void Cluster::read_news(size_t i) {
  Host& host = hosts_[i];
  while (!host.answers.empty() || !host.news.empty()) {
    if (!host.answers.empty()) {
      answer(i);
      continue;
    }
    const RouteKey removed = host.news.front();
    host.news.pop_front();
    // Written again meanwhile: to hear of it now would cost one more writing of the same.
    if (!host.kernel.holds(removed)) tell_removed(i, removed);
  }
  if (!std::exchange(host.dump_wanted, false)) return;
  host.kernel.dump(now_, *host.engine);
  step(i, [&](Engine& engine, Effects& effects) { engine.on_resync_end(now_, effects); });
}

void Cluster::tell_removed(size_t i, const RouteKey& key) {
  Host& host = hosts_[i];
  auto last = std::find_if(host.told.begin(), host.told.end(),
                           [&](const auto& entry) { return entry.first == key; });
  if (last == host.told.end()) last = host.told.insert(last, {key, Instant()});
  if (now_ - last->second < kRepairPause) host.leaves_alone_until = now_ + kRepairPause;
  last->second = now_;
  step(i, [&](Engine& engine, Effects& effects) { engine.on_entry_removed(now_, key, effects); });
}

// One input to one engine, its effects carried out.
void Cluster::step(size_t i, const std::function<void(Engine&, Effects&)>& input) {
  effects_->clear();
  input(*hosts_[i].engine, *effects_);
  carry_out(i);
  const bool resync_asked = effects_->resync;
  if (after_step && hosts_[i].engine) after_step(i);
  if (resync_asked) resync(i);
}

// The kernel obeys at once; its answers arrive a little later, in order.
void Cluster::carry_out(size_t i) {
  Host& host = hosts_[i];
  for (const RouteOp& op : effects_->route_ops) {
    note(op.id ^ (uint64_t{op.key.table} << 32));
    const int error = host.kernel.check(op);
    if (error == 0) host.kernel.carry_out(op);
    host.answers.push_back({now_ + kRouteLatency, RouteResult{op.id, error}});
  }
  for (const SendPacket& packet : effects_->sends) send(i, packet);
  for (const Event& event : effects_->events) {
    note(static_cast<uint64_t>(event.kind) ^ event.host.value ^
         static_cast<uint64_t>(event.at.in_ns()) ^ (uint64_t{event.lan.value} << 56));
    host.events.push_back(event);
  }
}

void Cluster::answer(size_t i) {
  const RouteResult result = hosts_[i].answers.front().result;
  hosts_[i].answers.pop_front();
  step(i, [&](Engine& e, Effects& effects) { e.on_route_result(now_, result, effects); });
}

void Cluster::send(size_t from, const SendPacket& packet) {
  const size_t lan = packet.lan.value;
  for (size_t to = 0; to < size(); to++) {
    if (to == from) continue;
    if (packet.to && packet.to->ip != address(lan, to)) continue;
    launch(from, to, lan, packet);
  }
}

void Cluster::launch(size_t from, size_t to, size_t lan, const SendPacket& packet) {
  const size_t index = (lan * size() + from) * size() + to;
  const Link& way = links_[index];
  uint32_t& lost = packet.to ? lost_in_a_row_[index].to_one : lost_in_a_row_[index].to_all;
  const bool may_lose = !way.most_in_a_row || lost < *way.most_in_a_row;
  if (way.cut || (may_lose && random_.below(1000) < way.loss_per_mille)) {
    lost++;
    return;
  }
  lost = 0;
  const uint32_t copies = random_.below(1000) < way.duplicate_per_mille ? 2 : 1;
  for (uint32_t copy = 0; copy < copies; copy++) {
    const auto jitter =
        static_cast<int64_t>(random_.below(static_cast<uint64_t>(way.jitter.in_ns()) + 1));
    const auto payload = packet.payload();
    const Instant at = now_ + way.delay + Duration::ns(jitter);
    flights_.push(Flight{at, at, order_++, to, lan, from, {payload.begin(), payload.end()}});
  }
}

void Cluster::arrive(const Flight& flight) {
  Host& host = hosts_[flight.to];
  if (!host.engine) return;
  if (now_ < host.stalled_until) {
    // It waits in the socket, stamped by the kernel, until the thread runs again.
    Flight later = flight;
    later.at = host.stalled_until;
    flights_.push(later);
    return;
  }
  PacketIn packet;
  packet.arrived = flight.stamped;
  packet.lan = LanIndex{static_cast<uint8_t>(flight.lan)};
  packet.from = address(flight.lan, flight.from);
  packet.from_mac = mac_of(flight.lan, flight.from);
  packet.payload = flight.bytes;
  note(flight.order);
  step(flight.to, [&](Engine& e, Effects& effects) { e.on_packet(now_, packet, effects); });
}

Instant Cluster::next_wake(size_t i) const {
  Instant at = hosts_[i].engine->poll_at();
  if (!hosts_[i].answers.empty()) at = std::min(at, hosts_[i].answers.front().at);
  if (hosts_[i].has_news()) at = now_;
  return std::max(at, hosts_[i].stalled_until);
}

// The thread runs: it reads everything first, and judges then.
void Cluster::wake(size_t i) {
  while (!hosts_[i].answers.empty() && hosts_[i].answers.front().at <= now_) answer(i);
  if (hosts_[i].has_news()) read_news(i);
  if (now_ < hosts_[i].engine->poll_at()) return;
  step(i, [&](Engine& engine, Effects& effects) { engine.on_deadline(now_, effects); });
}

// The next thing that happens, if it happens by `limit`.
bool Cluster::advance(Instant limit) {
  std::optional<size_t> sleeper;
  Instant at = limit;
  for (size_t i = 0; i < size(); i++) {
    if (hosts_[i].engine && next_wake(i) < at) {
      at = next_wake(i);
      sleeper = i;
    }
  }
  // Packets first: what has arrived is read before anybody is judged.
  if (!flights_.empty() && flights_.top().at <= at) {
    const Flight flight = flights_.top();
    flights_.pop();
    now_ = std::max(now_, flight.at);
    arrive(flight);
    return true;
  }
  if (!sleeper) {
    now_ = limit;
    return false;
  }
  now_ = std::max(now_, at);
  wake(*sleeper);
  return true;
}

void Cluster::run(Duration time) {
  const Instant end = now_ + time;
  while (advance(end)) {
  }
}

std::optional<Duration> Cluster::run_until(const std::function<bool()>& done, Duration limit) {
  const Instant begin = now_;
  while (!done()) {
    if (!advance(begin + limit)) return std::nullopt;
  }
  return now_ - begin;
}

std::optional<PathRow> Cluster::path(size_t from, size_t to, size_t lan) const {
  const Host& host = hosts_[from];
  if (!host.engine) return std::nullopt;
  for (size_t peer = 0; peer < host.engine->peer_count(); peer++) {
    PathRow row;
    if (host.engine->read_path(now_, peer, LanIndex{static_cast<uint8_t>(lan)}, &row) &&
        row.host == id(to)) {
      return row;
    }
  }
  return std::nullopt;
}

bool Cluster::all_up() const {
  for (size_t from = 0; from < size(); from++) {
    for (size_t to = 0; to < size(); to++) {
      for (size_t lan = 0; lan < lans_ && from != to; lan++) {
        const bool either = hosts_[from].options.requestor || hosts_[to].options.requestor;
        if (!either || !hosts_[from].engine || !hosts_[to].engine) continue;
        const auto row = path(from, to, lan);
        if (!row || row->state != PathState::kUp || row->alternate) return false;
      }
    }
  }
  return true;
}

size_t Cluster::way(size_t from, size_t to, size_t lan) const {
  const auto out = hosts_[from].kernel.way_to(address(lan, to));
  return out ? *out - ifindex_of(0) : lan;
}

size_t Cluster::count(size_t i, EventKind kind) const {
  const auto& events = hosts_[i].events;
  return static_cast<size_t>(std::count_if(events.begin(), events.end(),
                                           [&](const Event& event) { return event.kind == kind; }));
}

}  // namespace faild::sim
