// Engine: the real engine on its own thread, as lib/engine/shapes.ts declares it.
//
// Everything here runs on the thread of JavaScript that made the object, except wake(), which the
// engine's thread calls. JavaScript is never waited for. Order of destruction: bell.h.
#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "addon/bell.h"
#include "addon/classes.h"
#include "addon/convert.h"

namespace faild {
namespace {

constexpr const char* kOnWake = "onWake";
constexpr size_t kDrainChunk = 64;  // events copied at a time, on the stack

class EngineObject : public Napi::ObjectWrap<EngineObject> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env, "Engine",
        {InstanceMethod<&EngineObject::start>("start"), InstanceMethod<&EngineObject::stop>("stop"),
         InstanceMethod<&EngineObject::facts>("facts"),
         InstanceMethod<&EngineObject::drain>("drain"),
         InstanceMethod<&EngineObject::drain_tap>("drainTap"),
         InstanceMethod<&EngineObject::command>("command"),
         InstanceMethod<&EngineObject::request_snapshot>("requestSnapshot"),
         InstanceMethod<&EngineObject::take_snapshot>("takeSnapshot"),
         InstanceMethod<&EngineObject::heartbeat_count>("heartbeatCount")});
  }

  explicit EngineObject(const Napi::CallbackInfo& info);
  ~EngineObject() override;

 private:
  void start(const Napi::CallbackInfo& info);
  void stop(const Napi::CallbackInfo& info);
  Napi::Value facts(const Napi::CallbackInfo& info);
  Napi::Value drain(const Napi::CallbackInfo& info);
  Napi::Value drain_tap(const Napi::CallbackInfo& info);
  Napi::Value command(const Napi::CallbackInfo& info);
  Napi::Value request_snapshot(const Napi::CallbackInfo& info);
  Napi::Value take_snapshot(const Napi::CallbackInfo& info);
  Napi::Value heartbeat_count(const Napi::CallbackInfo& info);

  void take_dumps();
  [[nodiscard]] std::span<const ProbeDump> dumps_of(const Event& event);
  [[nodiscard]] bool require_running(Napi::Env env) const;
  static void wake(void* self);                   // on the engine's thread
  static void on_bell(napi_env env, void* self);  // the same, arrived
  static void on_teardown(void* self);            // the environment ends

  std::unique_ptr<Runtime> runtime_;
  Bell* bell_ = nullptr;  // Node frees it
  size_t lan_count_ = 0;
  uint32_t last_id_ = 0;          // of commands and snapshots
  std::vector<ProbeDump> dumps_;  // taken; after a drain kDumpRingSlots at most
  size_t used_dumps_ = 0;         // the first of them, whose events were taken as well, or lost
  uint32_t untold_ = 0;           // probes of the tap that were passed over since the last one told
  bool running_ = false;
};

EngineObject::EngineObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  const Napi::Env env = info.Env();
  RuntimeConfig config = to_runtime_config(Fields(info[0], ""));
  if (!failed(env) && !info[1].IsFunction()) refuse(info[1], {"", kOnWake}, "a function");
  if (failed(env)) return;
  // A property and no strong reference: an engine that only its own onWake knows is garbage.
  info.This().As<Napi::Object>().DefineProperty(
      Napi::PropertyDescriptor::Value(kOnWake, info[1], napi_default));
  bell_ = Bell::make(env, on_bell, this);
  if (bell_ == nullptr) return;
  napi_add_env_cleanup_hook(env, on_teardown, this);
  lan_count_ = config.engine.lans.size();
  runtime_ = std::make_unique<Runtime>(std::move(config), wake, this);
}

EngineObject::~EngineObject() {
  runtime_.reset();  // joins the thread: nobody rings from here on
  if (bell_ == nullptr) return;
  napi_remove_env_cleanup_hook(Env(), on_teardown, this);
  bell_->hang_up();
}

void EngineObject::on_teardown(void* argument) {
  auto* self = static_cast<EngineObject*>(argument);
  self->runtime_.reset();
  self->running_ = false;
  self->bell_->forget();
  self->bell_ = nullptr;
}

void EngineObject::wake(void* self) { static_cast<EngineObject*>(self)->bell_->ring(); }

void EngineObject::on_bell(napi_env env, void* argument) {
  // Plain Node-API: node-addon-api would lose an exception of the user's in this place.
  napi_value self = static_cast<EngineObject*>(argument)->Value();
  if (self == nullptr) return;  // collected between the ringing and now
  napi_value on_wake = nullptr;
  if (napi_get_named_property(env, self, kOnWake, &on_wake) != napi_ok) return;
  if (napi_call_function(env, self, on_wake, 0, nullptr, nullptr) == napi_ok) return;
  bool pending = false;
  if (napi_is_exception_pending(env, &pending) != napi_ok || !pending) return;
  napi_value thrown = nullptr;
  if (napi_get_and_clear_last_exception(env, &thrown) != napi_ok) return;
  (void)napi_fatal_exception(env, thrown);  // 'uncaughtException', as for any other callback
}

bool EngineObject::require_running(Napi::Env env) const {
  if (!running_) raise(env, "ENOTRUNNING", 0, "the engine is not running: call start() first");
  return running_;
}

void EngineObject::start(const Napi::CallbackInfo& info) {
  if (running_) return raise(info.Env(), "EALREADY", 0, "the engine is already running");
  if (const std::optional<RuntimeError> error = runtime_->start()) {
    return raise(info.Env(), error->code, error->error, error->message);
  }
  running_ = true;
}

void EngineObject::stop(const Napi::CallbackInfo& info) {
  const bool goodbye = read_flag(info[0], {"", "goodbye"});
  if (failed(info.Env()) || !running_) return;
  running_ = !runtime_->stop(goodbye);
  if (!running_) return;
  raise(info.Env(), "EHUNG", 0,
        "the engine's thread hangs and cannot be stopped: only the end of the process ends it");
}

Napi::Value EngineObject::facts(const Napi::CallbackInfo& info) {
  if (!require_running(info.Env())) return info.Env().Undefined();
  return from_facts(info.Env(), runtime_->facts());
}

// A dump comes before its event, so that this, called after taking some events, has theirs.
void EngineObject::take_dumps() {
  std::array<ProbeDump, 8> chunk;
  while (const size_t count = runtime_->drain_dumps(chunk.data(), chunk.size())) {
    dumps_.insert(dumps_.end(), chunk.begin(), chunk.begin() + static_cast<ptrdiff_t>(count));
  }
}

// Dumps are in the order of their events; those before were of events that were lost.
std::span<const ProbeDump> EngineObject::dumps_of(const Event& event) {
  const bool verdict = event.kind == EventKind::kPathDown || event.kind == EventKind::kLanDown;
  if (!verdict || event.id == 0) return {};
  const auto own = [&](const ProbeDump& dump) { return dump.id == event.id; };
  const auto first = std::find_if(dumps_.begin() + used_dumps_, dumps_.end(), own);
  if (first == dumps_.end()) return {};
  const auto last = std::find_if_not(first, dumps_.end(), own);
  used_dumps_ = static_cast<size_t>(last - dumps_.begin());
  return {first, last};
}

// After stop() too: the last events are worth reading.
Napi::Value EngineObject::drain(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  std::array<Event, kDrainChunk> chunk;
  uint64_t lost = 0;
  uint32_t taken = 0;
  size_t count = 0;
  Napi::Array events = Napi::Array::New(env);
  do {
    count = runtime_->drain(chunk.data(), chunk.size(), &lost);
    take_dumps();
    const Napi::HandleScope scope(env);
    for (size_t i = 0; i < count; i++) {
      events.Set(taken++, from_event(env, chunk[i], dumps_of(chunk[i])));
    }
  } while (count == chunk.size() && taken < kEventRingSlots);
  // The newest, of events that are still to come; older ones without an event have lost it.
  const size_t surplus = dumps_.size() - std::min(dumps_.size(), kDumpRingSlots);
  const size_t done = std::max(std::exchange(used_dumps_, 0), surplus);
  dumps_.erase(dumps_.begin(), dumps_.begin() + static_cast<ptrdiff_t>(done));
  // A flood that outruns us must not hold JavaScript for ever: the rest gets a turn of its own.
  if (count == chunk.size()) bell_->ring();
  Napi::Object result = Napi::Object::New(env);
  result.Set("events", events);
  result.Set("lost", static_cast<double>(lost));
  return result;
}

// What there is no room for is passed over and counted, so that the ring is always emptied: an
// object costs a hundred times what the probe itself does.
Napi::Value EngineObject::drain_tap(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const uint32_t room = read_u32(info[0], {"", "room"});
  if (failed(env)) return env.Undefined();
  Napi::Array probes = Napi::Array::New(env);
  uint32_t told = 0;
  TappedProbe probe;
  for (size_t i = 0; i < kTapRingSlots && runtime_->take_tapped(&probe); i++) {
    untold_ += probe.lost_before;
    if (told == room) {
      untold_++;
      continue;
    }
    probe.lost_before = std::exchange(untold_, 0);
    const Napi::HandleScope scope(env);
    probes.Set(told++, from_tapped(env, probe));
  }
  return probes;
}

Napi::Value EngineObject::command(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Command command = to_command(info[0], lan_count_);
  if (command.kind == Command::Kind::kBye) refuse(info[0], {"", "command"}, "stop() for a goodbye");
  if (failed(env) || !require_running(env)) return env.Undefined();
  command.id = ++last_id_;
  if (!runtime_->submit(command)) {
    raise(env, "EAGAIN", 0, "the engine's command queue is full: try again in a moment");
    return env.Undefined();
  }
  return Napi::Number::New(env, command.id);
}

Napi::Value EngineObject::request_snapshot(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!require_running(env)) return env.Undefined();
  std::optional<ProbeQuery> query;
  if (!info[0].IsNull()) query = to_probe_query(info[0], "query", lan_count_);
  if (failed(env)) return env.Undefined();
  const uint32_t id = ++last_id_;
  return runtime_->request_snapshot(id, query) ? Napi::Number::New(env, id) : env.Null();
}

Napi::Value EngineObject::take_snapshot(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::unique_ptr<Snapshot> snapshot = runtime_->take_snapshot();
  if (snapshot == nullptr) return env.Null();
  return snapshot->query ? from_probes(env, *snapshot) : from_snapshot(env, *snapshot);
}

Napi::Value EngineObject::heartbeat_count(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(runtime_->heartbeat_count()));
}

}  // namespace

Napi::Function define_engine(Napi::Env env) { return EngineObject::define(env); }

}  // namespace faild
