// Random clusters and random faults, all from one seed. Used by the random simulation.
#pragma once

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

 private:
  void one_fault();
  void fault_of_link();
  void fault_of_host(size_t host);
  [[nodiscard]] size_t any_host() { return random_.below(cluster.size()); }
  [[nodiscard]] size_t any_lan() { return random_.below(cluster.lans()); }
  [[nodiscard]] bool settled(size_t host);

  Random random_;
};

}  // namespace faild::sim
