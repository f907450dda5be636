#include "io/reactor.h"

#include <algorithm>

namespace faild {
namespace {

// How long a round may read before it sees to our own duties: an INQ that a flood holds up for a
// quarter of its interval comes before any peer misses us.
constexpr Duration drain_at_most(Duration interval) {
  return std::clamp(interval / 4, Duration::us(500), Duration::ms(5));
}
constexpr int kPacketsPerReading = 32;  // a reading of the clock serves this many
constexpr int kCommandsPerRound = 16;
// So many packets ahead the engine is told of one: memory takes about as long as two of them.
constexpr unsigned kSoon = 2, kLater = 4;

// Awake for this long before a verdict: an idle SCHED_FIFO thread is woken later than this once in
// a few hundred times (p99 117 us, p99.9 226 us, measured). Never for a whole interval, so that it
// stays the exception.
constexpr Duration watch_for(Duration interval) { return std::min(interval, Duration::us(150)); }

// Regular packets may lie until our own next turn where we speak as often as this: the receive ring
// must hold what comes meanwhile. At a longer interval a wake-up for each costs nothing.
constexpr Duration kBellsUpTo = Duration::ms(5);

// Taking leave.
constexpr int kGoodbyes = 3;
constexpr Duration kGoodbyeGap = Duration::ms(3);  // one may be lost in a burst
constexpr Duration kCleanupWithin = Duration::ms(500);

// What an epoll event is about; below kBellTag: the LAN of that index.
constexpr uint32_t kBellTag = kMaxLans, kDoorbellTag = 2 * kMaxLans, kNoticesTag = kDoorbellTag + 1;
constexpr size_t kTags = kNoticesTag + 1;

bool watch_fd(int epoll, int fd, uint32_t tag) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u32 = tag;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

std::optional<RuntimeError> Reactor::open(RuntimeConfig config) {
  if (auto error = writer_.open()) return error;
  if (auto error = notices_.open(NetlinkUse::kNotifications)) return error;
  notices_.ignore_others_routes(writer_.port_id());
  if (auto error = lans_.open(&config)) return error;
  if (auto error = resync_.open(route_places(config.engine))) return error;

  all_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  news_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  quiet_ = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
  for (const int epoll : {all_.get(), news_.get(), quiet_.get()}) {
    if (!watch_fd(epoll, mailbox_.doorbell.get(), kDoorbellTag) ||
        !watch_fd(epoll, notices_.fd(), kNoticesTag)) {
      return system_error("setting up epoll");
    }
  }
  for (size_t i = 0; i < lans_.size(); i++) watch(i);
  tick();
  engine_ = make_owned<Engine>(memory_, config.engine, now_, memory_);
  resync_.want();
  return std::nullopt;
}

void Reactor::watch(size_t lan) {
  // A socket that was closed has left the set by itself.
  const LanSocket* socket = lans_[lan].socket.get();
  if (socket == nullptr) return;
  const auto tag = static_cast<uint32_t>(lan);
  (void)watch_fd(all_.get(), socket->fd(), tag);
  if (socket->bell_fd() >= 0) (void)watch_fd(news_.get(), socket->bell_fd(), kBellTag + tag);
}

void Reactor::tick() {
  reading_ = read_clocks();
  now_ = reading_.now;
}

void Reactor::run() {
  const bool never = false;
  while (mailbox_.stop.load(std::memory_order_acquire) == StopWish::kNone) {
    round();
    wait(engine_->poll_at());
  }
  run_until(now_, never);
  take_leave(mailbox_.stop.load(std::memory_order_acquire) == StopWish::kWithGoodbye);
}

// Goodbyes apart in time, because a burst that loses one loses all; then the kernel is left tidy.
void Reactor::take_leave(bool goodbye) {
  const bool never = false;
  Command command;
  command.kind = Command::Kind::kBye;
  for (int i = 0; goodbye && i < kGoodbyes; i++) {
    if (i > 0) run_until(now_ + kGoodbyeGap, never);
    tick();
    engine_->on_command(now_, command, effects_);
    carry_out();
  }
  // The only command whose answer the reactor itself awaits; push_event knows it by this id.
  command.kind = Command::Kind::kCleanup;
  command.id = kCleanupId;
  cleaned_ = false;
  tick();
  engine_->on_command(now_, command, effects_);
  carry_out();
  run_until(now_ + kCleanupWithin, cleaned_);
}

void Reactor::run_until(Instant end, const bool& done) {
  tick();
  while (!done && now_ < end) {
    wait(std::min(end, engine_->poll_at()));
    round();
  }
}

void Reactor::wait(Instant until) {
  if (pace_.polling()) {
    until = std::min(until, now_ + Pace::nap(engine_->shortest_interval()));
  }
  if (resync_.pending()) until = std::min(until, resync_.not_before());
  if (snapshot_.active() || !heard_all_) until = now_;
  const bool by_bell = engine_->own_pace() <= kBellsUpTo && lans_.has_bells();
  const UniqueFd& what = pace_.polling() ? quiet_ : by_bell ? news_ : all_;
  const auto verdict = engine_->verdict_at();
  const Duration watch = watch_for(engine_->shortest_interval());
  const Instant rise = verdict ? std::min(until, *verdict - watch) : until;
  const Instant from = monotonic_now();
  if (rise > from) timer_ = rise;
  if (listen(what.get(), rise - from)) return;
  Instant at = monotonic_now();
  note_lateness(at);
  for (; at < until && !listen(all_.get(), Duration()); at = monotonic_now()) continue;
}

// Called with the first reading of the clock after a wait, which is read for other reasons anyway.
// A packet that wakes a thread whose time had already come hides nothing by that.
void Reactor::note_lateness(Instant at) {
  if (timer_ && at >= *timer_) timer_lateness_.add(at - *timer_);
  timer_.reset();
}

// True: something has come, or a stop of the process (SIGSTOP, a debugger, a freezer) has cut the
// wait short: a round finds out.
bool Reactor::listen(int epoll, Duration at_most) {
  const int64_t left = std::max(at_most, Duration()).in_ns();
  const timespec timeout{left / 1'000'000'000, left % 1'000'000'000};
  std::array<epoll_event, kTags> ready;
  const int count =
      epoll_pwait2(epoll, ready.data(), static_cast<int>(ready.size()), &timeout, nullptr);
  for (int i = 0; i < count; i++) take_ready(ready[static_cast<size_t>(i)]);
  return count != 0;
}

void Reactor::take_ready(const epoll_event& event) {
  const uint32_t tag = event.data.u32;
  if (tag == kDoorbellTag) doorbell_rang_ = true;
  if (tag == kNoticesTag) notices_wait_ = true;
  if (tag >= kDoorbellTag) return;
  const auto& socket = lans_[tag % kMaxLans].socket;
  if (!socket) return;
  if ((event.events & EPOLLERR) != 0) socket->clear_error();
  if (tag >= kBellTag) socket->silence_bell();
}

void Reactor::round() {
  mailbox_.rounds.fetch_add(1, std::memory_order_relaxed);
  tick();
  note_lateness(now_);
  packets_ = 0;
  heard_all_ = drain_lans();
  pace_.note(now_, packets_, Pace::quantum(engine_->shortest_interval()));
  expire();
  take_commands();
  if (notices_wait_) read_notices();
  if (resync_.busy(now_)) advance_resync();
  advance_snapshot();
  flush_wake();
}

// True: every LAN's socket was found empty. They take turns, so that a flood on one keeps none of
// the others unread.
bool Reactor::drain_lans() {
  const Instant until = now_ + drain_at_most(engine_->shortest_interval());
  uint32_t full = (1U << lans_.size()) - 1;
  while (full != 0 && now_ <= until) {
    for (size_t i = 0; i < lans_.size(); i++) {
      if ((full & 1U << i) != 0 && drain_some(i)) full &= ~(1U << i);
    }
    if (full != 0) tick();
  }
  return full == 0;
}

// Reads some packets of one LAN; true: there are no more.
bool Reactor::drain_some(size_t lan) {
  LanSocket* socket = lans_[lan].socket.get();
  if (socket == nullptr) return true;
  for (int i = 0; i < kPacketsPerReading; i++) {
    PacketIn packet;
    if (!socket->receive(reading_, &packet)) return true;
    packet.lan = LanIndex{static_cast<uint8_t>(lan)};
    packets_++;
    engine_->expect(packet.lan, socket->glance(kSoon), socket->glance(kLater));
    if (const uint32_t drops = socket->take_drops()) {
      engine_->on_receive_drops(now_, packet.lan, drops, effects_);
      carry_out();
    }
    engine_->on_packet(now_, packet, effects_);
    carry_out();
  }
  return false;
}

void Reactor::expire() {
  tick();
  if (now_ < engine_->poll_at()) return;
  // More comes than we can read. Heartbeats must go out all the same, but nobody is judged by what
  // still lies unread: for the engine it is as if the kernel had dropped it.
  if (!heard_all_) {
    for (size_t lan = 0; lan < lans_.size(); lan++) {
      engine_->on_receive_drops(now_, LanIndex{static_cast<uint8_t>(lan)}, 0, effects_);
      carry_out();
    }
  }
  engine_->on_deadline(now_, effects_);
  carry_out();
}

void Reactor::take_commands() {
  if (!doorbell_rang_) return;
  eventfd_t rings = 0;
  (void)eventfd_read(mailbox_.doorbell.get(), &rings);
  doorbell_rang_ = false;
  Command command;
  for (int i = 0; mailbox_.commands.pop(&command); i++) {
    tick();
    engine_->on_command(now_, command, effects_);
    carry_out();
    if (i + 1 < kCommandsPerRound) continue;
    mailbox_.ring();  // the rest in the next round
    break;
  }
  using State = Mailbox::SnapshotState;
  if (!snapshot_.active() &&
      mailbox_.snapshot_state.load(std::memory_order_acquire) == State::kWanted) {
    snapshot_.begin(mailbox_.snapshot.get());
  }
}

void Reactor::advance_snapshot() {
  if (!snapshot_.active() || !snapshot_.advance(now_, *engine_)) return;
  mailbox_.snapshot->transport = lans_.counters();
  mailbox_.snapshot->histograms = {timer_lateness_, writer_.round_trips()};
  mailbox_.snapshot->last_refusal = writer_.last_refusal();
  Event answer;
  answer.kind = EventKind::kAnswer;
  answer.at = now_;
  answer.id = mailbox_.snapshot_id;
  mailbox_.snapshot_state.store(Mailbox::SnapshotState::kReady, std::memory_order_release);
  push_event(answer);
}

// Once a round, after the work: waking Node takes a lock and a system call, which no failover shall
// wait for.
void Reactor::flush_wake() {
  if (!wake_wanted_) return;
  wake_wanted_ = false;
  if (!mailbox_.wake_pending.exchange(true, std::memory_order_acq_rel)) wake_(context_);
}

}  // namespace faild
