// The ledger of routes by its definition: what is wanted, what the ledger has been told of the
// kernel, what is under way, and what the kernel really holds. Each is a map or a set; nothing is
// queued, linked, hashed or numbered, and every question is answered by looking.
//
// route_store_test.cc gives the same random inputs to this and to a RouteStore, and compares. The
// planner's test uses the kernel.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>

#include "core/route_store.h"

namespace faild::model {

// A RouteKey that has an order.
using Place = std::tuple<RouteKey::Kind, uint32_t, Prefix>;
[[nodiscard]] Place place_of(const RouteKey& key);
[[nodiscard]] RouteKey key_of(const Place& place);
[[nodiscard]] std::string text_of(const Place& place);
[[nodiscard]] std::string text_of(const RouteTarget& target);

// The routing part of a kernel.
struct ModelKernel {
  struct Held {
    RouteTarget target;
    uint32_t priority = 0;
  };
  std::map<Place, Held> held;

  // Does what a real kernel would do, and returns its errno.
  int carry_out(const RouteOp& op);
  // No two routes of one table have the same metric.
  [[nodiscard]] bool metrics_are_unique() const;
};

class LedgerModel {
 public:
  struct Wanted {
    RouteTarget target;
    uint32_t tag = kNoTag;
  };

  // The inputs of RouteStore, given after the store had them.
  [[nodiscard]] bool belongs_to_another(const Place& place, uint32_t tag) const;
  void want(const Place& place, const Wanted& what, RoutePhase phase);
  void want_none(const Place& place, RoutePhase phase);
  void emitted(const RouteOp& op);
  void answered(const Place& place, const std::optional<RouteTarget>& asked_for, bool reached);
  // Somebody has removed it.
  enum class Mending { kNotOurs, kAtOnce, kAfterPause, kEither };
  [[nodiscard]] Mending removed(Instant now, const Place& place);
  void mended(const Place& place, bool at_once);
  void dumped(const ModelKernel& kernel);
  void retried() { parked.clear(); }

  // What is wanted there is what the ledger believes to be there.
  [[nodiscard]] bool agrees(const Place& place) const;
  // What is wrong with this operation; nullptr: nothing.
  [[nodiscard]] const char* fault_of(const RouteOp& op) const;
  // Places that a store surely uses, and those that it may still use.
  [[nodiscard]] std::set<Place> used() const;
  [[nodiscard]] std::set<Place> perhaps_used() const;

  std::map<Place, Wanted> wanted;
  std::map<Place, RouteTarget> told;
  std::set<Place> under_way;
  // Asked for since the last emission; with its phase, if it was asked for once.
  std::map<Place, std::optional<RoutePhase>> waiting;
  std::set<Place> parked;  // refused, or removed twice: waits for a retry

 private:
  void ask(const Place& place, std::optional<RoutePhase> phase);

  struct Mended {
    Instant at;
    bool wanted_ever_since = true;
  };
  std::map<Place, Mended> mended_;
};

}  // namespace faild::model
