// What module.cc exports, one file each: engine.cc, virtual_engine.cc, heartbeat.cc.
#pragma once

#include <napi.h>

namespace faild {

[[nodiscard]] Napi::Function define_engine(Napi::Env env);
[[nodiscard]] Napi::Function define_virtual_engine(Napi::Env env);
[[nodiscard]] Napi::Value encode_heartbeat(const Napi::CallbackInfo& info);
[[nodiscard]] Napi::Value decode_heartbeat(const Napi::CallbackInfo& info);

}  // namespace faild
