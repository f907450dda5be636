// One real Engine, and around it as many peers as a test wants: they are no engines, only what they
// send. The kernel is a list that obeys and answers at once (or when the test says so).
//
// Used by the engine's unit tests, the allocation test, the detector's model and the bench, which
// has no doctest.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "core/engine.h"

namespace faild::rig {

inline IpAddress ip(const std::string& text) { return *parse_ip(text); }

struct Peer {
  HostId id;
  Incarnation incarnation{1};
  bool requestor = true;
  bool drained = false;
  Duration interval = Duration::ms(10);
  std::array<bool, kMaxLans> speaks{true, true, true, true, true, true, true, true};
  std::array<bool, kMaxLans> hears{true, true, true, true, true, true, true, true};
  uint32_t advert_version = 1;
  uint8_t card = 0;                                 // part of its MAC address
  std::vector<std::vector<std::string>> addresses;  // by LAN, with prefix lengths
  std::array<uint32_t, kMaxLans> sequence{};
  uint32_t unicast_sequence = 0;
};

class Rig {
 public:
  explicit Rig(size_t lans, size_t max_peers = 16, bool requestor = true) {
    config.host = HostId{1};
    config.incarnation = Incarnation{7};
    config.name.assign("we");
    config.cluster = 5;
    config.requestor = requestor;
    config.plan.timing.fill({Duration::ms(10), 3, 10});
    config.max_peers = max_peers;
    for (size_t i = 0; i < lans; i++) {
      LanConfig lan;
      lan.name.assign(std::string(1, static_cast<char>('A' + i)));
      lan.ifindex = static_cast<uint32_t>(10 + i);
      lan.mac = MacAddress{{2, 0, 0, 0, 0, static_cast<uint8_t>(i + 1)}};
      FAILD_CHECK(lan.addresses.push(*parse_prefix("10." + std::to_string(i + 1) + ".0.1/16")));
      FAILD_CHECK(config.lans.push(lan));
      FAILD_CHECK(config.plan.preference.push(LanIndex{static_cast<uint8_t>(i)}));
    }
  }

  // The engine's birth: what the kernel holds is dumped to it.
  void begin() {
    engine = std::make_unique<Engine>(config, now);
    resync();
  }
  void resync() {
    engine->on_resync_begin(now);
    for (const KernelEntry& entry : kernel) engine->on_resync_entry(now, entry);
    engine->on_resync_end(now, *effects);
    finish();
  }

  Peer& add_peer(uint64_t id) {
    Peer peer;
    peer.id = HostId{id};
    for (size_t i = 0; i < config.lans.size(); i++) {
      peer.addresses.push_back({"10." + std::to_string(i + 1) + "." + std::to_string(id / 256) +
                                "." + std::to_string(id % 256) + "/16"});
    }
    peers.push_back(peer);
    return peers.back();
  }

  [[nodiscard]] Heartbeat beat_of(const Peer& peer, size_t lan, MessageType type) const {
    Heartbeat beat;
    beat.type = type;
    beat.requestor = peer.requestor;
    beat.drained = peer.drained;
    beat.cluster = config.cluster;
    beat.host = peer.id;
    beat.incarnation = peer.incarnation;
    beat.interval = peer.interval;
    beat.advert_version = peer.advert_version;
    beat.arrival_lan = static_cast<uint8_t>(lan);
    for (const auto& addresses : peer.addresses) {
      LanAdvert advert;
      advert.mac = MacAddress{{2, 1, 0, peer.card, static_cast<uint8_t>(peer.id.value >> 8),
                               static_cast<uint8_t>(peer.id.value)}};
      for (const auto& text : addresses) FAILD_CHECK(advert.addresses.push(*parse_prefix(text)));
      FAILD_CHECK(beat.lans.push(advert));
    }
    return beat;
  }

  void deliver(const Heartbeat& beat, size_t lan, const IpAddress& from) {
    const size_t size = encode(beat, bytes_);
    PacketIn packet;
    packet.arrived = now + late_;
    packet.lan = LanIndex{static_cast<uint8_t>(lan)};
    packet.from = from;
    packet.payload = {bytes_.data(), size};
    engine->expect(packet.lan, packet.payload, packet.payload);
    engine->on_packet(now, packet, *effects);
    finish();
  }
  void deliver(const Heartbeat& beat, size_t lan) {
    deliver(beat, lan, ip("10." + std::to_string(lan + 1) + ".99.99"));
  }

  // The peer's inquiry on one LAN.
  void inquire(Peer& peer, size_t lan) {
    Heartbeat beat = beat_of(peer, lan, MessageType::kInq);
    beat.sequence = ++peer.sequence[lan];
    if (!peer.hears[lan]) FAILD_CHECK(beat.missing.push(config.host));
    deliver(beat, lan);
  }

  // Time passes: peers inquire at their intervals, acknowledge what is asked, and the engine's
  // deadlines come.
  void run(Duration time) {
    const Instant end = now + time;
    while (now < end) {
      Instant next = std::min(end, now + Duration::ms(10) - Duration::ns(now.in_ns() % 10'000'000));
      next = std::max(now, std::min(next, engine->poll_at()));
      now = next;
      if (now.in_ns() % 10'000'000 == 0 && now != spoken_) speak();
      if (engine->poll_at() > now) continue;
      engine->on_deadline(now, *effects);
      finish();
    }
  }

  void command(const Command& command) {
    engine->on_command(now, command, *effects);
    finish();
  }

  [[nodiscard]] PathRow path(uint64_t id, size_t lan) const {
    PathRow row;
    for (size_t i = 0; i < engine->peer_count(); i++) {
      PathRow found;
      const LanIndex index{static_cast<uint8_t>(lan)};
      if (engine->read_path(now, i, index, &found) && found.host.value == id) row = found;
    }
    return row;
  }
  [[nodiscard]] bool all_up() const {
    for (const Peer& peer : peers) {
      for (size_t lan = 0; lan < config.lans.size(); lan++) {
        if (path(peer.id.value, lan).state != PathState::kUp) return false;
      }
    }
    return true;
  }
  [[nodiscard]] const KernelEntry* entry(uint32_t table, const std::string& destination) const {
    const Prefix prefix = *parse_prefix(destination);
    for (const KernelEntry& it : kernel) {
      if (it.key.table == table && it.key.destination == prefix) return &it;
    }
    return nullptr;
  }
  [[nodiscard]] bool rule(uint32_t table) const {
    return std::any_of(kernel.begin(), kernel.end(), [&](const KernelEntry& it) {
      return it.key.kind == RouteKey::Kind::kRule && it.key.table == table;
    });
  }
  [[nodiscard]] size_t count(EventKind kind) const {
    return static_cast<size_t>(std::count_if(events.begin(), events.end(),
                                             [&](const Event& e) { return e.kind == kind; }));
  }
  [[nodiscard]] PeerRow peer(uint64_t id) const {
    PeerRow row;
    for (size_t i = 0; i < engine->peer_count() && row.host.value != id; i++) {
      engine->read_peer(i, &row);
    }
    return row;
  }
  // Our last broadcast on that LAN says that we are drained.
  [[nodiscard]] bool says_drained(size_t lan) const { return drained_[lan]; }
  // The list in our last broadcast on that LAN.
  [[nodiscard]] const BoundedVector<HostId, kMaxMissing>& last_missing(size_t lan) const {
    return missing_[lan];
  }
  [[nodiscard]] uint64_t drops(Drop drop) const {
    return engine->counters().drops[static_cast<size_t>(drop)];
  }

  // What a step asked for is carried out and kept, unless `quiet`: then it is carried out and
  // forgotten.
  void finish() {
    for (bool more = true; more;) {
      more = false;
      const size_t count = effects->route_ops.size();
      std::array<RouteResult, kMaxRouteOpsPerStep> answers;
      for (size_t i = 0; i < count; i++) answers[i] = {effects->route_ops[i].id, 0};
      for (const RouteOp& op : effects->route_ops) carry_out(op);
      if (!quiet) {
        events.insert(events.end(), effects->events.begin(), effects->events.end());
        dumps.insert(dumps.end(), effects->dumps.begin(), effects->dumps.end());
        tapped.insert(tapped.end(), effects->tapped.begin(), effects->tapped.end());
      }
      asked_.clear();
      for (const SendPacket& packet : effects->sends) {
        if (asked_.full() || silent) break;
        FAILD_CHECK(asked_.push(packet));
      }
      effects->clear();
      for (size_t i = 0; i < count; i++) {
        engine->on_route_result(now, answers[i], *effects);
        more = true;
      }
      if (!more) break;
    }
    const auto asked = asked_;
    asked_.clear();
    for (const SendPacket& packet : asked) answer(packet);
  }

  EngineConfig config;
  std::unique_ptr<Engine> engine;
  std::unique_ptr<Effects> effects = std::make_unique<Effects>();
  Instant now = Instant::from_ns(1'000'000'000);
  std::vector<Peer> peers;
  std::vector<KernelEntry> kernel;
  std::vector<Event> events;
  std::vector<ProbeDump> dumps;
  std::vector<TappedProbe> tapped;
  std::vector<RouteOp> ops;
  bool quiet = false;   // keep no record
  bool silent = false;  // peers acknowledge nothing
  // An acknowledgment arrives so much later than it was asked for (as far as its stamp says).
  std::array<Duration, kMaxLans> round_trip{};

 private:
  void speak() {
    spoken_ = now;
    for (Peer& peer : peers) {
      if (!peer.requestor || now.in_ns() % peer.interval.in_ns() != 0) continue;
      for (size_t lan = 0; lan < config.lans.size(); lan++) {
        if (peer.speaks[lan]) inquire(peer, lan);
      }
    }
  }

  void carry_out(const RouteOp& op) {
    if (!quiet) ops.push_back(op);
    if (op.kind == RouteOp::Kind::kNeighbour || quiet) return;
    std::erase_if(kernel, [&](const KernelEntry& it) { return it.key == op.key; });
    if (op.kind == RouteOp::Kind::kSet) kernel.push_back({op.key, op.target, op.priority});
  }

  void answer(const SendPacket& packet) {
    if (!decode_into(packet) || in_.type != MessageType::kInq) return;
    const size_t lan = packet.lan.value;
    if (!in_.solicit) {
      missing_[lan] = in_.missing;
      drained_[lan] = in_.drained;
    }
    const Heartbeat asked = in_;
    for (Peer& peer : peers) {
      const bool meant = asked.to == peer.id || (asked.to == HostId{} && !peer.requestor);
      if (!meant || !peer.speaks[lan] || (!peer.hears[lan] && asked.solicit)) continue;
      Heartbeat beat = beat_of(peer, lan, MessageType::kAck);
      beat.sequence = ++peer.unicast_sequence;
      beat.solicit = asked.solicit;
      beat.hears_you = peer.hears[lan];
      beat.to = config.host;
      beat.to_incarnation = config.incarnation;
      beat.echo_sequence = asked.sequence;
      late_ = round_trip[lan];
      deliver(beat, lan);
      late_ = Duration();
    }
  }
  bool decode_into(const SendPacket& packet) { return !decode(packet.payload(), &in_); }

  std::array<uint8_t, kMaxHeartbeatBytes> bytes_{};
  BoundedVector<SendPacket, 8> asked_;
  std::array<BoundedVector<HostId, kMaxMissing>, kMaxLans> missing_;
  std::array<bool, kMaxLans> drained_{};
  Duration late_;
  Instant spoken_;
  Heartbeat in_;
};

// Hosts 2, 3, ... and all is well with them.
inline void settle(Rig& rig, uint64_t peers) {
  for (uint64_t id = 2; id < 2 + peers; id++) rig.add_peer(id);
  rig.begin();
  rig.run(Duration::ms(300));
  FAILD_CHECK(rig.all_up());
}

}  // namespace faild::rig
