// VirtualEngine: the core's engine under a clock that JavaScript moves. No thread, no socket, no
// kernel.
//
// Simulations and tests in TypeScript drive it input by input and carry out the effects themselves.
// All on the thread of JavaScript; one Effects is reused, and turned into objects after every
// input.
#include <algorithm>
#include <memory>

#include "addon/classes.h"
#include "addon/convert.h"
#include "io/snapshot_filler.h"

namespace faild {
namespace {

class VirtualEngine : public Napi::ObjectWrap<VirtualEngine> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "VirtualEngine",
                       {InstanceMethod<&VirtualEngine::on_packet>("onPacket"),
                        InstanceMethod<&VirtualEngine::on_receive_drops>("onReceiveDrops"),
                        InstanceMethod<&VirtualEngine::on_link>("onLink"),
                        InstanceMethod<&VirtualEngine::on_interface>("onInterface"),
                        InstanceMethod<&VirtualEngine::on_route_result>("onRouteResult"),
                        InstanceMethod<&VirtualEngine::on_entry_removed>("onEntryRemoved"),
                        InstanceMethod<&VirtualEngine::on_resync>("onResync"),
                        InstanceMethod<&VirtualEngine::on_command>("onCommand"),
                        InstanceMethod<&VirtualEngine::on_deadline>("onDeadline"),
                        InstanceMethod<&VirtualEngine::poll_at_us>("pollAtUs"),
                        InstanceMethod<&VirtualEngine::paths>("paths"),
                        InstanceMethod<&VirtualEngine::probes>("probes"),
                        InstanceMethod<&VirtualEngine::snapshot>("snapshot")});
  }

  explicit VirtualEngine(const Napi::CallbackInfo& info) : ObjectWrap(info) {
    const EngineConfig config = to_engine_config(Fields(info[0], ""));
    const Instant now = read_now(info[1]);
    if (failed(info.Env())) return;
    engine_ = std::make_unique<Engine>(config, now);
  }

 private:
  Napi::Value on_packet(const Napi::CallbackInfo& info) {
    PacketIn packet;
    const Instant now = read_now(info[0]);
    packet.arrived = read_instant_us(info[1], {"", "arrivedUs"});
    packet.lan = read_lan(info[2]);
    packet.from = read_ip(info[3], {"", "from"});
    packet.payload = read_bytes(info[4], {"", "payload"});
    // As the raw transport shows it; the udp transport does not.
    if (!info[5].IsUndefined()) packet.from_mac = read_mac(info[5], {"", "fromMac"});
    if (failed(info.Env())) return info.Env().Undefined();
    engine_->on_packet(now, packet, *effects_);
    return take_effects(info.Env());
  }

  Napi::Value on_receive_drops(const Napi::CallbackInfo& info) {
    const Instant now = read_now(info[0]);
    const LanIndex lan = read_lan(info[1]);
    const uint32_t count = read_u32(info[2], {"", "count"});
    if (failed(info.Env())) return info.Env().Undefined();
    engine_->on_receive_drops(now, lan, count, *effects_);
    return take_effects(info.Env());
  }

  Napi::Value on_link(const Napi::CallbackInfo& info) {
    const Instant now = read_now(info[0]);
    const LinkChange change{read_lan(info[1]), read_flag(info[2], {"", "carrier"})};
    if (failed(info.Env())) return info.Env().Undefined();
    engine_->on_link(now, change, *effects_);
    return take_effects(info.Env());
  }

  Napi::Value on_interface(const Napi::CallbackInfo& info) {
    const Instant now = read_now(info[0]);
    const LanIndex lan = read_lan(info[1]);
    const LanConfig interface = to_lan_config(Fields(info[2], "interface"));
    if (failed(info.Env())) return info.Env().Undefined();
    engine_->on_interface(now, lan, interface, *effects_);
    return take_effects(info.Env());
  }

  Napi::Value on_route_result(const Napi::CallbackInfo& info) {
    const Instant now = read_now(info[0]);
    RouteResult result;
    result.id = read_u32(info[1], {"", "id"});
    result.error = static_cast<int>(read_whole(info[2], {"", "error"}, 0, 4095));
    if (failed(info.Env())) return info.Env().Undefined();
    engine_->on_route_result(now, result, *effects_);
    return take_effects(info.Env());
  }

  Napi::Value on_entry_removed(const Napi::CallbackInfo& info) {
    const Instant now = read_now(info[0]);
    const RouteKey key = to_route_key(info[1], info[2], info[3], "");
    if (failed(info.Env())) return info.Env().Undefined();
    engine_->on_entry_removed(now, key, *effects_);
    return take_effects(info.Env());
  }

  Napi::Value on_resync(const Napi::CallbackInfo& info) {
    const Instant now = read_now(info[0]);
    std::vector<KernelEntry> entries;  // read whole before the engine hears of any
    read_list(info[1], {"", "entries"}, 0, UINT32_MAX,
              [&](const Napi::Value& value, const Where& where) {
                entries.push_back(to_kernel_entry(Fields(value, where.text())));
              });
    if (failed(info.Env())) return info.Env().Undefined();
    engine_->on_resync_begin(now);
    for (const KernelEntry& entry : entries) engine_->on_resync_entry(now, entry);
    engine_->on_resync_end(now, *effects_);
    return take_effects(info.Env());
  }

  Napi::Value on_command(const Napi::CallbackInfo& info) {
    const Instant now = read_now(info[0]);
    Command command = to_command(info[1], engine_->lan_count());
    if (failed(info.Env())) return info.Env().Undefined();
    command.id = ++last_command_;
    engine_->on_command(now, command, *effects_);
    return take_effects(info.Env());
  }

  Napi::Value on_deadline(const Napi::CallbackInfo& info) {
    const Instant now = read_now(info[0]);
    if (failed(info.Env())) return info.Env().Undefined();
    engine_->on_deadline(now, *effects_);
    return take_effects(info.Env());
  }

  Napi::Value poll_at_us(const Napi::CallbackInfo& info) {
    return from_us(info.Env(), engine_->poll_at());
  }

  // What a simulator looks at after every step: a tenth of what a snapshot costs.
  Napi::Value paths(const Napi::CallbackInfo& info) {
    const Instant now = read_now(info[0]);
    if (failed(info.Env())) return info.Env().Undefined();
    return from_paths(info.Env(), read_paths(now));
  }

  Napi::Value snapshot(const Napi::CallbackInfo& info) {
    const Instant now = read_now(info[0]);
    if (failed(info.Env())) return info.Env().Undefined();
    return from_snapshot(info.Env(), read_tables(now));
  }

  // Through the same filler as the real engine's.
  Napi::Value probes(const Napi::CallbackInfo& info) {
    const Instant now = read_now(info[0]);
    const ProbeQuery query = to_probe_query(info[1], "query", engine_->lan_count());
    if (failed(info.Env())) return info.Env().Undefined();
    Snapshot snapshot;
    snapshot.query = query;
    snapshot.recordings.reserve(kMaxRecordings);
    SnapshotFiller filler;
    filler.begin(&snapshot);
    while (!filler.advance(now, *engine_)) continue;
    return from_probes(info.Env(), snapshot);
  }

  std::vector<PathRow> read_paths(Instant now) const {
    std::vector<PathRow> paths;
    for (size_t peer = 0; peer < engine_->peer_count(); peer++) {
      for (size_t lan = 0; lan < engine_->lan_count(); lan++) {
        PathRow row;
        const LanIndex index{static_cast<uint8_t>(lan)};
        if (engine_->read_path(now, peer, index, &row)) paths.push_back(row);
      }
    }
    return paths;
  }

  Snapshot read_tables(Instant now) const {
    Snapshot snapshot;
    snapshot.taken = now;
    snapshot.counters = engine_->counters();
    snapshot.lans.resize(engine_->lan_count());
    for (size_t lan = 0; lan < engine_->lan_count(); lan++) {
      engine_->read_lan({static_cast<uint8_t>(lan)}, &snapshot.lans[lan]);
    }
    for (size_t peer = 0; peer < engine_->peer_count(); peer++) {
      engine_->read_peer(peer, &snapshot.peers.emplace_back());
    }
    snapshot.paths = read_paths(now);
    return snapshot;
  }

  // The core's contract, that `now` never decreases, is the caller's to keep: said here, not
  // CHECKed there.
  Instant read_now(const Napi::Value& value) {
    const Instant now = read_instant_us(value, {"", "nowUs"});
    if (failed(value.Env())) return last_now_;
    if (now < last_now_) refuse(value, {"", "nowUs"}, "no time before that of the last call");
    last_now_ = std::max(now, last_now_);
    return now;
  }

  LanIndex read_lan(const Napi::Value& value) const {
    return to_lan(value, {"", "lan"}, engine_->lan_count());
  }

  Napi::Value take_effects(Napi::Env env) {
    const Napi::Object object = from_effects(env, *effects_);
    effects_->clear();
    return object;
  }

  std::unique_ptr<Engine>
      engine_;  // none when the constructor threw: then JavaScript has no object to call
  const std::unique_ptr<Effects> effects_ = std::make_unique<Effects>();  // large
  Instant last_now_;
  uint32_t last_command_ = 0;
};

}  // namespace

Napi::Function define_virtual_engine(Napi::Env env) { return VirtualEngine::define(env); }

}  // namespace faild
