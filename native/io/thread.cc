#include "io/thread.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "io/errors.h"

namespace faild {
namespace {

constexpr size_t kStackBytes = 1 << 20;
constexpr size_t kPrefaultBytes = 128 << 10;  // far more than the deepest call needs
constexpr const char* kRealtimeHint =
    "without real-time scheduling a busy machine delays detection; grant CAP_SYS_NICE "
    "(setcap cap_sys_nice+ep on the binary, AmbientCapabilities=CAP_SYS_NICE in a systemd unit) "
    "or a limit (LimitRTPRIO=50)";
// sched_setscheduler(2) refuses with the same error what no capability of ours would change.
constexpr const char* kRealtimeHintWithCapability =
    "without real-time scheduling a busy machine delays detection; CAP_SYS_NICE is there but does "
    "not suffice: raise cpu.rt_runtime_us of this control group (CONFIG_RT_GROUP_SCHED gives it "
    "none), or, in a container, let its user namespace or seccomp filter permit it (or "
    "LimitRTPRIO=50)";

// Without it a host that is short of memory pages the tables out, and the next verdict waits for
// its disk.
constexpr const char* kLockHint =
    "without locked memory a host that is short of it may page the engine out and delay detection; "
    "grant CAP_IPC_LOCK (setcap cap_ipc_lock+ep on the binary, AmbientCapabilities=CAP_IPC_LOCK in "
    "a systemd unit) or a limit (LimitMEMLOCK=64M)";

// Touches the stack's pages, so that no later call takes a fault for them, and keeps them in RAM:
// errno when that is not permitted. glibc keeps an ended thread's stack for the next one, locked.
[[gnu::noinline]] int lock_stack() {
  std::array<volatile uint8_t, kPrefaultBytes> pages;
  for (size_t i = 0; i < kPrefaultBytes; i += 4096) pages[i] = 0;
  return mlock(const_cast<const uint8_t*>(pages.data()), pages.size()) == 0 ? 0 : errno;
}

[[nodiscard]] bool has_capability(int capability) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
  if (syscall(SYS_capget, &header, data) != 0) return false;
  return (data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability)) != 0;
}

void ask_for_realtime(int priority, RuntimeFacts* facts) {
  if (priority <= 0) return;
  sched_param wish{};
  wish.sched_priority = priority;
  // Children of this process must not inherit it.
  const int error = pthread_setschedparam(pthread_self(), SCHED_FIFO | SCHED_RESET_ON_FORK, &wish);
  facts->realtime = error == 0;
  facts->realtime_error = error;
  if (error == 0) return;
  facts->realtime_hint = has_capability(CAP_SYS_NICE) ? kRealtimeHintWithCapability : kRealtimeHint;
}

}  // namespace

std::optional<RuntimeError> start_thread(pthread_t* thread, void* (*main)(void*), void* argument) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  const int error = pthread_create(thread, &attributes, main, argument);
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error == 0) return std::nullopt;
  return make_error("ETHREAD", error, "starting the engine's thread failed: see `ulimit -u`");
}

std::optional<RuntimeError> prepare_thread(const RuntimeConfig& config, RuntimeFacts* facts) {
  pthread_setname_np(pthread_self(), "faild-engine");
  prctl(PR_SET_TIMERSLACK, 1UL);
  note_locking(lock_stack(), facts);
  if (config.cpu) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    if (*config.cpu >= 0 && *config.cpu < CPU_SETSIZE)
      CPU_SET(static_cast<size_t>(*config.cpu), &cpus);
    if (const int error = pthread_setaffinity_np(pthread_self(), sizeof cpus, &cpus)) {
      return make_error("ECPU", error,
                        "cannot pin the engine to CPU " + std::to_string(*config.cpu) +
                            ": choose one of `taskset -p $$`");
    }
  }
  ask_for_realtime(config.realtime_priority, facts);
  return std::nullopt;
}

void note_locking(int error, RuntimeFacts* facts) {
  if (error == 0 || facts->lock_error != 0) return;
  facts->memory_locked = false;
  facts->lock_error = error;
  facts->lock_hint = kLockHint;
}

}  // namespace faild
