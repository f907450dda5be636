// The shapes that lib/engine/shapes.ts declares <-> the values of core/ and io/. One place, so that
// the real engine and the virtual one speak alike.
#pragma once

#include <napi.h>

#include <span>

#include "addon/read.h"
#include "core/engine.h"
#include "io/runtime.h"

namespace faild {

// From JavaScript. On a fault an error is pending (see read.h) and the result means nothing.
[[nodiscard]] EngineConfig to_engine_config(const Fields& from);
[[nodiscard]] LanConfig to_lan_config(const Fields& from);
[[nodiscard]] RuntimeConfig to_runtime_config(const Fields& from);
[[nodiscard]] Command to_command(const Napi::Value& value, size_t lan_count);
[[nodiscard]] ProbeQuery to_probe_query(const Napi::Value& value, const char* what,
                                        size_t lan_count);
[[nodiscard]] LanIndex to_lan(const Napi::Value& value, const Where& where, size_t lan_count);
// A VirtualRouteOp that was carried out, as a dump of the kernel would show it.
[[nodiscard]] KernelEntry to_kernel_entry(const Fields& from);
[[nodiscard]] RouteKey to_route_key(const Napi::Value& what, const Napi::Value& table,
                                    const Napi::Value& destination, std::string_view parent);

// To JavaScript.
[[nodiscard]] Napi::Value from_us(Napi::Env env, Instant at);
[[nodiscard]] Napi::Value from_us(Napi::Env env, Duration length);
[[nodiscard]] Napi::Value from_id(Napi::Env env, uint64_t id);
template <size_t N>
[[nodiscard]] Napi::String from_text(Napi::Env env, const BoundedText<N>& text) {
  return Napi::String::New(env, text.view().data(), text.view().size());
}
template <size_t N>
[[nodiscard]] Napi::Array from_prefixes(Napi::Env env, const BoundedVector<Prefix, N>& prefixes) {
  Napi::Array array = Napi::Array::New(env, prefixes.size());
  for (uint32_t i = 0; i < prefixes.size(); i++) array.Set(i, from_text(env, to_text(prefixes[i])));
  return array;
}
[[nodiscard]] Napi::Object from_event(Napi::Env env, const Event& event);
// With what was recorded before it, of a verdict.
[[nodiscard]] Napi::Object from_event(Napi::Env env, const Event& event,
                                      std::span<const ProbeDump> dumps);
[[nodiscard]] Napi::Object from_effects(Napi::Env env, const Effects& effects);
[[nodiscard]] Napi::Array from_paths(Napi::Env env, const std::vector<PathRow>& paths);
[[nodiscard]] Napi::Object from_snapshot(Napi::Env env, const Snapshot& snapshot);
[[nodiscard]] Napi::Object from_tapped(Napi::Env env, const TappedProbe& probe);
// Of a snapshot that was asked for with a query.
[[nodiscard]] Napi::Object from_probes(Napi::Env env, const Snapshot& snapshot);
[[nodiscard]] Napi::Object from_facts(Napi::Env env, const RuntimeFacts& facts);
[[nodiscard]] Napi::Object from_interface(Napi::Env env, const InterfaceInfo& info);

}  // namespace faild
