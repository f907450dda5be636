// The owner's side: starting the engine's thread, talking to it through the mailbox, joining it.
#include "io/runtime.h"

#include <poll.h>
#include <sys/mman.h>

#include <condition_variable>
#include <mutex>

#include "io/locked_memory.h"
#include "io/network_namespace.h"
#include "io/reactor.h"
#include "io/thread.h"

namespace faild {

namespace {

constexpr const char* kTransportHint =
    "without CAP_NET_RAW heartbeats go through the kernel's UDP, which costs more; grant it "
    "(setcap cap_net_raw+ep on the binary, AmbientCapabilities=CAP_NET_RAW in a systemd unit), or "
    "say --transport udp";

// A thread that goes no round in so many looks hangs: 2 s, of which a stop of the whole process,
// that lets one look end too early, takes only one. Its longest round is a dump's piece, some ms.
constexpr int kHungLooks = 20;
constexpr int kLookMs = 100;

// With room for all that the engine's thread may find.
std::unique_ptr<Snapshot> make_snapshot(const EngineConfig& engine,
                                        const std::optional<ProbeQuery>& query) {
  auto snapshot = std::make_unique<Snapshot>();
  snapshot->query = query;
  if (query) {
    snapshot->recordings.reserve(kMaxRecordings);
    return snapshot;
  }
  snapshot->peers.reserve(engine.max_peers);
  snapshot->paths.reserve(engine.max_peers * engine.lans.size());
  snapshot->lans.reserve(engine.lans.size());
  return snapshot;
}

}  // namespace

class Runtime::Impl {
 public:
  Impl(RuntimeConfig config, Wake wake, void* context)
      : config_(std::move(config)), wake_(wake), context_(context) {}
  ~Impl() { munlock(&mailbox_, sizeof mailbox_); }  // the heap may give it to anybody
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  [[nodiscard]] std::optional<RuntimeError> start();
  bool stop(bool goodbye);
  void join();

  RuntimeConfig config_;
  RuntimeFacts facts_;
  Mailbox mailbox_;

 private:
  static void* thread_main(void* self);
  void live();
  [[nodiscard]] std::optional<RuntimeError> open(LockedMemory* memory, Owned<Reactor>* reactor);
  void report(std::optional<RuntimeError> outcome);
  void ask_to_stop(StopWish wish);
  [[nodiscard]] bool ends();

  Wake wake_;
  void* context_;
  pthread_t thread_{};
  bool running_ = false;
  UniqueFd ended_;  // eventfd: the thread touches nothing any more
  // How the start went; the owner waits for it once.
  std::mutex mutex_;
  std::condition_variable started_;
  bool reported_ = false;
  std::optional<RuntimeError> outcome_;
};

std::optional<RuntimeError> Runtime::Impl::start() {
  FAILD_CHECK(!running_);
  mailbox_.doorbell = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  ended_ = UniqueFd(eventfd(0, EFD_CLOEXEC));
  if (!mailbox_.doorbell.valid() || !ended_.valid()) return system_error("creating an eventfd");
  mailbox_.stop.store(StopWish::kNone, std::memory_order_release);
  reported_ = false;
  if (auto error = start_thread(&thread_, &Impl::thread_main, this)) return error;
  {
    std::unique_lock lock(mutex_);
    started_.wait(lock, [this] { return reported_; });
  }
  running_ = !outcome_;
  if (!running_) pthread_join(thread_, nullptr);
  return outcome_;
}

bool Runtime::Impl::stop(bool goodbye) {
  if (!running_) return true;
  ask_to_stop(goodbye ? StopWish::kWithGoodbye : StopWish::kQuietly);
  if (!ends()) return false;
  join();
  return true;
}

void Runtime::Impl::join() {
  if (!running_) return;
  if (mailbox_.stop.load(std::memory_order_relaxed) == StopWish::kNone) {
    ask_to_stop(StopWish::kQuietly);
  }
  pthread_join(thread_, nullptr);
  running_ = false;
}

void Runtime::Impl::ask_to_stop(StopWish wish) {
  mailbox_.stop.store(wish, std::memory_order_release);
  mailbox_.ring();
}

// Whether the thread comes to its end. Taking leave may need its time, but it goes round meanwhile.
bool Runtime::Impl::ends() {
  pollfd end{ended_.get(), POLLIN, 0};
  uint64_t seen = 0;
  for (int silent = 0; silent < kHungLooks;) {
    const int ready = poll(&end, 1, kLookMs);
    if (ready > 0) return true;
    if (ready < 0) continue;  // a signal
    const uint64_t rounds = mailbox_.rounds.load(std::memory_order_relaxed);
    silent = rounds == seen ? silent + 1 : 0;
    seen = rounds;
  }
  return false;
}

void* Runtime::Impl::thread_main(void* argument) {
  auto* self = static_cast<Impl*>(argument);
  self->live();
  (void)eventfd_write(self->ended_.get(), 1);
  return nullptr;
}

void Runtime::Impl::live() {
  LockedMemory memory;
  Owned<Reactor> reactor;
  auto outcome = open(&memory, &reactor);
  const bool good = !outcome;
  if (!good) reactor.reset();  // "nothing is left behind" is true before the owner hears of it
  report(std::move(outcome));
  if (good) reactor->run();
}

std::optional<RuntimeError> Runtime::Impl::open(LockedMemory* memory, Owned<Reactor>* reactor) {
  if (auto error = enter_namespace(config_.network_namespace)) return error;
  if (const int error = memory->open()) {
    return make_error("ENOMEM", error, "reserving the engine's memory failed: see `ulimit -v`");
  }
  *reactor = make_owned<Reactor>(memory, mailbox_, wake_, context_, memory);
  if (auto error = (*reactor)->open(config_)) return error;
  facts_ = RuntimeFacts();
  facts_.transport = (*reactor)->transport();
  if (config_.transport == Transport::kAutomatic && facts_.transport == Transport::kUdp) {
    facts_.transport_hint = kTransportHint;
  }
  note_locking(memory->seal(), &facts_);
  facts_.memory_bytes = memory->used();
  // Written throughout when it was made, so it is in RAM.
  note_locking(mlock(&mailbox_, sizeof mailbox_) == 0 ? 0 : errno, &facts_);
  return prepare_thread(config_, &facts_);  // last: opening needs no real time
}

void Runtime::Impl::report(std::optional<RuntimeError> outcome) {
  const std::lock_guard lock(mutex_);
  outcome_ = std::move(outcome);
  reported_ = true;
  started_.notify_one();
}

Runtime::Runtime(RuntimeConfig config, Wake wake, void* context)
    : impl_(std::make_unique<Impl>(std::move(config), wake, context)) {}
Runtime::~Runtime() { impl_->join(); }

std::optional<RuntimeError> Runtime::start() { return impl_->start(); }
bool Runtime::stop(bool goodbye) { return impl_->stop(goodbye); }
const RuntimeFacts& Runtime::facts() const { return impl_->facts_; }

size_t Runtime::drain(Event* out, size_t room, uint64_t* lost) {
  Mailbox& mailbox = impl_->mailbox_;
  mailbox.wake_pending.exchange(false, std::memory_order_acq_rel);
  size_t count = 0;
  while (count < room && mailbox.events.pop(&out[count])) count++;
  *lost = mailbox.events_lost.load(std::memory_order_relaxed);
  return count;
}

size_t Runtime::drain_dumps(ProbeDump* out, size_t room) {
  size_t count = 0;
  while (count < room && impl_->mailbox_.dumps.pop(&out[count])) count++;
  return count;
}

bool Runtime::take_tapped(TappedProbe* out) { return impl_->mailbox_.tapped.pop(out); }

bool Runtime::submit(const Command& command) {
  if (!impl_->mailbox_.commands.push(command)) return false;
  impl_->mailbox_.ring();
  return true;
}

bool Runtime::request_snapshot(uint32_t id, const std::optional<ProbeQuery>& query) {
  Mailbox& mailbox = impl_->mailbox_;
  using State = Mailbox::SnapshotState;
  if (mailbox.snapshot_state.load(std::memory_order_acquire) != State::kFree) return false;
  mailbox.snapshot = make_snapshot(impl_->config_.engine, query);
  mailbox.snapshot_id = id;
  mailbox.snapshot_state.store(State::kWanted, std::memory_order_release);
  mailbox.ring();
  return true;
}

std::unique_ptr<Snapshot> Runtime::take_snapshot() {
  Mailbox& mailbox = impl_->mailbox_;
  using State = Mailbox::SnapshotState;
  if (mailbox.snapshot_state.load(std::memory_order_acquire) != State::kReady) return nullptr;
  auto snapshot = std::move(mailbox.snapshot);
  mailbox.snapshot_state.store(State::kFree, std::memory_order_release);
  return snapshot;
}

uint64_t Runtime::heartbeat_count() const {
  return impl_->mailbox_.rounds.load(std::memory_order_relaxed);
}

}  // namespace faild
