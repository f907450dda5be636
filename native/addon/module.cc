// The addon's door: what lib/engine/native.ts declares as `Addon`, registered with Node-API.
//
// Loaded once an environment (main thread and each worker); it keeps nothing outside the objects it
// makes.
#include <napi.h>
#include <unistd.h>

#include "addon/classes.h"
#include "addon/convert.h"
#include "io/clock.h"
#include "io/notify.h"
#include "io/runtime.h"

namespace faild {
namespace {

constexpr size_t kMaxPathBytes = 4095;  // PATH_MAX, less its NUL
constexpr size_t kMaxNoticeBytes = 4096;

Napi::Value interfaces_of(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = read_text(info[0], {"", "networkNamespace"}, kMaxPathBytes);
  if (failed(env)) return env.Undefined();
  std::vector<InterfaceInfo> found;
  if (const std::optional<RuntimeError> error = list_interfaces(path, &found)) {
    raise(env, error->code, error->error, error->message);
    return env.Undefined();
  }
  Napi::Array array = Napi::Array::New(env, found.size());
  for (uint32_t i = 0; i < found.size(); i++) array.Set(i, from_interface(env, found[i]));
  return array;
}

Napi::Value cleanup(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = read_text(info[0], {"", "networkNamespace"}, kMaxPathBytes);
  if (failed(env)) return env.Undefined();
  uint32_t removed = 0;
  if (const std::optional<RuntimeError> error = cleanup_kernel(path, &removed)) {
    raise(env, error->code, error->error, error->message);
    return env.Undefined();
  }
  return Napi::Number::New(env, removed);
}

Napi::Value notify(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = read_text(info[0], {"", "socket"}, kMaxPathBytes);
  const std::string message = read_text(info[1], {"", "message"}, kMaxNoticeBytes);
  if (failed(env)) return env.Undefined();
  return Napi::Number::New(env, notify_service(path, message));
}

Napi::Value monotonic_us(const Napi::CallbackInfo& info) {
  return from_us(info.Env(), monotonic_now());
}

// No destructor, no teardown: those wait for an engine's thread, which may hang.
Napi::Value end_process(const Napi::CallbackInfo& info) {
  const uint64_t status = read_whole(info[0], {"", "status"}, 0, 255);
  if (failed(info.Env())) return info.Env().Undefined();
  _exit(static_cast<int>(status));
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("Engine", define_engine(env));
  exports.Set("VirtualEngine", define_virtual_engine(env));
  exports.Set("listInterfaces", Napi::Function::New<interfaces_of>(env, "listInterfaces"));
  exports.Set("cleanup", Napi::Function::New<cleanup>(env, "cleanup"));
  exports.Set("notifyService", Napi::Function::New<notify>(env, "notifyService"));
  exports.Set("endProcess", Napi::Function::New<end_process>(env, "endProcess"));
  exports.Set("monotonicUs", Napi::Function::New<monotonic_us>(env, "monotonicUs"));
  exports.Set("encodeHeartbeat", Napi::Function::New<encode_heartbeat>(env, "encodeHeartbeat"));
  exports.Set("decodeHeartbeat", Napi::Function::New<decode_heartbeat>(env, "decodeHeartbeat"));
  exports.Set("measureTimers", Napi::Function::New<measure_timers>(env, "measureTimers"));
  exports.Set("measureRoutes", Napi::Function::New<measure_routes>(env, "measureRoutes"));
  exports.Set("detectionTimeUs", Napi::Function::New<detection_time_us>(env, "detectionTimeUs"));
  return exports;
}

}  // namespace
}  // namespace faild

static Napi::Object init_module(Napi::Env env, Napi::Object exports) {
  return faild::init(env, exports);
}
NODE_API_MODULE(faild, init_module)
