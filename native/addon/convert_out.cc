// Events, effects and small records to JavaScript. Rows of the tables: convert_rows.cc.
#include <array>
#include <charconv>

#include "addon/convert.h"

namespace faild {
namespace {

Napi::Value from_host(Napi::Env env, HostId host) {
  return host.value == 0 ? env.Null() : from_id(env, host.value);
}

Napi::Value from_address(Napi::Env env, const IpAddress& ip) {
  if (ip.family == Family::kNone) return env.Null();
  return from_text(env, to_text(ip));
}

Napi::Object from_send(Napi::Env env, const SendPacket& send) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("lan", send.lan.value);
  object.Set("to", send.to ? from_address(env, send.to->ip) : env.Null());
  const bool known = send.to && send.to->mac != MacAddress();
  object.Set("toMac", known ? from_text(env, to_text(send.to->mac)) : env.Null());
  object.Set("payload", Napi::Buffer<uint8_t>::Copy(env, send.bytes.data(), send.size));
  return object;
}

const char* name_of(RouteOp::Kind kind) {
  switch (kind) {
    case RouteOp::Kind::kSet: return "set";
    case RouteOp::Kind::kRemove: return "remove";
    case RouteOp::Kind::kNeighbour: return "neighbour";
  }
  return "invalid";
}

// A neighbour entry has its address as destination and its MAC address as gateway.
void describe_neighbour(Napi::Env env, const RouteOp& op, Napi::Object object) {
  object.Set("what", "neighbour");
  object.Set("destination", from_address(env, op.neighbour));
  object.Set("gateway", from_text(env, to_text(op.neighbour_mac)));
  object.Set("outIfindex", op.neighbour_ifindex);
  object.Set("source", env.Null());
}

void describe_entry(Napi::Env env, const RouteOp& op, Napi::Object object) {
  object.Set("what", op.key.kind == RouteKey::Kind::kRule ? "rule" : "route");
  object.Set("destination", from_text(env, to_text(op.key.destination)));
  object.Set("gateway", from_address(env, op.target.gateway));
  object.Set("outIfindex", op.target.out_ifindex);
  object.Set("source", from_address(env, op.target.source));
}

Napi::Object from_route_op(Napi::Env env, const RouteOp& op) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("kind", name_of(op.kind));
  object.Set("id", op.id);
  object.Set("table", op.key.table);
  object.Set("alsoDirectIfindex", op.target.also_direct_ifindex);
  object.Set("rtoMinMs", op.target.rto_min_ms);
  object.Set("priority", op.priority);
  if (op.kind == RouteOp::Kind::kNeighbour) {
    describe_neighbour(env, op, object);
  } else {
    describe_entry(env, op, object);
  }
  return object;
}

template <typename List, typename Convert>
Napi::Array from_list(Napi::Env env, const List& list, Convert convert) {
  Napi::Array array = Napi::Array::New(env, list.size());
  uint32_t i = 0;
  for (const auto& item : list) array.Set(i++, convert(env, item));
  return array;
}

}  // namespace

Napi::Value from_us(Napi::Env env, Instant at) {
  return Napi::Number::New(env, static_cast<double>(at.in_ns()) / 1000);
}

Napi::Value from_us(Napi::Env env, Duration length) {
  return Napi::Number::New(env, static_cast<double>(length.in_ns()) / 1000);
}

Napi::Value from_id(Napi::Env env, uint64_t id) {
  std::array<char, 16> digits;
  digits.fill('0');
  std::array<char, 16> used{};
  const auto end = std::to_chars(used.data(), used.data() + used.size(), id, 16).ptr;
  std::copy_backward(used.data(), end, digits.data() + digits.size());
  return Napi::String::New(env, digits.data(), digits.size());
}

Napi::Object from_event(Napi::Env env, const Event& event) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("kind", to_string(event.kind));
  object.Set("atUs", from_us(env, event.at));
  object.Set("host", from_host(env, event.host));
  object.Set("lan", event.lan.value);
  object.Set("alternate", event.alternate.value);
  object.Set("state", to_string(event.state));
  object.Set("previous", to_string(event.previous));
  object.Set("reason", to_string(event.reason));
  object.Set("drop", to_string(event.drop));
  object.Set("missed", event.missed);
  object.Set("intervalUs", from_us(env, event.interval));
  object.Set("silenceUs", from_us(env, event.silence));
  object.Set("loss", static_cast<double>(event.loss.value) / kLossOfAll);
  object.Set("roundTripUs", from_us(env, event.round_trip));
  object.Set("detectUs", from_us(env, event.detect));
  object.Set("applyUs", from_us(env, event.apply));
  object.Set("lateUs", from_us(env, event.late));
  object.Set("count", event.count);
  object.Set("id", event.id);
  object.Set("error", event.error);
  const bool routed = event.destination.address.family != Family::kNone;
  object.Set("destination", routed ? from_text(env, to_text(event.destination)) : env.Null());
  return object;
}

Napi::Object from_effects(Napi::Env env, const Effects& effects) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("sends", from_list(env, effects.sends, from_send));
  object.Set("routeOps", from_list(env, effects.route_ops, from_route_op));
  const std::span<const ProbeDump> dumps(effects.dumps.data(), effects.dumps.size());
  object.Set("events", from_list(env, effects.events, [&](Napi::Env, const Event& event) {
               return from_event(env, event, dumps);
             }));
  object.Set("resync", effects.resync);
  return object;
}

Napi::Object from_facts(Napi::Env env, const RuntimeFacts& facts) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("transport", facts.transport == Transport::kUdp ? "udp" : "raw");
  object.Set("transportHint", facts.transport_hint);
  object.Set("realtime", facts.realtime);
  object.Set("realtimeError", facts.realtime_error);
  object.Set("realtimeHint", facts.realtime_hint);
  object.Set("memoryBytes", static_cast<double>(facts.memory_bytes));
  object.Set("memoryLocked", facts.memory_locked);
  object.Set("lockError", facts.lock_error);
  object.Set("lockHint", facts.lock_hint);
  return object;
}

Napi::Object from_interface(Napi::Env env, const InterfaceInfo& info) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("name", from_text(env, info.lan.name));
  object.Set("interface", from_text(env, info.lan.interface));
  object.Set("ifindex", info.lan.ifindex);
  object.Set("mac", from_text(env, to_text(info.lan.mac)));
  object.Set("addresses", from_prefixes(env, info.lan.addresses));
  object.Set("carrier", info.lan.carrier);
  object.Set("mtu", info.mtu);
  object.Set("up", info.admin_up);
  object.Set("broadcast", info.broadcast);
  object.Set("loopback", info.loopback);
  object.Set("kind", info.kind);
  return object;
}

}  // namespace faild
