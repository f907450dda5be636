// Configurations, commands and kernel entries from JavaScript. Every limit that a CHECK guards
// further down is asked for here first, so that no caller's mistake ends the process.
#include <array>

#include "addon/convert.h"

namespace faild {
namespace {

// Each in the order of the enumeration that is named.
constexpr std::array<const char*, 3> kTransports = {"auto", "raw", "udp"};         // Transport
constexpr std::array<const char*, 3> kSwitchbacks = {"auto", "sticky", "manual"};  // Switchback
constexpr std::array<const char*, 3> kDestinations = {"broadcast", "multicast",
                                                      "unicast"};      // Everybody::By
constexpr std::array<const char*, 2> kSources = {"own", "alternate"};  // SourceAddress
constexpr std::array<const char*, 2> kEntries = {"route", "rule"};     // RouteKey::Kind
// Command::Kind
constexpr std::array<const char*, 9> kCommands = {
    "set-plan", "switchback", "failover", "bye", "cleanup", "probe", "mute", "unmute", "tap"};

constexpr Duration kMaxRtoMin = Duration::seconds(10);
constexpr Duration kMaxHold = Duration::seconds(30 * 24 * 3600);

// A duration, where 0 says that there is none.
std::optional<Duration> optional_duration(const Fields& from, const char* name,
                                          Duration max = kMaxHold) {
  const Duration length = from.duration_us(name, Duration(), max);
  return length > Duration() ? std::optional(length) : std::nullopt;
}

// The kernel counts it in milliseconds: a part of one is a whole one.
std::optional<Duration> optional_rto_min(const Fields& from, const char* name) {
  const auto given = optional_duration(from, name, kMaxRtoMin);
  if (!given) return std::nullopt;
  return Duration::ms((given->in_us() + 999) / 1000);
}

// A share from 0 (no limit) to 1.
std::optional<LossShare> optional_loss(const Fields& from, const char* name) {
  const double share = read_number(from.at(name), from.where(name), 0, 1);
  if (share <= 0) return std::nullopt;
  return LossShare{static_cast<uint32_t>(share * kLossOfAll)};
}

// LANs, none of them twice.
void read_lans(const Fields& from, const char* name, size_t least, size_t lan_count,
               BoundedVector<LanIndex, kMaxLans>* lans) {
  std::array<bool, kMaxLans> named{};
  from.list(name, least, lan_count, [&](const Napi::Value& item, const Where& where) {
    const LanIndex lan = to_lan(item, where, lan_count);
    if (failed(item.Env())) return;
    if (named[lan.value]) refuse(item, where, "each LAN only once");
    named[lan.value] = true;
    (void)lans->push(lan);
  });
}

Timing to_timing(const Fields& from) {
  Timing timing;
  const Duration interval = from.duration_us("intervalUs", kShortestInterval, kLongestInterval);
  timing.interval = Duration::us(interval.in_us());  // the wire carries whole microseconds
  timing.fail_after = static_cast<uint32_t>(from.whole("failAfter", 1, kMostFailAfter));
  timing.restore_after = static_cast<uint32_t>(from.whole("restoreAfter", 1, kMostRestoreAfter));
  return timing;
}

// `10.1.0.0/24`, `10.1.0.2`, or a host id of 16 hex digits.
void read_allowed(const Fields& from, const char* name, AllowedPeers* allowed) {
  from.list(name, 0, kMaxAllowed, [&](const Napi::Value& item, const Where& where) {
    const std::string text = read_text(item, where, 64);
    if (failed(item.Env())) return;
    if (text.size() == 16 && text.find_first_of(":./") == std::string::npos) {
      (void)allowed->hosts.push({read_id(item, where, false)});
    } else {
      (void)allowed->subnets.push(read_prefix(item, where).network());
    }
  });
}

Plan to_plan(const Napi::Value& value, const std::string& path, size_t lan_count) {
  const Fields from(value, path);
  Plan plan;
  // Each LAN once: as many as there are, and none twice.
  read_lans(from, "preference", lan_count, lan_count, &plan.preference);
  read_lans(from, "drained", 0, lan_count, &plan.drained);
  plan.host_drained = from.flag("hostDrained");
  plan.switchback = static_cast<Switchback>(from.choice("switchback", kSwitchbacks));
  plan.hold = from.duration_us("holdUs", Duration(), kMaxHold);
  plan.flap_window = optional_duration(from, "flapWindowUs");
  plan.loss_limit = optional_loss(from, "grayLoss");
  plan.round_trip_limit = optional_duration(from, "grayRoundTripUs");
  plan.source = static_cast<SourceAddress>(from.choice("source", kSources));
  read_allowed(from, "allowed", &plan.allowed);
  plan.rto_min = optional_rto_min(from, "rtoMinUs");
  size_t lan = 0;
  from.list("timing", lan_count, lan_count, [&](const Napi::Value& item, const Where& where) {
    plan.timing[lan++] = to_timing(Fields(item, where.text()));
  });
  return plan;
}

// An address, or null for none.
IpAddress optional_ip(const Fields& from, const char* name) {
  const Napi::Value value = from.at(name);
  if (failed(value.Env()) || value.IsNull()) return {};
  return read_ip(value, from.where(name));
}

}  // namespace

LanIndex to_lan(const Napi::Value& value, const Where& where, size_t lan_count) {
  return {static_cast<uint8_t>(read_whole(value, where, 0, lan_count - 1))};
}

LanConfig to_lan_config(const Fields& from) {
  LanConfig lan;
  lan.name.assign(from.text("name", 32));
  lan.interface.assign(from.text("interface", kMaxInterfaceNameBytes - 1));
  lan.ifindex = static_cast<uint32_t>(from.whole("ifindex", 1, INT32_MAX));
  lan.mac = from.own_mac("mac");
  lan.carrier = from.flag("carrier");
  from.list("addresses", 1, kMaxAddressesPerLan, [&](const Napi::Value& value, const Where& where) {
    (void)lan.addresses.push(read_own_address(value, where));  // the list's length was checked
  });
  return lan;
}

EngineConfig to_engine_config(const Fields& from) {
  EngineConfig config;
  config.host = {from.id("host", false)};
  config.incarnation = {from.id("incarnation", false)};
  config.name.assign(from.text("name", kMaxNameBytes));
  config.cluster = cluster_hash(from.text("cluster", 255));
  config.requestor = from.flag("requestor");
  config.max_peers = from.whole("maxPeers", 1, kMaxPeers);
  config.seed = from.whole("seed", 0, (1ULL << 53) - 1);
  from.list("lans", 1, kMaxLans, [&](const Napi::Value& value, const Where& where) {
    (void)config.lans.push(to_lan_config(Fields(value, where.text())));
  });
  config.plan = to_plan(from.at("plan"), from.where("plan").text(), config.lans.size());
  return config;
}

void read_everybody(const Fields& from, Everybody* everybody) {
  everybody->by = static_cast<Everybody::By>(from.choice("destination", kDestinations));
  everybody->group = read_ip(from.at("multicastGroup"), from.where("multicastGroup"));
  from.list("staticPeers", 0, kMaxStaticPeers, [&](const Napi::Value& item, const Where& where) {
    (void)everybody->peers.push(read_ip(item, where));
  });
}

RuntimeConfig to_runtime_config(const Fields& from) {
  RuntimeConfig config;
  config.engine = to_engine_config(from);
  config.port = static_cast<uint16_t>(from.whole("port", 1, UINT16_MAX));
  config.transport = static_cast<Transport>(from.choice("transport", kTransports));
  read_everybody(from, &config.everybody);
  config.network_namespace = from.text("networkNamespace", 4095);
  config.realtime_priority = static_cast<int>(from.whole("realtimePriority", 0, 99));
  const double cpu = read_number(from.at("cpu"), from.where("cpu"), -1, 4095);
  if (cpu >= 0) config.cpu = static_cast<int>(cpu);
  return config;
}

Command to_command(const Napi::Value& value, size_t lan_count) {
  const Fields from(value, "command");
  Command command;
  command.kind = static_cast<Command::Kind>(from.choice("kind", kCommands));
  if (failed(value.Env())) return command;
  if (command.kind == Command::Kind::kSetPlan) {
    command.plan = to_plan(from.at("plan"), "command.plan", lan_count);
  }
  if (command.kind == Command::Kind::kMute) {
    command.mute.in = from.flag("in");
    command.mute.out = from.flag("out");
    command.mute.length = from.duration_us("lengthUs", Duration::us(1), kMaxHold);
  }
  if (command.kind == Command::Kind::kMute || command.kind == Command::Kind::kUnmute) {
    command.lan = to_lan(from.at("lan"), from.where("lan"), lan_count);
  }
  if (command.kind == Command::Kind::kTap && !from.at("watch").IsNull()) {
    command.tap = to_probe_query(from.at("watch"), "command.watch", lan_count);
  }
  const bool probe = command.kind == Command::Kind::kProbe;
  if (probe || command.kind == Command::Kind::kSwitchback ||
      command.kind == Command::Kind::kFailover) {
    const Napi::Value host = from.at("host");
    if (probe || !host.IsNull()) command.host = {read_id(host, from.where("host"), false)};
    command.lan = to_lan(from.at("lan"), from.where("lan"), lan_count);
  }
  return command;
}

RouteKey to_route_key(const Napi::Value& what, const Napi::Value& table,
                      const Napi::Value& destination, std::string_view parent) {
  RouteKey key;
  key.kind = static_cast<RouteKey::Kind>(read_choice(what, {parent, "what"}, kEntries));
  key.table = read_u32(table, {parent, "table"});
  key.destination = read_prefix(destination, {parent, "destination"});
  return key;
}

KernelEntry to_kernel_entry(const Fields& from) {
  KernelEntry entry;
  const Napi::Value what = from.at("what"), table = from.at("table");
  entry.key = to_route_key(what, table, from.at("destination"), from.where("").parent);
  entry.priority = from.u32("priority");
  entry.target.out_ifindex = from.u32("outIfindex");
  entry.target.also_direct_ifindex = from.u32("alsoDirectIfindex");
  entry.target.rto_min_ms = from.u32("rtoMinMs");
  entry.target.gateway = optional_ip(from, "gateway");
  entry.target.source = optional_ip(from, "source");
  return entry;
}

}  // namespace faild
