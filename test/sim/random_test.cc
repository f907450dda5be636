// Random faults on random clusters, a seed each. What must hold is in invariants.h; that everybody
// finds back is here. FAILD_SEED=<n> replays one seed alone.
#include <doctest/doctest.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <vector>

#include "chaos.h"
#include "core/path.h"

namespace faild::sim {
namespace {

constexpr uint64_t kSeeds = 200;

struct Seeds {
  uint64_t first = 1, last = kSeeds;
  Seeds() {
    const char* only = std::getenv("FAILD_SEED");
    if (only != nullptr) first = last = std::strtoull(only, nullptr, 10);
  }
};

using Struck = std::array<uint32_t, kFaults>;

// One whole life of a cluster: start, faults, healing. Says what went wrong, and leaves the trace
// and how often each fault struck.
std::string live(uint64_t seed, Duration faults, uint64_t* trace, Struck* struck) {
  Random random(seed);
  Chaos chaos(seed, random_scene(random));
  for (size_t i = 0; i < chaos.cluster.size(); i++) chaos.cluster.start(i);
  chaos.cluster.run(Duration::ms(static_cast<int64_t>(random.below(1500))));
  chaos.rage(faults);
  chaos.heal();
  // Looked at a few times an interval, not at every step: this is not an invariant.
  const Instant begin = chaos.cluster.now();
  while (!chaos.converged() && chaos.cluster.now() - begin < chaos.bound()) {
    chaos.cluster.run(Duration::ms(5));
  }
  *trace = chaos.cluster.trace();
  if (!chaos.invariants.broken.empty()) return chaos.invariants.broken;
  for (size_t i = 0; i < kFaults; i++) (*struck)[i] += chaos.struck[i];
  if (!chaos.converged()) return "not converged";
  return chaos.invariants.replays > 0 ? "" : "nothing was replayed";
}

TEST_CASE("random faults: every choice is sound at every step, and everybody finds back in time") {
  const Seeds seeds;
  Struck struck{};
  for (uint64_t seed = seeds.first; seed <= seeds.last; seed++) {
    uint64_t trace = 0;
    const std::string broken = live(seed, Duration::seconds(6), &trace, &struck);
    INFO("replay with FAILD_SEED=", seed);
    CHECK(broken == "");
  }
  for (size_t i = 0; i < kFaults && seeds.last > seeds.first; i++) {
    INFO("no fault of this kind has struck: ", to_string(static_cast<Fault>(i)));
    CHECK(struck[i] > 0);
  }
}

TEST_CASE("the same seed gives the same trace, and another one does not") {
  const Seeds seeds;
  uint64_t last = 0;
  for (uint64_t seed = seeds.first; seed <= std::min(seeds.last, seeds.first + 4); seed++) {
    uint64_t once = 0, twice = 0;
    Struck struck{};
    (void)live(seed, Duration::seconds(2), &once, &struck);
    (void)live(seed, Duration::seconds(2), &twice, &struck);
    INFO("replay with FAILD_SEED=", seed);
    CHECK(once == twice);
    CHECK(once != last);
    last = once;
  }
}

// Loses at most `fail_after - 1` inquiries in a row between any two hosts, and so never that many
// answers. A pair of requestor and responder loses an inquiry *or* its acknowledgment; what counts
// is unanswered inquiries in a row, so there the acknowledgments get through.
void lose_what_may_be_lost(Cluster& cluster, Random& random) {
  for (size_t a = 0; a < cluster.size(); a++) {
    for (size_t b = 0; b < cluster.size(); b++) {
      const HostOptions& from = cluster.host(a).options;
      const HostOptions& to = cluster.host(b).options;
      for (size_t lan = 0; lan < cluster.lans(); lan++) {
        const uint32_t fail_after =
            std::min(from.timing[lan].fail_after, to.timing[lan].fail_after);
        Link& link = cluster.link(lan, a, b);
        link.delay = Duration::us(static_cast<int64_t>(50 + random.below(3000)));
        link.jitter = Duration::us(40);
        link.duplicate_per_mille = static_cast<uint32_t>(random.below(200));
        if (!from.requestor) continue;
        link.loss_per_mille = static_cast<uint32_t>(random.below(800));
        link.most_in_a_row = fail_after - 1;
      }
    }
  }
}

size_t verdicts_of(const Cluster& cluster) {
  size_t verdicts = 0;
  for (size_t i = 0; i < cluster.size(); i++) {
    verdicts += cluster.count(i, EventKind::kPathDown) + cluster.count(i, EventKind::kLanDown);
  }
  return verdicts;
}

TEST_CASE("no path is down when nothing is cut and at most f-1 packets in a row are lost") {
  const Seeds seeds;
  for (uint64_t seed = seeds.first; seed <= std::min(seeds.last, seeds.first + 59); seed++) {
    Random random(seed);
    const Scene scene = random_scene(random);
    Cluster cluster(seed, scene.lans, scene.hosts);
    const Invariants invariants(cluster);
    lose_what_may_be_lost(cluster, random);
    for (size_t i = 0; i < cluster.size(); i++) cluster.start(i);
    cluster.run(Duration::seconds(6));
    INFO("replay with FAILD_SEED=", seed);
    CHECK(verdicts_of(cluster) == 0);
    CHECK(invariants.broken == "");
  }
}

void each_link(Cluster& cluster, const std::function<void(Link&, size_t)>& visit) {
  size_t i = 0;
  for (size_t lan = 0; lan < cluster.lans(); lan++) {
    for (size_t from = 0; from < cluster.size(); from++) {
      for (size_t to = 0; to < cluster.size(); to++) visit(cluster.link(lan, from, to), i++);
    }
  }
}

std::vector<Link> links_of(Cluster& cluster) {
  std::vector<Link> links;
  each_link(cluster, [&](const Link& link, size_t) { links.push_back(link); });
  return links;
}

// The same while hosts change how often they speak: whoever has not heard of it has missed as many
// packets as are a verdict.
TEST_CASE("no path is down because of a change of its timing, whatever may be lost of it") {
  const Seeds seeds;
  for (uint64_t seed = seeds.first; seed <= std::min(seeds.last, seeds.first + 19); seed++) {
    Random random(seed);
    Scene scene = random_scene(random);
    // What may be lost is what all of them forgive, before and after.
    for (HostOptions& host : scene.hosts) {
      for (Timing& timing : host.timing) timing.fail_after = 3;
    }
    Cluster cluster(seed, scene.lans, scene.hosts);
    const Invariants invariants(cluster);
    lose_what_may_be_lost(cluster, random);
    const std::vector<Link> lossy = links_of(cluster);
    // The handshakes get through, so that every path is up before the first change.
    each_link(cluster, [](Link& link, size_t) { link.loss_per_mille = 0; });
    for (size_t i = 0; i < cluster.size(); i++) cluster.start(i);
    CHECK(cluster.run_until([&] { return cluster.all_up(); }, Duration::seconds(5)));
    each_link(cluster, [&](Link& link, size_t i) { link = lossy[i]; });
    for (int change = 0; change < 12; change++) {
      cluster.run(Duration::ms(static_cast<int64_t>(random.below(1200))));
      Timing timing = random_timing(random);
      timing.interval = Duration::us(1000 << random.below(8));
      timing.fail_after = 3 + static_cast<uint32_t>(random.below(2));
      cluster.retime(random.below(scene.lans), random.below(cluster.size()), timing);
    }
    cluster.run(Duration::seconds(3));
    INFO("replay with FAILD_SEED=", seed);
    CHECK(verdicts_of(cluster) == 0);
    CHECK(invariants.broken == "");
  }
}

}  // namespace
}  // namespace faild::sim
