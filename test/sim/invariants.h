// What must hold after every step of every engine, whatever happens to the cluster. The random
// simulation hangs this on Cluster::after_step and looks at `broken` when it is done.
//
//  1. A chosen LAN - the row's alternate, and the way that the kernel gives the packets - is never
//  one that the host
//     judges down while another LAN to that peer is up and has been heard lately (only such a one
//     may be chosen). Allowed are: steps after which decisions are still to be made (poll_at() has
//     come) or the kernel's answers are under way; a host that is stopping; an entry that others
//     have removed twice at once, which is left alone for a while (kRepairPause); and a path that
//     is being heard again (good > 0), for as long as its patience: revalidation and half as much
//     again, and a detection time.
//     A path that has not been heard since its whole LAN was judged dead (a suspect) counts as no
//     better than one that is down.
//  2. Nobody asks the kernel for what it has, or to remove what it has not.
//  3. No two places of one table have the same metric.
//  4. Replaying the same plan, and after a change of the kernel its dump, gives no route operation:
//     nothing was forgotten, nothing is undone.
//
// That everybody finds back within a bound, that nobody is judged down when at most f-1 packets in
// a row were lost, and that the same seed gives the same trace, is said in random_test.cc.
#pragma once

#include <map>
#include <string>
#include <tuple>

#include "cluster.h"

namespace faild::sim {

class Invariants {
 public:
  explicit Invariants(Cluster& cluster) : cluster_(cluster) {
    cluster_.after_step = [this](size_t host) { look(host); };
  }
  ~Invariants() { cluster_.after_step = nullptr; }
  Invariants(const Invariants&) = delete;
  Invariants& operator=(const Invariants&) = delete;

  std::string broken;  // the first breach, in words
  uint64_t looks = 0, replays = 0;

  // Nothing waits to be decided at this host, and the kernel owes it nothing.
  [[nodiscard]] bool quiet(size_t host) const;

 private:
  using Place = std::tuple<size_t, size_t, size_t>;  // host, peer's number, LAN
  void look(size_t host);
  void forget(size_t host);  // since when its paths have been bad
  void look_at_peer(size_t host, size_t peer);
  // True when the kernel has changed since the last look.
  bool look_at_kernel(size_t host);
  void replay(size_t host, bool dump);
  [[nodiscard]] bool suspect(const Engine& engine, const PathRow& row) const;
  void breach(size_t host, const std::string& what);
  [[nodiscard]] Duration patience(size_t host, const PathRow& row) const;

  Cluster& cluster_;
  std::map<Place, Instant> bad_since_;
  std::vector<uint64_t> changes_seen_, stalls_seen_;
  bool replaying_ = false;
};

}  // namespace faild::sim
