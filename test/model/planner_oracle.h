// Where traffic shall go, by definition: from the states of a peer's paths, and from where its
// traffic was a moment ago. And what the kernel holds when all of that has been carried out.
//
// planner_test.cc asks it after every step of an Engine. It reads the engine's rows for the paths'
// states, which are the detector's matter, and never for where traffic goes.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "core/engine.h"
#include "core/path.h"
#include "model/route_store_model.h"

namespace faild::model {

// One peer as the detector sees it at this moment, by LAN.
struct PeerView {
  struct PathView {
    PathState state = PathState::kUnknown;
    Instant since;
    bool fresh = false;    // up, and heard lately enough to be chosen
    bool suspect = false;  // not heard since its whole LAN was judged dead
    bool heard_again = false;
    Duration interval;
    IpAddress address;
  };
  std::vector<PathView> paths;
};

// How a LAN's standby table stands to its rule.
enum class LanMode : uint8_t {
  kReady,    // no rule: the table is full, and single peers are exceptions
  kMoved,    // its rule is in force: the table holds what is away
  kLeaving,  // its rule is about to go: what is away is an exception
};

// Where the traffic for one address of a peer goes.
struct Way {
  std::optional<size_t> via;         // none: its own LAN
  std::optional<Instant> returns;    // since then both LANs serve
  std::optional<Instant> hesitates;  // since then it could move away, but is being heard again
  bool permitted = false;            // its LAN was drained: it may come home whatever the policy
};

class PlannerOracle {
 public:
  explicit PlannerOracle(const EngineConfig& config) : config_(config), plan_(config.plan) {}

  void plan(const Plan& plan);
  // Where an earlier run has left the traffic.
  void found(size_t peer, size_t lan, size_t via) { ways_[{peer, lan}].via = via; }
  // Time has come to `now`; the states are these.
  void see(Instant now, size_t peer, const PeerView& view);
  // The engine has this traffic go there: is that right? Where more than one answer is, the
  // engine's is taken over.
  [[nodiscard]] bool accept(Instant now, size_t peer, size_t lan, std::optional<size_t> via);

  [[nodiscard]] std::optional<size_t> via(size_t peer, size_t lan) const;
  [[nodiscard]] std::optional<size_t> standby(size_t peer, size_t lan) const;
  // The routes that a LAN's peers surely have in the kernel.
  [[nodiscard]] std::map<Place, RouteTarget> routes(size_t lan, LanMode mode) const;
  // With a timer of its own for TCP: the routes of those that have been up there since.
  [[nodiscard]] bool has_direct_routes() const { return plan_.rto_min.has_value(); }
  [[nodiscard]] std::map<Place, RouteTarget> direct_routes(size_t lan) const;

 private:
  using Key = std::pair<size_t, size_t>;  // peer, LAN
  [[nodiscard]] bool drained(size_t lan) const;
  [[nodiscard]] std::optional<size_t> first(size_t lan, const PeerView& view, bool fresh,
                                            bool drained_ones) const;
  [[nodiscard]] Way leave(const Way& was, size_t lan, const PeerView& view) const;
  [[nodiscard]] Duration both_serve(const PeerView& view, size_t lan) const;
  [[nodiscard]] static bool came_home_too_late(Instant now, const Way& was,
                                               const PeerView::PathView& path,
                                               const PeerView& view);
  [[nodiscard]] Way come_back(Instant now, const Way& was, size_t lan, const PeerView& view) const;
  [[nodiscard]] RouteTarget target(const PeerView& view, size_t lan, size_t via,
                                   bool returning) const;

  EngineConfig config_;
  Plan plan_;
  [[nodiscard]] uint32_t rto_min_ms() const;

  std::map<Key, Way> ways_, before_;
  std::set<Key> direct_;  // up since there is a timer
  std::map<size_t, PeerView> views_;
};

}  // namespace faild::model
