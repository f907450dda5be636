// The ledger of routes: the least operations, in order, whatever the kernel answers and others do.
#include <doctest/doctest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/route_store.h"

namespace faild {
namespace {

constexpr Instant kNow = Instant::from_ns(1'000'000'000);

RouteKey key(int host, uint32_t table = kExceptionsTable) {
  return {RouteKey::Kind::kRoute, table,
          Prefix::host(
              *parse_ip("10.0." + std::to_string(host / 256) + "." + std::to_string(host % 256)))};
}
RouteTarget target(uint32_t ifindex) {
  RouteTarget it;
  it.out_ifindex = ifindex;
  return it;
}

struct Ledger {
  explicit Ledger(size_t capacity = 1000) : store(capacity) {}
  RouteStore store;
  std::unique_ptr<Effects> effects = std::make_unique<Effects>();

  std::vector<RouteOp> emit() {
    effects->clear();
    store.emit(kNow, *effects);
    return {effects->route_ops.begin(), effects->route_ops.end()};
  }
  size_t settle() {
    size_t count = 0;
    for (auto ops = emit(); !ops.empty(); ops = emit()) {
      for (const RouteOp& op : ops) (void)store.on_result(kNow, {op.id, 0});
      count += ops.size();
    }
    return count;
  }
  bool want(int host, uint32_t ifindex, RoutePhase phase = RoutePhase::kMove, uint32_t tag = 1) {
    return store.want(key(host), target(ifindex), phase, tag, false, 0);
  }
};

TEST_CASE("operations leave in the order of their phases") {
  Ledger ledger;
  ledger.want(9, 1);
  ledger.settle();
  ledger.want(1, 1, RoutePhase::kTidy);
  ledger.store.want_none(key(9), RoutePhase::kReturn, 1, false);
  ledger.want(2, 1, RoutePhase::kMove);
  const auto ops = ledger.emit();
  REQUIRE(ops.size() == 3);
  CHECK(ops[0].key == key(2));
  CHECK(ops[1].key == key(9));
  CHECK(ops[1].kind == RouteOp::Kind::kRemove);
  CHECK(ops[2].key == key(1));
}

TEST_CASE("wanting the same again costs nothing, at any moment") {
  Ledger ledger;
  CHECK(ledger.want(1, 1));
  CHECK(ledger.want(1, 1));
  const auto ops = ledger.emit();
  REQUIRE(ops.size() == 1);
  CHECK(ledger.want(1, 1));  // in flight
  CHECK(ledger.emit().empty());
  (void)ledger.store.on_result(kNow, {ops[0].id, 0});
  CHECK_FALSE(ledger.want(1, 1));
  CHECK(ledger.emit().empty());
  CHECK(ledger.store.settled());
}

TEST_CASE("wanting something and nothing before it leaves needs no operation") {
  Ledger ledger;
  ledger.want(1, 1);
  ledger.store.want_none(key(1), RoutePhase::kTidy, 1, false);
  CHECK(ledger.emit().empty());
  CHECK(ledger.store.settled());
}

TEST_CASE("an entry that is replaced in flight is put right after the answer, and reports once") {
  Ledger ledger;
  ledger.store.want(key(1), target(1), RoutePhase::kMove, 5, true, 0);
  const auto first = ledger.emit();
  ledger.store.want(key(1), target(2), RoutePhase::kMove, 5, true, 0);
  CHECK(ledger.emit().empty());  // one at a time
  CHECK_FALSE(ledger.store.on_result(kNow, {first[0].id, 0})->announce);
  const auto second = ledger.emit();
  REQUIRE(second.size() == 1);
  CHECK(second[0].target == target(2));
  CHECK(second[0].priority == first[0].priority);
  const auto outcome = ledger.store.on_result(kNow, {second[0].id, 0});
  CHECK(outcome->announce);
  CHECK(outcome->tag == 5);
}

TEST_CASE("a refused operation is reported and tried again after a second") {
  Ledger ledger;
  ledger.want(1, 1);
  const auto refuse = [&] {
    const auto ops = ledger.emit();
    const auto outcome = ledger.store.on_result(kNow, {ops[0].id, 101});
    CHECK(outcome->error == 101);
    CHECK(ledger.emit().empty());
    REQUIRE(ledger.store.retry_at());
    ledger.store.retry(*ledger.store.retry_at());
    return outcome->repeated;
  };
  CHECK_FALSE(refuse());
  CHECK(refuse());  // told once, however often it is tried
  CHECK(ledger.settle() == 1);
  CHECK(ledger.store.installed(key(1)) == target(1));
}

TEST_CASE(
    "what was refused is not tried again when it is no longer wanted, and its place is free") {
  Ledger ledger(1);
  ledger.want(1, 1);
  auto ops = ledger.emit();
  ledger.store.want_none(key(1), RoutePhase::kTidy, 1, false);  // while it is in flight
  (void)ledger.store.on_result(kNow, {ops[0].id, 101});
  if (ledger.store.retry_at()) ledger.store.retry(*ledger.store.retry_at());
  CHECK(ledger.emit().empty());
  CHECK(ledger.want(2, 1));
}

// Found by the model: such a place was in no queue and so never came back.
TEST_CASE("a refused place that is cleared away is free again") {
  Ledger ledger(1);
  ledger.want(1, 1);
  const auto ops = ledger.emit();
  (void)ledger.store.on_result(kNow, {ops[0].id, 101});
  ledger.store.remove_where(RoutePhase::kTidy, [](const RouteKey&, bool) { return true; });
  CHECK(ledger.settle() == 0);
  CHECK(ledger.want(2, 1));
}

TEST_CASE("another target than the refused one is tried at once") {
  Ledger ledger;
  ledger.want(1, 1);
  const auto ops = ledger.emit();
  ledger.want(1, 2);  // the alternate has changed before the refusal came back
  (void)ledger.store.on_result(kNow, {ops[0].id, 101});
  const auto next = ledger.emit();
  REQUIRE(next.size() == 1);
  CHECK(next[0].target == target(2));
}

TEST_CASE("removing what is gone and adding a rule that is there have reached their aim") {
  Ledger ledger;
  ledger.want(1, 1);
  ledger.settle();
  ledger.store.want_none(key(1), RoutePhase::kTidy, 1, false);
  auto ops = ledger.emit();
  CHECK(ledger.store.on_result(kNow, {ops[0].id, 3})->error == 0);  // ESRCH
  ledger.want(2, 1);
  ops = ledger.emit();
  CHECK(ledger.store.on_result(kNow, {ops[0].id, 17})->error == 0);  // EEXIST
  CHECK(ledger.store.settled());
}

TEST_CASE("a foreign deletion is put right when the entry was wanted") {
  Ledger ledger;
  ledger.want(1, 1);
  ledger.settle();
  CHECK(ledger.store.on_removed(kNow, key(1)));
  CHECK(ledger.settle() == 1);
  CHECK_FALSE(ledger.store.on_removed(kNow, key(2)));
  ledger.store.want_none(key(1), RoutePhase::kTidy, 1, false);
  ledger.settle();
  CHECK_FALSE(ledger.store.on_removed(kNow, key(1)));
}

TEST_CASE(
    "an entry that is removed again and again is put back after a pause: no race with a flush") {
  Ledger ledger;
  ledger.want(1, 1);
  ledger.settle();
  CHECK(ledger.store.on_removed(kNow, key(1)));
  CHECK(ledger.settle() == 1);
  CHECK_FALSE(ledger.store.on_removed(kNow + Duration::ms(1), key(1)));
  CHECK(ledger.settle() == 0);
  REQUIRE(ledger.store.retry_at());
  ledger.store.retry(*ledger.store.retry_at());
  CHECK(ledger.settle() == 1);
}

TEST_CASE("a dump corrects what we believe: missing, different and surplus entries") {
  Ledger ledger;
  for (int host = 1; host <= 3; host++) ledger.want(host, 1);
  ledger.settle();
  ledger.store.resync_begin();
  ledger.store.resync_entry({key(1), target(1), 1000});
  ledger.store.resync_entry({key(2), target(9), 1001});
  ledger.store.resync_entry({key(7), target(1), 0});
  CHECK(ledger.store.resync_end() == 2);
  size_t orphans = 0;
  ledger.store.each_orphan([&](const RouteKey& it, const RouteTarget&, uint32_t) {
    orphans++;
    CHECK(it == key(7));
  });
  CHECK(orphans == 1);
  CHECK(ledger.settle() == 2);
  ledger.store.remove_where(RoutePhase::kTidy,
                            [](const RouteKey&, bool wanted) { return !wanted; });
  CHECK(ledger.settle() == 1);
}

TEST_CASE("metrics are unique, also beside those of an earlier run") {
  Ledger ledger;
  ledger.store.resync_begin();
  for (int host = 0; host < 5; host++) {
    ledger.store.resync_entry(
        {key(host), target(1), kFirstMetric + 5 + static_cast<uint32_t>(host)});
  }
  (void)ledger.store.resync_end();
  for (int host = 5; host < 100; host++) ledger.want(host, 1);
  std::set<uint32_t> metrics;
  for (uint32_t i = 0; i < 5; i++) metrics.insert(kFirstMetric + 5 + i);
  for (const RouteOp& op : ledger.emit()) CHECK(metrics.insert(op.priority).second);
  CHECK(metrics.size() == 100);
}

TEST_CASE("a place belongs to its first claimant until that one lets it go") {
  Ledger ledger;
  ledger.want(1, 1, RoutePhase::kMove, 1);
  ledger.settle();
  CHECK_FALSE(ledger.want(1, 2, RoutePhase::kMove, 2));
  CHECK_FALSE(ledger.store.want_none(key(1), RoutePhase::kTidy, 2, false));
  CHECK(ledger.settle() == 0);
  CHECK(ledger.store.owner(key(1)) == 1);
  ledger.store.want_none(key(1), RoutePhase::kTidy, 1, false);
  ledger.settle();
  CHECK(ledger.want(1, 2, RoutePhase::kMove, 2));
}

TEST_CASE("a full ledger refuses, and places come back") {
  Ledger ledger(3);
  for (int host = 1; host <= 3; host++) CHECK(ledger.want(host, 1));
  ledger.settle();
  CHECK_FALSE(ledger.want(4, 1));
  CHECK_FALSE(ledger.store.wanted(key(4)));
  ledger.store.want_none(key(2), RoutePhase::kTidy, 1, false);
  ledger.settle();
  CHECK(ledger.want(4, 1));
  ledger.settle();
  for (int host : {1, 3, 4}) CHECK(ledger.store.installed(key(host)));
}

TEST_CASE("more operations than one step or the window holds leave piece by piece") {
  Ledger ledger(2000);
  for (int host = 0; host < 1500; host++) ledger.want(host, 1);
  CHECK(ledger.emit().size() == kMaxRouteOpsPerStep);
  CHECK(ledger.emit().size() == kMaxRouteOpsPerStep);
  CHECK(ledger.emit().empty());  // the window is full until the kernel answers
  CHECK_FALSE(ledger.store.ready());
  for (uint32_t id = 1; id <= 2 * kMaxRouteOpsPerStep; id++)
    CHECK(ledger.store.on_result(kNow, {id, 0}));
  CHECK(ledger.settle() == 1500 - 2 * kMaxRouteOpsPerStep);
}

}  // namespace
}  // namespace faild
