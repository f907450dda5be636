// What module.cc exports, one file each: engine.cc, virtual_engine.cc, heartbeat.cc, measure.cc.
#pragma once

#include <napi.h>

namespace faild {

[[nodiscard]] Napi::Function define_engine(Napi::Env env);
[[nodiscard]] Napi::Function define_virtual_engine(Napi::Env env);
[[nodiscard]] Napi::Value encode_heartbeat(const Napi::CallbackInfo& info);
[[nodiscard]] Napi::Value decode_heartbeat(const Napi::CallbackInfo& info);
[[nodiscard]] Napi::Value measure_timers(const Napi::CallbackInfo& info);
[[nodiscard]] Napi::Value measure_routes(const Napi::CallbackInfo& info);
[[nodiscard]] Napi::Value detection_time_us(const Napi::CallbackInfo& info);

}  // namespace faild
