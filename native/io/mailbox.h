// Everything that the owner's thread and the engine's thread share, and nothing else. Each member
// says who writes it.
//
// The wake-up protocol: the engine's thread pushes, then sets `wake_pending` and calls the owner
// only if it was clear; the owner clears it, then reads. Both are read-modify-write operations on
// one atomic, so whichever comes second sees what the other did before: no event is left in the
// ring without a wake-up, and a burst causes one.
#pragma once

#include <sys/eventfd.h>

#include <atomic>
#include <memory>

#include "core/engine.h"
#include "io/ring.h"
#include "io/runtime.h"
#include "io/unique_fd.h"

namespace faild {

enum class StopWish : uint8_t { kNone, kQuietly, kWithGoodbye };

struct Mailbox {
  // Up. Written by the engine's thread.
  SpscRing<Event, kEventRingSlots> events;
  // What some of them rest on, pushed before them; one that did not fit is missed by its event.
  SpscRing<ProbeDump, kDumpRingSlots> dumps;
  // Probes for who listens, who looks by himself: no wake-up. Losses stand in what follows them.
  SpscRing<TappedProbe, kTapRingSlots> tapped;
  std::atomic<uint64_t> events_lost{0};
  std::atomic<uint64_t> rounds{0};
  std::atomic<bool> wake_pending{false};

  // Down. Written by the owner, who then rings.
  SpscRing<Command, kCommandQueueSlots> commands;
  std::atomic<StopWish> stop{StopWish::kNone};
  UniqueFd doorbell;  // eventfd

  // A snapshot belongs to whom its state says: kWanted to the engine's thread, otherwise to the
  // owner.
  enum class SnapshotState : uint8_t { kFree, kWanted, kReady };
  std::atomic<SnapshotState> snapshot_state{SnapshotState::kFree};
  std::unique_ptr<Snapshot> snapshot;
  uint32_t snapshot_id = 0;

  void ring() const { (void)eventfd_write(doorbell.get(), 1); }
};

}  // namespace faild
