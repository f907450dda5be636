// The bell by which the engine's thread calls JavaScript: one Node-API thread-safe function, rung
// when there is something to read and nobody has been told yet.
//
// Order of destruction. Node 20 frees a thread-safe function while its environment is torn down; a
// thread that rings it after that writes to freed memory. Hence:
//   1. The bell is made first, and only then its owner adds a clean-up hook of its own. Hooks run
//      last-in first-out, so at teardown (worker.terminate(), process.exit()) the owner's hook
//      stops and joins the engine's thread while the bell still exists.
//   2. Then Node closes the thread-safe function and calls our finalizer, which frees the Bell.
//   From
//      teardown on the owner must not touch it: it forgets it in its hook.
//   3. Without teardown (garbage collection) the owner joins its thread, then calls hang_up();
//      Node runs the finalizer later, and what was still queued finds no owner.
// Bell and owner live on JavaScript's thread; only ring() is for the engine's.
#pragma once

#include <napi.h>

namespace faild {

class Bell {
 public:
  using Answer = void (*)(napi_env env, void* owner);  // on JavaScript's thread

  // An error is pending and nullptr comes back when Node refuses.
  [[nodiscard]] static Bell* make(Napi::Env env, Answer answer, void* owner);
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;

  void ring();  // any thread, while the owner has neither hung up nor forgotten
  void forget() { owner_ = nullptr; }  // teardown: Node frees the bell
  void hang_up();                      // ordinary life: ask Node to free the bell

 private:
  Bell(Answer answer, void* owner) : answer_(answer), owner_(owner) {}
  static void on_call(napi_env env, napi_value function, void* context, void* data);
  static void on_finalize(napi_env env, void* data, void* hint);

  const Answer answer_;
  void* owner_;
  napi_threadsafe_function function_ = nullptr;
};

}  // namespace faild
