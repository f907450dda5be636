// What the kernel holds of faild's routes and rules, read in pieces so that a large table never
// keeps the engine's thread from its heartbeats, and handed over whole.
//
// A dump during which we wrote ourselves, or that the kernel calls inconsistent, proves nothing and
// is begun again; when that happens too often, one dump is read in one go, during which nothing of
// ours can intervene. Engine thread only; memory is taken once.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "base/memory.h"
#include "base/time.h"
#include "io/kernel_dump.h"

namespace faild {

class Resync {
 public:
  explicit Resync(Memory* memory) : entries_(memory) {}
  // `room`: as many entries as faild itself may ever have put there.
  [[nodiscard]] std::optional<RuntimeError> open(size_t room);

  void want() { wanted_ = true; }
  // There is work to do now.
  [[nodiscard]] bool busy(Instant now) const { return (wanted_ || running_) && now >= not_before_; }
  // When a dump that failed altogether is tried again.
  [[nodiscard]] Instant not_before() const { return not_before_; }
  [[nodiscard]] bool pending() const { return wanted_ || running_; }

  // Does one piece. True: `entries()` is complete. `writes`: how many operations we have submitted
  // so far.
  [[nodiscard]] bool advance(Instant now, uint64_t writes);
  [[nodiscard]] std::span<const KernelEntry> entries() const { return entries_; }

 private:
  enum class Piece : uint8_t { kMore, kDone, kFailed };
  void begin(uint64_t writes);
  [[nodiscard]] bool request();
  [[nodiscard]] Piece read_piece();
  [[nodiscard]] Piece read_all();
  [[nodiscard]] Piece next_stage(int error);
  void take(const KernelEntry& entry);

  NetlinkSocket socket_;
  std::pmr::vector<KernelEntry> entries_;  // reserved
  bool wanted_ = false, running_ = false, interrupted_ = false;
  size_t stage_ = 0;
  int attempts_ = 0;
  uint64_t writes_ = 0;  // when the dump began
  uint32_t sequence_ = 0;
  Instant not_before_;
  std::array<uint8_t, kDumpBufferBytes> buffer_{};
};

}  // namespace faild
