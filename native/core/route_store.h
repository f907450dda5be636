// The ledger of routes and rules: for each place in the kernel what we want there, what is there,
// and the least operations that make the two agree.
//
// The planner says want() and want_none(); emit() hands out operations; the kernel's answers come
// back through on_result(); dumps correct what we believe. Wanting the same again costs nothing and
// gives no operation.
//
// Order matters: traffic must find its new way before the old one goes, and a standby table may be
// refilled only after its rule has gone. So operations leave in phases, and a later phase waits
// until the earlier ones are empty:
//   kMove    additions that move traffic away from a dead LAN
//   kReturn  rules that go, so that a LAN's traffic returns
//   kTidy    everything that carries no traffic: standby entries, exceptions that are no longer
//   needed
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/memory.h"
#include "base/routes.h"
#include "core/effects.h"

namespace faild {

enum class RoutePhase : uint8_t { kMove = 0, kReturn = 1, kTidy = 2 };
inline constexpr size_t kRoutePhases = 3;

// What became of an operation.
struct RouteOutcome {
  RouteKey key;
  bool removed = false;   // the entry is gone; otherwise it is in force
  int error = 0;          // errno of a refusal
  bool repeated = false;  // the place was refused before, and nothing has succeeded there since
  uint32_t tag = 0;       // as given to want(): the path slot or kNoTag
  bool announce = false;  // the planner asked to be told
};
inline constexpr uint32_t kNoTag = UINT32_MAX;
// An entry that others remove twice within this time is put back only so long afterwards
// (on_removed).
inline constexpr Duration kRepairPause = Duration::ms(100);
// Metrics start here: a route that somebody adds by hand to our table (metric 0) would still win
// and be seen.
inline constexpr uint32_t kFirstMetric = 1000;

class RouteStore {
 public:
  // `seed` is nobody else's knowledge: hosts choose their addresses themselves.
  explicit RouteStore(size_t capacity, Memory* memory = general_heap(), uint64_t seed = 1);

  // A place shall hold this. `priority` is used when the place is new (a route without one gets a
  // unique metric). `announce`: report the operation that brings it about. Returns whether an
  // operation is needed.
  bool want(const RouteKey& key, const RouteTarget& target, RoutePhase phase, uint32_t tag,
            bool announce, uint32_t priority);
  bool want_none(const RouteKey& key, RoutePhase phase, uint32_t tag, bool announce);

  [[nodiscard]] std::optional<RouteTarget> installed(const RouteKey& key) const;
  [[nodiscard]] bool wanted(const RouteKey& key) const;
  // Whose place it is: the tag of a wanted entry. A place belongs to its first claimant until that
  // one lets it go.
  [[nodiscard]] std::optional<uint32_t> owner(const RouteKey& key) const;

  // Fills `effects` with operations, in phase order, as many as fit.
  void emit(Instant now, Effects& effects);
  // An answer. nullopt: not ours, or the place has been asked for something else meanwhile.
  [[nodiscard]] std::optional<RouteOutcome> on_result(Instant now, const RouteResult& result);
  // Somebody removed it. True when it was wanted and is put back now; one that is removed again
  // and again is put back after a pause, and so is one that would be refused at once (`in_vain`).
  bool on_removed(Instant now, const RouteKey& key, bool in_vain = false);

  // A dump: begin, every entry, end. `adopt` is asked at the end for each entry in the kernel that
  // nobody wants.
  void resync_begin();
  void resync_entry(const KernelEntry& entry);
  // Returns how many wanted entries were found missing or different; they will be put right.
  uint32_t resync_end();

  // Visits every place that is installed but unwanted (orphans of an earlier run).
  template <typename Visit>
  void each_orphan(Visit visit) const {
    for (size_t i = 0; i < used_; i++) {
      const Entry& e = entries_[i];
      if (e.live && e.installed && !e.desired) visit(e.key, *e.installed, e.priority);
    }
  }
  template <typename Visit>
  void each_wanted(Visit visit) const {
    for (size_t i = 0; i < used_; i++) {
      const Entry& e = entries_[i];
      if (e.live && e.desired) visit(e.key, *e.desired);
    }
  }

  // Whatever `matches(key, wanted)` names shall not be in the kernel, whoever asked for it.
  template <typename Matches>
  void remove_where(RoutePhase phase, Matches matches) {
    for (uint32_t i = 0; i < used_; i++) {
      Entry& e = entries_[i];
      if (!e.live || !matches(e.key, e.desired.has_value())) continue;
      e.desired.reset();
      e.tag = kNoTag;
      e.phase = phase;
      e.announce = false;
      if (e.installed) {
        enqueue(i);
      } else if (!e.queued && !e.in_flight) {
        release(i);  // it was refused, and waited for its retry
      }
    }
  }

  // An interface has another index now: nobody's entries, which no planner will decide again,
  // follow.
  void follow_interface(uint32_t from, uint32_t to);

  // Places that were asked for in vain since the last call, because the ledger is full.
  struct NoRoom {
    uint32_t count = 0;
    Prefix last;
  };
  [[nodiscard]] NoRoom take_no_room() { return std::exchange(no_room_, NoRoom()); }

  // Nothing waits, nothing is under way.
  [[nodiscard]] bool settled() const { return queued_ == 0 && outstanding_count_ == 0; }
  // Work is waiting that emit() could hand out at once.
  [[nodiscard]] bool ready() const { return queued_ > 0 && outstanding_count_ < kOutstanding; }
  // When a refused operation wants to be tried again.
  [[nodiscard]] std::optional<Instant> retry_at() const { return retry_at_; }
  void retry(Instant now);

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr size_t kOutstanding = kMaxRouteOpsPerStep * 2;
  struct Entry {
    RouteKey key;
    std::optional<RouteTarget> desired, installed;
    uint32_t priority = 0;
    uint32_t tag = kNoTag;
    std::optional<Instant> repaired_at;
    uint32_t next = kNone;  // in its phase's queue, or in the free list
    bool live = false;      // the place is in use
    bool queued = false, in_flight = false, announce = false, seen = false, failed = false;
    bool refused = false;  // by the last answer
    RoutePhase phase = RoutePhase::kTidy;
  };
  struct Outstanding {
    uint32_t id = 0;
    uint32_t entry = kNone;
    std::optional<RouteTarget> target;  // nullopt: a removal
  };

  [[nodiscard]] uint32_t find(const RouteKey& key) const;
  [[nodiscard]] uint32_t find_or_add(const RouteKey& key, uint32_t priority);
  [[nodiscard]] size_t bucket(const RouteKey& key) const;
  void release(uint32_t entry);
  void unlink_bucket(size_t i);
  void enqueue(uint32_t entry);
  void submit(uint32_t entry, Effects& effects);
  void refused(Instant now, const Outstanding& done);
  [[nodiscard]] static bool agrees(const Entry& e) { return e.desired == e.installed; }

  uint64_t seed_;
  std::pmr::vector<Entry> entries_;
  size_t used_ = 0;
  uint32_t free_ = kNone;
  std::pmr::vector<uint32_t> index_;  // open addressing; entry + 1, 0 is free
  struct Queue {
    uint32_t head = kNone, tail = kNone;
  };
  std::array<Queue, kRoutePhases> queues_;
  size_t queued_ = 0;
  std::array<Outstanding, kOutstanding> outstanding_{};
  size_t outstanding_head_ = 0, outstanding_count_ = 0;
  uint32_t next_id_ = 1;
  uint32_t next_metric_ = kFirstMetric;
  std::optional<Instant> retry_at_;
  NoRoom no_room_;
};

}  // namespace faild
