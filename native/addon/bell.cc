// One thread-safe function with a queue of one. See bell.h.
#include "addon/bell.h"

namespace faild {

Bell* Bell::make(Napi::Env env, Answer answer, void* owner) {
  Bell* bell = new Bell(answer, owner);
  // No JavaScript function is handed over: Node would hold it for ever, and through it the engine
  // that it speaks of, so that no running engine could be collected.
  const Napi::String name = Napi::String::New(env, "faild engine");
  const napi_status status = napi_create_threadsafe_function(
      env, nullptr, nullptr, name, 1, 1, bell, on_finalize, bell, on_call, &bell->function_);
  if (status != napi_ok) {
    delete bell;
    Napi::Error::New(env, "Node refused a thread-safe function").ThrowAsJavaScriptException();
    return nullptr;
  }
  // An engine alone does not keep the process alive; who runs one decides how long.
  napi_unref_threadsafe_function(env, bell->function_);
  return bell;
}

void Bell::ring() {
  // A full queue is as good: a call that has not begun yet will read what we have written.
  (void)napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking);
}

void Bell::hang_up() {
  owner_ = nullptr;
  (void)napi_release_threadsafe_function(function_, napi_tsfn_abort);
}

void Bell::on_call(napi_env env, napi_value, void* context, void*) {
  const Bell* bell = static_cast<Bell*>(context);
  if (env != nullptr && bell->owner_ != nullptr) bell->answer_(env, bell->owner_);
}

void Bell::on_finalize(napi_env, void* data, void*) { delete static_cast<Bell*>(data); }

}  // namespace faild
