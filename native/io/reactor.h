// The engine's thread at work: sockets -> Engine -> kernel and wire, round after round.
//
// One round: read the clock; drain every LAN's socket into the engine; call on_deadline if its time
// has come (a verdict must not overlook what has already arrived: when the sockets could not be
// emptied, the engine is told to judge nobody); then whatever may wait: commands, the kernel's
// news, a piece of a resync or snapshot. After each single call of the engine its effects are
// carried out: route operations first, then packets, then events.
//
// Because packets carry the kernel's arrival time, reading them late does no harm. So while many
// arrive, the loop does not wake for each but sleeps for a small fraction of the shortest interval
// and then reads what has come. When few arrive it wakes for each at once, or, at a short interval,
// only for those that are news (LanSocket::bell_fd): a healthy pair then costs one wake-up an
// interval. Three epoll sets make that a matter of choosing which to wait on.
//
// A timer wakes an idle core some 50 to 120 us late. So the last moment before a verdict is not
// slept through but watched (watch_for): the verdict comes when it is due. It costs nothing while
// all is well, because then every path is heard long before.
//
// Owned and used by the engine's thread alone; the owner is met in the Mailbox. Nothing here
// allocates after open().
#pragma once

#include <sys/epoll.h>

#include <array>
#include <optional>

#include "base/histogram.h"
#include "core/engine.h"
#include "io/lan_set.h"
#include "io/mailbox.h"
#include "io/pace.h"
#include "io/resync.h"
#include "io/route_writer.h"
#include "io/snapshot_filler.h"

namespace faild {

class Reactor {
 public:
  Reactor(Mailbox& mailbox, Runtime::Wake wake, void* context, Memory* memory)
      : mailbox_(mailbox),
        wake_(wake),
        context_(context),
        memory_(memory),
        lans_(memory),
        resync_(memory) {}

  [[nodiscard]] std::optional<RuntimeError> open(RuntimeConfig config);
  [[nodiscard]] Transport transport() const { return lans_.transport(); }
  // Until the owner asks to stop; takes leave as asked.
  void run();

 private:
  // A round: reactor.cc.
  void round();
  void wait(Instant until);
  void note_lateness(Instant at);
  [[nodiscard]] bool listen(int epoll, Duration at_most);
  void take_ready(const epoll_event& event);
  void tick();
  [[nodiscard]] bool drain_lans();
  [[nodiscard]] bool drain_some(size_t lan);
  void expire();
  void take_commands();
  void advance_snapshot();
  void run_until(Instant end, const bool& done);
  void take_leave(bool goodbye);
  void flush_wake();

  // The kernel's side: reactor_kernel.cc.
  void carry_out();
  void perform_effects();
  void submit_routes();
  void push_events();
  void push_event(const Event& event);
  void push_tapped();
  void read_notices();
  void take_link(const LinkNotice& link, bool* refresh);
  void refresh_lans();
  void advance_resync();
  void watch(size_t lan);

  static constexpr uint32_t kCleanupId = UINT32_MAX;  // the owner counts its own from below

  Mailbox& mailbox_;
  Runtime::Wake wake_;
  void* context_;
  Memory* memory_;
  UniqueFd all_, news_, quiet_;  // epoll: every packet; those that are news; no packet
  LanSet lans_;
  RouteWriter writer_;
  NetlinkSocket notices_;
  Resync resync_;
  SnapshotFiller snapshot_;
  Owned<Engine> engine_;
  Effects effects_;

  Instant now_;           // never decreases; what the engine was told last
  ClockReading reading_;  // the same moment on both clocks
  Pace pace_;
  std::optional<Instant> timer_;  // that of the last wait, until it is known whether it was reached
  Histogram timer_lateness_;
  uint64_t packets_ = 0;   // of this round
  bool heard_all_ = true;  // this round found every LAN's socket empty
  bool doorbell_rang_ = true, notices_wait_ = true, wake_wanted_ = false;
  bool cleaned_ = false;
  bool news_lost_ = false;    // the kernel's, and the socket has not been found empty since
  uint64_t writes_ = 0;       // route operations so far
  uint32_t tapped_lost_ = 0;  // since the last probe that found room
  // The kernel's answers to the last batch, of which the engine has not yet been told.
  std::array<RouteResult, kMaxRouteOpsPerStep> results_{};
  size_t results_count_ = 0;
  std::array<uint8_t, kDumpBufferBytes> buffer_{};
};

}  // namespace faild
