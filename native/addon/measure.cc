// Measurements of this machine, as lib/engine/native.ts declares them. Each call is short and
// blocks the caller; whoever wants more calls again.
#include "io/measure.h"

#include <array>
#include <vector>

#include "addon/classes.h"
#include "addon/convert.h"
#include "core/path.h"

namespace faild {
namespace {

constexpr size_t kMostTimers = 10000, kMostRoutes = 1000;

Napi::Array from_durations(Napi::Env env, std::span<const Duration> durations) {
  Napi::Array array = Napi::Array::New(env, durations.size());
  for (uint32_t i = 0; i < durations.size(); i++) array.Set(i, from_us(env, durations[i]));
  return array;
}

}  // namespace

Napi::Value measure_timers(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Fields from(info[0], "");
  TimerOrder order;
  order.realtime_priority = static_cast<int>(from.whole("realtimePriority", 0, 99));
  const double cpu = read_number(from.at("cpu"), from.where("cpu"), -1, 4095);
  if (cpu >= 0) order.cpu = static_cast<int>(cpu);
  order.period = from.duration_us("periodUs", Duration::us(50), Duration::seconds(1));
  const size_t count = from.whole("count", 1, kMostTimers);
  if (failed(env)) return env.Undefined();
  std::vector<Duration> late(count);
  bool realtime = false;
  if (const auto error = measure_timers(order, late, &realtime)) {
    raise(env, error->code, error->error, error->message);
    return env.Undefined();
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("realtime", realtime);
  result.Set("lateUs", from_durations(env, late));
  return result;
}

Napi::Value measure_routes(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Fields from(info[0], "");
  const std::string space = from.text("networkNamespace", 4095);
  const uint32_t ifindex = from.u32("ifindex");
  const IpAddress gateway = read_ip(from.at("gateway"), from.where("gateway"));
  const size_t count = from.whole("count", 1, kMostRoutes);
  if (failed(env)) return env.Undefined();
  std::vector<RouteChange> changes(count);
  if (const auto error = measure_routes(space, ifindex, gateway, changes)) {
    raise(env, error->code, error->error, error->message);
    return env.Undefined();
  }
  Napi::Object result = Napi::Object::New(env);
  const auto column = [&](const char* name, Duration RouteChange::*member) {
    Napi::Array array = Napi::Array::New(env, count);
    for (uint32_t i = 0; i < count; i++) array.Set(i, from_us(env, changes[i].*member));
    result.Set(name, array);
  };
  column("addUs", &RouteChange::add);
  column("replaceUs", &RouteChange::replace);
  column("removeUs", &RouteChange::remove);
  return result;
}

Napi::Value detection_time_us(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Duration interval =
      read_duration_us(info[0], {"", "intervalUs"}, Duration::us(50), Duration::seconds(3600));
  DetectorRules rules;
  rules.fail_after = static_cast<uint32_t>(read_whole(info[1], {"", "failAfter"}, 1, 1000));
  if (failed(env)) return env.Undefined();
  return from_us(env, detection_time(rules, interval));
}

}  // namespace faild
