// The stories that faild exists for, told under virtual time: a LAN dies, a link dies, a direction
// dies; and heals.
#include <doctest/doctest.h>

#include "cluster.h"
#include "core/route_store.h"
#include "invariants.h"

namespace faild::sim {
namespace {

constexpr Duration kInterval = Duration::ms(10);

std::vector<HostOptions> requestors(size_t count) {
  return std::vector<HostOptions>(count, HostOptions{});
}

Cluster started(uint64_t seed, size_t lans, const std::vector<HostOptions>& hosts) {
  Cluster cluster(seed, lans, hosts);
  for (size_t i = 0; i < cluster.size(); i++) cluster.start(i);
  const auto met = cluster.run_until([&] { return cluster.all_up(); }, Duration::seconds(2));
  REQUIRE(met);
  cluster.run(Duration::ms(100));
  return cluster;
}

bool all_on(Cluster& cluster, size_t lan, size_t way) {
  for (size_t a = 0; a < cluster.size(); a++) {
    for (size_t b = 0; b < cluster.size(); b++) {
      if (a != b && cluster.way(a, b, lan) != way) return false;
    }
  }
  return true;
}

TEST_CASE("a pair meets, and LAN A's death moves the traffic to B within the detection time") {
  Cluster cluster = started(1, 2, requestors(2));
  CHECK(all_on(cluster, 0, 0));
  cluster.cut_lan(0, true);
  const auto moved = cluster.run_until([&] { return all_on(cluster, 0, 1); }, Duration::ms(100));
  REQUIRE(moved);
  CHECK(*moved <= kInterval * 3 + Duration::us(800));
  CHECK(*moved >= kInterval * 2);
  cluster.cut_lan(0, false);
  const auto healed =
      cluster.run_until([&] { return all_on(cluster, 0, 0); }, Duration::seconds(1));
  REQUIRE(healed);
  CHECK(*healed <= kInterval * 10 + kInterval * 6);
}

TEST_CASE("LAN A dies under five hosts: one rule a host, no exceptions") {
  Cluster cluster = started(2, 2, requestors(5));
  cluster.cut_lan(0, true);
  REQUIRE(cluster.run_until([&] { return all_on(cluster, 0, 1); }, Duration::ms(100)));
  cluster.run(Duration::ms(100));
  for (size_t i = 0; i < cluster.size(); i++) {
    CHECK(cluster.count(i, EventKind::kLanDown) == 1);
    CHECK(cluster.count(i, EventKind::kLanFailover) == 1);
    CHECK(cluster.count(i, EventKind::kPathDown) == 0);
  }
  cluster.cut_lan(0, false);
  REQUIRE(cluster.run_until([&] { return cluster.all_up(); }, Duration::seconds(2)));
  cluster.run(Duration::ms(200));
  for (size_t i = 0; i < cluster.size(); i++)
    CHECK(cluster.count(i, EventKind::kLanSwitchback) == 1);
  CHECK(all_on(cluster, 0, 0));
}

TEST_CASE("a single host's link dies: the others move only that host, it moves everybody") {
  Cluster cluster = started(3, 2, requestors(4));
  cluster.cut_host(0, 3, true);
  cluster.run(Duration::ms(60));
  for (size_t i = 0; i < 3; i++) {
    CHECK(cluster.way(i, 3, 0) == 1);
    CHECK(cluster.way(3, i, 0) == 1);
    CHECK(cluster.way(i, (i + 1) % 3, 0) == 0);
    CHECK(cluster.count(i, EventKind::kLanDown) == 0);
  }
  CHECK(cluster.count(3, EventKind::kLanDown) == 1);
  cluster.cut_host(0, 3, false);
  REQUIRE(cluster.run_until([&] { return cluster.all_up(); }, Duration::seconds(2)));
  cluster.run(Duration::ms(200));
  CHECK(all_on(cluster, 0, 0));
}

TEST_CASE("two of four hosts lose LAN A: most are gone, but the two that are left stay there") {
  Cluster cluster = started(15, 2, requestors(4));
  cluster.cut_host(0, 1, true);
  cluster.run(Duration::ms(200));
  cluster.cut_host(0, 2, true);
  cluster.run(Duration::ms(500));
  CHECK(cluster.way(0, 3, 0) == 0);
  CHECK(cluster.way(3, 0, 0) == 0);
  CHECK(cluster.way(0, 1, 0) == 1);
  CHECK(cluster.way(0, 2, 0) == 1);
}

TEST_CASE("a pair that is killed while failed over starts again without touching a route") {
  Cluster cluster = started(16, 2, requestors(2));
  cluster.cut_lan(0, true);
  cluster.run(Duration::ms(300));
  cluster.kill(0);
  cluster.run(Duration::ms(100));
  cluster.start(0);
  cluster.after_step = [&](size_t) { REQUIRE(cluster.way(0, 1, 0) == 1); };
  cluster.run(Duration::seconds(2));
}

TEST_CASE("a cut in one direction is noticed by both ends") {
  Cluster cluster = started(4, 2, requestors(3));
  cluster.link(0, 0, 1).cut = true;
  const auto both = cluster.run_until(
      [&] { return cluster.way(0, 1, 0) == 1 && cluster.way(1, 0, 0) == 1; }, Duration::ms(100));
  REQUIRE(both);
  CHECK(*both <= kInterval * 3 + Duration::ms(1));
  CHECK(cluster.path(0, 1, 0)->reason == Reason::kNotHeard);
  CHECK(cluster.path(1, 0, 0)->reason == Reason::kSilent);
  cluster.link(0, 0, 1).cut = false;
  REQUIRE(cluster.run_until([&] { return cluster.all_up(); }, Duration::seconds(2)));
}

TEST_CASE("a responder-only host and a requestor judge each other") {
  HostOptions responder;
  responder.requestor = false;
  Cluster cluster = started(5, 2, {HostOptions{}, responder});
  cluster.cut_lan(0, true);
  REQUIRE(cluster.run_until([&] { return all_on(cluster, 0, 1); }, Duration::ms(100)));
  cluster.cut_lan(0, false);
  REQUIRE(cluster.run_until([&] { return cluster.all_up(); }, Duration::seconds(1)));
}

TEST_CASE("every LAN silent at once changes nothing and is said") {
  Cluster cluster = started(6, 2, requestors(3));
  const auto before = cluster.host(0).kernel.changes;
  cluster.cut_host(0, 0, true);
  cluster.cut_host(1, 0, true);
  cluster.run(Duration::ms(200));
  CHECK(cluster.way(0, 1, 0) == 0);
  CHECK(cluster.way(0, 1, 1) == 1);
  CHECK(cluster.count(0, EventKind::kIsolated) == 1);
  CHECK(cluster.count(0, EventKind::kLanFailover) == 0);
  cluster.cut_host(0, 0, false);
  cluster.cut_host(1, 0, false);
  REQUIRE(cluster.run_until([&] { return cluster.all_up(); }, Duration::seconds(2)));
  CHECK(cluster.count(0, EventKind::kRejoined) == 1);
  for (size_t i = 0; i < 3; i++) {
    CHECK(cluster.count(i, EventKind::kFailover) == 0);
    CHECK(cluster.count(i, EventKind::kLanFailover) == 0);
  }
  (void)before;
}

TEST_CASE("a crash and restart is no flap") {
  Cluster cluster = started(7, 2, requestors(3));
  cluster.kill(1);
  cluster.run(Duration::ms(500));
  cluster.start(1);
  REQUIRE(cluster.run_until([&] { return cluster.all_up(); }, Duration::seconds(2)));
  cluster.run(Duration::ms(300));
  for (size_t i = 0; i < 3; i++) CHECK(cluster.count(i, EventKind::kFailover) == 0);
}

TEST_CASE(
    "a crash while failed over: the routes stay, are adopted, and return when the LAN heals") {
  Cluster cluster = started(8, 2, requestors(3));
  cluster.cut_lan(0, true);
  REQUIRE(cluster.run_until([&] { return all_on(cluster, 0, 1); }, Duration::ms(100)));
  cluster.run(Duration::ms(100));
  cluster.kill(0);
  cluster.run(Duration::ms(300));
  cluster.start(0);
  cluster.after_step = [&](size_t) { REQUIRE(cluster.way(0, 1, 0) == 1); };
  cluster.run(Duration::seconds(15));
  CHECK(cluster.count(0, EventKind::kAdopted) == 1);
  cluster.after_step = nullptr;
  cluster.cut_lan(0, false);
  REQUIRE(cluster.run_until([&] { return cluster.all_up(); }, Duration::seconds(2)));
  cluster.run(Duration::ms(300));
  CHECK(all_on(cluster, 0, 0));
}

TEST_CASE("who adopts a failover says whom it does not hear, so that a rebooted peer moves too") {
  Cluster cluster = started(15, 2, requestors(2));
  cluster.link(0, 1, 0).cut = true;  // host 0 is deaf to host 1 on LAN A
  cluster.run(Duration::ms(200));
  REQUIRE(cluster.way(0, 1, 0) == 1);
  cluster.kill(0);
  cluster.kill(1);
  cluster.host(1).kernel = Kernel{};
  cluster.start(0);
  cluster.start(1);
  cluster.run(Duration::seconds(3));
  CHECK(cluster.way(0, 1, 0) == 1);
  CHECK(cluster.way(1, 0, 0) == 1);
}

TEST_CASE("a host that starts while LAN A is dead reaches its peers' A addresses") {
  Cluster cluster(9, 2, requestors(3));
  cluster.cut_lan(0, true);
  cluster.start(0);
  cluster.start(1);
  cluster.run(Duration::seconds(3));
  CHECK(cluster.way(0, 1, 0) == 1);
  CHECK(cluster.way(1, 0, 0) == 1);
  cluster.start(2);
  cluster.run(Duration::seconds(3));
  CHECK(all_on(cluster, 0, 1));
  cluster.cut_lan(0, false);
  REQUIRE(cluster.run_until([&] { return cluster.all_up(); }, Duration::seconds(3)));
}

TEST_CASE("a direction that dies in the middle of the handshake is judged all the same") {
  Cluster cluster(17, 2, requestors(2));
  cluster.start(0);
  cluster.start(1);
  const auto proven = [&] {
    const auto row = cluster.path(0, 1, 1);
    return row && row->state == PathState::kUp;
  };
  REQUIRE(cluster.run_until(proven, Duration::seconds(2)));
  REQUIRE(cluster.path(1, 0, 1)->silence);
  REQUIRE(cluster.path(1, 0, 1)->state == PathState::kUnknown);
  cluster.link(1, 0, 1).cut = true;  // host 1 has heard host 0 on LAN B, and never will again
  cluster.run(Duration::seconds(3));
  CHECK(cluster.way(0, 1, 1) == 0);
  CHECK(cluster.way(1, 0, 1) == 0);
  cluster.link(1, 0, 1).cut = false;
  REQUIRE(cluster.run_until([&] { return cluster.all_up(); }, Duration::seconds(6)));
}

TEST_CASE("a restarted host that was mute for a while is not judged by what was said of it then") {
  HostOptions quick;
  quick.timing = HostOptions::on_all_lans({Duration::ms(10), 3, 3});
  Cluster cluster = started(18, 2, {quick, quick});
  cluster.link(1, 1, 0).cut = true;  // host 1 is mute on LAN B
  cluster.run(Duration::ms(200));
  cluster.kill(1);
  cluster.host(1).kernel = Kernel{};
  cluster.host(1).events.clear();
  cluster.start(1);
  // Host 0 lists it. Its fifth solicit, 300 ms after the start, is lost as well; the sixth is due
  // at 620 ms, after the path's introduction at 500 ms.
  cluster.run(Duration::ms(400));
  REQUIRE(cluster.path(1, 0, 1)->state == PathState::kUnknown);
  cluster.link(1, 1, 0).cut = false;
  cluster.run(Duration::seconds(1));
  CHECK(cluster.count(1, EventKind::kPathDown) == 0);
  CHECK(cluster.all_up());
}

TEST_CASE("a clean stop leaves nothing, and nobody takes an action") {
  Cluster cluster = started(10, 2, requestors(3));
  cluster.stop(1);
  CHECK(cluster.host(1).kernel.size() == 0);
  cluster.run(Duration::ms(500));
  CHECK(cluster.path(0, 1, 0)->state == PathState::kStopped);
  CHECK(cluster.count(0, EventKind::kFailover) == 0);
  cluster.start(1);
  REQUIRE(cluster.run_until([&] { return cluster.all_up(); }, Duration::seconds(2)));
}

TEST_CASE("after failovers of every kind have healed, a clean stop leaves nothing") {
  Cluster cluster = started(14, 2, requestors(3));
  for (int round = 0; round < 3; round++) {
    if (round == 0) cluster.cut_lan(0, true);
    if (round == 1) cluster.cut_host(0, 0, true, true, false);
    if (round == 2) cluster.cut_host(0, 1, true);
    cluster.run(Duration::ms(300));
    cluster.cut_lan(0, false);
    REQUIRE(cluster.run_until([&] { return cluster.all_up(); }, Duration::seconds(2)));
    cluster.run(Duration::ms(500));
    for (size_t i = 0; i < 3; i++) {
      for (const KernelEntry& entry : cluster.host(i).kernel.entries()) {
        CHECK(entry.priority != kFirstStandbyPriority);  // no LAN rule is left in force
        if (entry.key.kind == RouteKey::Kind::kRoute) CHECK(entry.key.table != kExceptionsTable);
      }
    }
  }
  for (size_t i = 0; i < 3; i++) {
    cluster.stop(i);
    CHECK(cluster.host(i).kernel.size() == 0);
  }
}

TEST_CASE("a stall of our own thread blames nobody") {
  Cluster cluster = started(11, 2, requestors(4));
  for (int i = 0; i < 20; i++) {
    cluster.stall(0, Duration::ms(100 + i * 7));
    cluster.run(Duration::ms(500));
  }
  // The others rightly say that they do not hear it; it must not say that of them, and nobody's
  // traffic moves.
  for (const Event& event : cluster.host(0).events) {
    if (event.kind == EventKind::kPathDown) CHECK(event.reason == Reason::kNotHeard);
  }
  CHECK(cluster.count(0, EventKind::kStalled) >= 10);
  for (size_t i = 0; i < 4; i++) {
    CHECK(cluster.count(i, EventKind::kFailover) == 0);
    CHECK(cluster.count(i, EventKind::kLanFailover) == 0);
  }
}

TEST_CASE(
    "three LANs: the next alternate is taken when the first dies too, and the last path is never "
    "withdrawn") {
  Cluster cluster = started(12, 3, requestors(3));
  cluster.cut_lan(0, true);
  REQUIRE(cluster.run_until([&] { return all_on(cluster, 0, 1); }, Duration::ms(100)));
  cluster.run(Duration::ms(100));
  cluster.cut_lan(1, true);
  REQUIRE(cluster.run_until([&] { return all_on(cluster, 0, 2) && all_on(cluster, 1, 2); },
                            Duration::ms(100)));
  cluster.cut_lan(2, true);
  cluster.run(Duration::ms(300));
  CHECK(all_on(cluster, 2, 2));
  cluster.cut_lan(0, false);
  cluster.cut_lan(1, false);
  cluster.cut_lan(2, false);
  REQUIRE(cluster.run_until([&] { return cluster.all_up(); }, Duration::seconds(2)));
  cluster.run(Duration::ms(300));
  for (size_t lan = 0; lan < 3; lan++) CHECK(all_on(cluster, lan, lan));
}

TEST_CASE("somebody deletes our routes and rules: they come back") {
  Cluster cluster = started(13, 2, requestors(3));
  cluster.cut_lan(0, true);
  cluster.run(Duration::ms(200));
  const auto entries = cluster.host(0).kernel.entries();
  REQUIRE(!entries.empty());
  auto effects = std::make_unique<Effects>();
  for (const KernelEntry& entry : entries) {
    cluster.host(0).kernel.remove(entry.key);
    effects->clear();
    cluster.host(0).engine->on_entry_removed(cluster.now(), entry.key, *effects);
    for (const RouteOp& op : effects->route_ops) {
      cluster.host(0).kernel.carry_out(op);
      auto more = std::make_unique<Effects>();
      cluster.host(0).engine->on_route_result(cluster.now(), RouteResult{op.id, 0}, *more);
    }
  }
  CHECK(cluster.host(0).kernel.size() == entries.size());
  CHECK(all_on(cluster, 0, 1));
}

// What the hosts say of one of theirs whose silence was planned: nothing but that it has stopped.
TEST_CASE("a drained host is switched off, without a goodbye: nobody is blamed, nothing moves") {
  for (const bool asks : {true, false}) {
    auto hosts = requestors(4);
    hosts[3].requestor = asks;
    Cluster cluster = started(21, 2, hosts);
    cluster.drain(3, true);
    cluster.run(Duration::ms(50));
    cluster.after_step = [&](size_t) { REQUIRE(all_on(cluster, 0, 0)); };
    for (size_t off = 0; off < 2; off++) {
      cluster.kill(3);
      cluster.run(Duration::seconds(2));
      for (size_t i = 0; i < 3; i++) {
        for (size_t lan = 0; lan < 2; lan++) {
          CHECK(cluster.path(i, 3, lan)->state == PathState::kStopped);
          CHECK(cluster.path(i, 3, lan)->reason == Reason::kDrained);
        }
      }
      cluster.start(3);  // it is drained still
      REQUIRE(cluster.run_until([&] { return cluster.all_up(); }, Duration::seconds(2)));
    }
    for (size_t i = 0; i < 3; i++) {
      CHECK(cluster.count(i, EventKind::kPathDown) == 0);
      CHECK(cluster.count(i, EventKind::kLanDown) == 0);
      CHECK(cluster.count(i, EventKind::kIsolated) == 0);
      CHECK(cluster.count(i, EventKind::kPeerDrained) == 1);
    }
    cluster.drain(3, false);
    cluster.run(Duration::ms(50));
    for (size_t i = 0; i < 3; i++) CHECK(cluster.count(i, EventKind::kPeerUndrained) == 1);
    cluster.after_step = nullptr;
    cluster.kill(3);
    cluster.run(Duration::ms(100));
    for (size_t i = 0; i < 3; i++) CHECK(cluster.path(i, 3, 0)->state == PathState::kDown);
  }
}

TEST_CASE("a drained host that has failed over is switched off: its traffic stays where it is") {
  Cluster cluster = started(22, 2, requestors(3));
  cluster.cut_host(0, 2, true);
  REQUIRE(cluster.run_until([&] { return cluster.way(0, 2, 0) == 1; }, Duration::ms(100)));
  cluster.drain(2, true);
  cluster.run(Duration::ms(100));
  cluster.after_step = [&](size_t) { REQUIRE(cluster.way(0, 2, 0) == 1); };
  cluster.kill(2);
  cluster.run(Duration::seconds(1));
  for (size_t lan = 0; lan < 2; lan++) {
    CHECK(cluster.path(0, 2, lan)->state == PathState::kStopped);
  }
  cluster.start(2);
  cluster.run(Duration::seconds(2));  // its cable is still out
  CHECK(cluster.path(0, 2, 1)->state == PathState::kUp);
  cluster.after_step = nullptr;
  cluster.cut_host(0, 2, false);
  REQUIRE(cluster.run_until([&] { return cluster.all_up(); }, Duration::seconds(2)));
  cluster.run(Duration::ms(200));
  CHECK(all_on(cluster, 0, 0));
}

// The exception by which host 0's traffic for host 1 leaves LAN A.
RouteKey exception_to_1() {
  return {RouteKey::Kind::kRoute, kExceptionsTable, Prefix::host(Cluster::address(0, 1))};
}

TEST_CASE("an entry that others remove before its answer is read is put back once it is read") {
  for (const bool told : {true, false}) {
    for (const Duration stalled : {Duration(), Duration::ms(50)}) {
      Cluster cluster = started(23, 2, requestors(2));
      const Invariants invariants(cluster);
      cluster.cut_lan(0, true);
      REQUIRE(cluster.run_until([&] { return cluster.way(0, 1, 0) == 1; }, Duration::ms(100)));
      REQUIRE_FALSE(cluster.host(0).answers.empty());
      cluster.stall(0, stalled);
      cluster.remove_entry(0, exception_to_1(), told);
      cluster.run(stalled + Duration::ms(1));
      INFO("told ", told, ", stalled for ", stalled.in_us(), " us");
      CHECK(cluster.way(0, 1, 0) == 1);
      CHECK(invariants.broken == "");
    }
  }
}

TEST_CASE("an entry that others remove twice at once returns after a pause; the choice stands") {
  Cluster cluster = started(24, 2, requestors(2));
  const Invariants invariants(cluster);
  cluster.cut_lan(0, true);
  REQUIRE(cluster.run_until([&] { return cluster.way(0, 1, 0) == 1; }, Duration::ms(100)));
  cluster.remove_entry(0, exception_to_1(), true);
  CHECK(cluster.way(0, 1, 0) == 1);
  cluster.run(Duration::ms(20));
  cluster.remove_entry(0, exception_to_1(), true);
  cluster.run(kRepairPause - Duration::ms(1));
  CHECK(cluster.way(0, 1, 0) == 0);
  CHECK(cluster.path(0, 1, 0)->alternate == LanIndex{1});
  cluster.run(Duration::ms(2));
  CHECK(cluster.way(0, 1, 0) == 1);
  CHECK(invariants.broken == "");
}

}  // namespace
}  // namespace faild::sim
