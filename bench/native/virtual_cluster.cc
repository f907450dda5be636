#include "virtual_cluster.h"

#include <algorithm>
#include <string>

#include "clock.h"

namespace faild::bench {
namespace {

constexpr Duration kOnTheWire = Duration::us(50);
constexpr uint64_t kJitterNs = 20'000;
constexpr size_t kFirstAddress = 256;
constexpr Duration kKernelTakes = Duration::us(20);
// As a real host spaces its solicits (native/core/engine_probes.cc): it has all the others to ask.
constexpr int64_t kAskSpacingNs = 500'000;

}  // namespace

VirtualCluster::VirtualCluster(const VirtualOrder& order)
    : order_(order), nodes_(order.engines), speakers_(order.hosts - order.engines) {
  for (size_t i = 0; i < order.engines; i++) start_engine(i);
  for (size_t engine = 0; engine < order.engines; engine++) {
    for (size_t speaker = 0; speaker < speakers_.size(); speaker++) {
      for (size_t lan = 0; lan < kLans; lan++) {
        const auto turn = static_cast<int64_t>(random_.below(order.hosts));
        const Instant at = start_ + order.interval + Duration::ns(turn * kAskSpacingNs);
        flights_.push({at, flown_++, engine, lan, order.engines + speaker, nullptr});
      }
    }
  }
}

IpAddress VirtualCluster::address_of(size_t lan, size_t host) {
  const auto number = static_cast<uint16_t>(host + kFirstAddress);
  return {Family::kIpv4,
          {10, static_cast<uint8_t>(lan + 1), static_cast<uint8_t>(number >> 8),
           static_cast<uint8_t>(number)}};
}

size_t VirtualCluster::host_at(const IpAddress& ip) {
  return size_t{ip.bytes[2]} * 256 + ip.bytes[3] - kFirstAddress;
}

MacAddress VirtualCluster::mac_of(size_t lan, size_t host) {
  return {{2, 0, static_cast<uint8_t>(lan), 0, static_cast<uint8_t>(host >> 8),
           static_cast<uint8_t>(host)}};
}

void VirtualCluster::start_engine(size_t i) {
  EngineConfig config;
  config.host = id_of(i);
  config.incarnation = Incarnation{1};
  config.name.assign("engine-" + std::to_string(i));
  config.cluster = cluster_hash("virtual");
  config.requestor = true;
  config.plan.timing.fill({order_.interval, 3, 3});
  config.max_peers = order_.hosts;
  config.seed = random_.next();
  for (size_t lan = 0; lan < kLans; lan++) {
    LanConfig* ours = config.lans.extend();
    *ours = LanConfig();
    ours->name.assign(lan == 0 ? "A" : "B");
    ours->interface.assign(lan == 0 ? "lana" : "lanb");
    ours->ifindex = static_cast<uint32_t>(10 + lan);
    ours->mac = mac_of(lan, i);
    FAILD_CHECK(ours->addresses.push({address_of(lan, i), 16}));
    FAILD_CHECK(config.plan.preference.push(LanIndex{static_cast<uint8_t>(lan)}));
  }
  nodes_[i].engine = std::make_unique<Engine>(config, now_);
  step(i, [&](Engine& engine) {
    engine.on_resync_begin(now_);
    engine.on_resync_end(now_, *effects_);
  });
}

bool VirtualCluster::all_up() const {
  const uint64_t paths = kLans * (order_.hosts - 1);
  return std::all_of(nodes_.begin(), nodes_.end(), [&](const Node& node) {
    const Counters& counters = node.engine->counters();
    return counters.verdicts_up - counters.verdicts_down == paths;
  });
}

// --- time

void VirtualCluster::run(Duration time) {
  const Instant end = now_ + time;
  while (true) {
    const Instant turn = next_turn();
    const Instant flight = flights_.empty() ? end : flights_.top().at;
    const Instant next = std::min(turn, flight);
    size_t first = 0;
    Instant due = end;
    for (size_t i = 0; i < nodes_.size(); i++) {
      const auto& answers = nodes_[i].answers;
      const Instant at = answers.empty()
                             ? nodes_[i].engine->poll_at()
                             : std::min(answers.front().first, nodes_[i].engine->poll_at());
      if (at >= due) continue;
      due = at;
      first = i;
    }
    if (std::min(next, due) >= end) break;
    now_ = std::max(now_, std::min(next, due));
    if (due < next) {
      wake(first);
    } else if (turn <= flight) {
      speak();
    } else {
      const Flight top = flights_.top();
      flights_.pop();
      top.bytes ? arrive(top) : ask(top);
    }
  }
  now_ = end;
}

void VirtualCluster::wake(size_t i) {
  auto& answers = nodes_[i].answers;
  if (!answers.empty() && answers.front().first <= now_) {
    const RouteResult result = answers.front().second;
    answers.pop_front();
    step(i, [&](Engine& engine) { engine.on_route_result(now_, result, *effects_); });
  } else {
    step(i, [&](Engine& engine) { engine.on_deadline(now_, *effects_); });
  }
}

template <typename Input>
void VirtualCluster::step(size_t i, Input input) {
  const Nanoseconds before = bench::now();
  input(*nodes_[i].engine);
  nodes_[i].seen.busy_ns += bench::now() - before;
  carry_out(i);
  effects_->clear();
}

void VirtualCluster::carry_out(size_t i) {
  Node& node = nodes_[i];
  for (const RouteOp& op : effects_->route_ops) {
    node.answers.emplace_back(now_ + kKernelTakes, RouteResult{op.id, 0});
  }
  for (const SendPacket& packet : effects_->sends) deliver(i, packet);
  for (const Event& event : effects_->events) {
    if (event.kind == EventKind::kPathUp) node.seen.last_up = event.at;
    const bool common = event.kind == EventKind::kPathUp || event.kind == EventKind::kPeerFound;
    if (!common) node.seen.events.push_back(event);
  }
}

// --- speakers

// Speakers take turns, evenly spread over the interval.
Instant VirtualCluster::next_turn() const {
  const auto round = static_cast<int64_t>(turns_ / speakers_.size());
  const auto place = static_cast<int64_t>(turns_ % speakers_.size());
  return start_ + order_.interval * round +
         order_.interval * place / static_cast<int64_t>(speakers_.size());
}

void VirtualCluster::speak() {
  const size_t speaker = turns_++ % speakers_.size();
  for (size_t lan = 0; lan < kLans; lan++) {
    const size_t host = nodes_.size() + speaker;
    Heartbeat beat = introduce(lan, host);
    beat.sequence = ++speakers_[speaker].sequence[lan];
    const Bytes bytes = write(beat);
    for (size_t engine = 0; engine < nodes_.size(); engine++) launch(engine, lan, host, bytes);
  }
}

Heartbeat VirtualCluster::introduce(size_t lan, size_t host) const {
  Heartbeat beat;
  beat.requestor = true;
  beat.cluster = cluster_hash("virtual");
  beat.host = id_of(host);
  beat.incarnation = Incarnation{1};
  beat.interval = order_.interval;
  beat.advert_version = 1;
  beat.arrival_lan = static_cast<uint8_t>(lan);
  beat.name.assign("speaker-" + std::to_string(host));
  for (size_t i = 0; i < kLans; i++) {
    LanAdvert* advert = beat.lans.extend();
    *advert = LanAdvert();
    advert->mac = mac_of(i, host);
    FAILD_CHECK(advert->addresses.push({address_of(i, host), 16}));
  }
  return beat;
}

VirtualCluster::Bytes VirtualCluster::write(const Heartbeat& beat) {
  std::array<uint8_t, kMaxHeartbeatBytes> bytes;
  const size_t size = encode(beat, bytes);
  return std::make_shared<const std::vector<uint8_t>>(bytes.begin(), bytes.begin() + size);
}

void VirtualCluster::launch(size_t engine, size_t lan, size_t from, const Bytes& bytes) {
  const bool cut = from >= nodes_.size() && speakers_[from - nodes_.size()].cut[lan];
  if (cut || cut_[lan]) return;
  const Instant at =
      now_ + kOnTheWire + Duration::ns(static_cast<int64_t>(random_.below(kJitterNs)));
  flights_.push({at, flown_++, engine, lan, from, bytes});
}

void VirtualCluster::ask(const Flight& wish) {
  Heartbeat beat = introduce(wish.lan, wish.from);
  beat.solicit = true;
  beat.sequence = ++speakers_[wish.from - nodes_.size()].unicast_sequence[wish.lan];
  beat.to = id_of(wish.engine);
  beat.to_incarnation = Incarnation{1};
  launch(wish.engine, wish.lan, wish.from, write(beat));
}

void VirtualCluster::arrive(const Flight& flight) {
  Node& node = nodes_[flight.engine];
  node.seen.packets++;
  node.seen.rate[flight.lan].note(now_.in_ns(), 1);
  PacketIn packet;
  packet.arrived = now_;
  packet.lan = LanIndex{static_cast<uint8_t>(flight.lan)};
  packet.from = address_of(flight.lan, flight.from);
  packet.from_mac = mac_of(flight.lan, flight.from);
  packet.payload = *flight.bytes;
  step(flight.engine, [&](Engine& engine) { engine.on_packet(now_, packet, *effects_); });
}

// --- what engines send

void VirtualCluster::deliver(size_t from, const SendPacket& packet) {
  const size_t lan = packet.lan.value;
  nodes_[from].seen.rate[lan].note(now_.in_ns(), 1);
  const auto payload = packet.payload();
  const auto bytes = std::make_shared<const std::vector<uint8_t>>(payload.begin(), payload.end());
  for (size_t engine = 0; engine < nodes_.size(); engine++) {
    const bool meant = !packet.to || packet.to->ip == address_of(lan, engine);
    if (engine != from && meant) launch(engine, lan, from, bytes);
  }
  // What goes to all tells a speaker nothing new.
  const size_t host = packet.to ? host_at(packet.to->ip) : 0;
  if (host < nodes_.size()) return;
  FAILD_CHECK(!decode(payload, &heard_));
  hear(host - nodes_.size(), from, packet);
}

void VirtualCluster::hear(size_t speaker, size_t engine, const SendPacket& packet) {
  const size_t lan = packet.lan.value;
  const bool cut = speakers_[speaker].cut[lan] || cut_[lan];
  if (cut || heard_.type != MessageType::kInq || !heard_.solicit) return;
  Heartbeat beat = introduce(lan, nodes_.size() + speaker);
  beat.type = MessageType::kAck;
  beat.solicit = true;
  beat.hears_you = true;
  beat.sequence = ++speakers_[speaker].unicast_sequence[lan];
  beat.to = heard_.host;
  beat.to_incarnation = heard_.incarnation;
  beat.echo_sequence = heard_.sequence;
  launch(engine, lan, nodes_.size() + speaker, write(beat));
}

}  // namespace faild::bench
