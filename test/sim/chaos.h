// Random clusters and random faults, all from one seed. Used by the random simulation.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "cluster.h"
#include "invariants.h"

namespace faild::sim {

// 2-6 hosts on 2-3 LANs with mixed roles and settings; at least one of them is a requestor.
struct Scene {
  size_t lans = 2;
  std::vector<HostOptions> hosts;
};
[[nodiscard]] Scene random_scene(Random& random);
[[nodiscard]] Timing random_timing(Random& random);

// Everything that can go wrong, by name.
enum class Fault : uint8_t {
  // the wires
  kLanDies,
  kLanHeals,
  kHostCut,
  kHostDeafOrMute,
  kHostHeals,
  kIsolated,  // one host, on every LAN
  kOneWay,
  kLossy,
  kDelaying,
  kDuplicating,
  kReordering,
  kMended,
  kFlapping,
  // daemons and the machines that they run on
  kStarts,
  kCrashes,
  kStops,
  kRestarts,
  kStalls,
  kReceiveDrops,
  kCarrierLost,
  kCarrierBack,
  kEntryDeleted,
  kRetimed,   // another interval, fail-after and restore-after on one LAN
  kNewsLost,  // an entry is deleted, and nobody hears of it until the next dump
  kDrained,   // the operator drains the host, or has done with it
};
inline constexpr size_t kFaults = 25;
[[nodiscard]] const char* to_string(Fault fault);

class Chaos {
 public:
  Chaos(uint64_t seed, const Scene& scene);

  // Faults at random moments for so long.
  void rage(Duration time);
  // Everything is repaired and everybody runs.
  void heal();
  // Every host has all its peers on all LANs, its kernel ways lead over the own LANs, no exception
  // stands, every standby table is complete and no rule of a LAN is in force.
  [[nodiscard]] bool converged();
  // How long that may take after heal(); see the definition for its derivation.
  [[nodiscard]] Duration bound() const;

  Cluster cluster;
  Invariants invariants;
  std::array<uint32_t, kFaults> struck{};  // how often each kind did

 private:
  void strike(Fault fault);
  void strike_wires(Fault fault);
  void strike_link(Fault fault);
  void strike_host(Fault fault, size_t host);
  void flap(size_t lan);
  void delete_entry(size_t host, bool told);
  [[nodiscard]] size_t any_host() { return random_.below(cluster.size()); }
  [[nodiscard]] size_t any_lan() { return random_.below(cluster.lans()); }
  [[nodiscard]] bool settled(size_t host);

  Random random_;
};

}  // namespace faild::sim
