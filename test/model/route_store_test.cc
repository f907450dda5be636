// Aim: whatever is asked of the ledger of routes, and whatever the kernel answers or others do to
// it, the ledger says and does what its definition (route_store_model.h) says.
#include <doctest/doctest.h>

#include <cerrno>
#include <deque>
#include <memory>
#include <vector>

#include "base/random.h"
#include "model/route_store_model.h"
#include "model/seeds.h"

namespace faild::model {
namespace {

// One random life of a ledger and of the kernel below it.
class Life {
 public:
  explicit Life(uint64_t seed)
      : random_(seed), crowded_(seed % 3 == 0), capacity_(crowded_ ? 6 : 64), store_(capacity_) {}

  // What is wrong; empty: nothing.
  std::string run() {
    if (!crowded_) leave_behind();
    for (int step = 0; step < 300 && fault_.empty(); step++) {
      now_ = now_ + Duration::ms(static_cast<int64_t>(random_.below(60)));
      one_input();
      compare();
    }
    hostile_ = false;
    if (fault_.empty()) settle();
    if (fault_.empty()) expect(kernel_holds_what_is_wanted(), "the kernel is not as wanted");
    if (fault_.empty()) give_everything_back();
    return fault_;
  }

 private:
  void expect(bool condition, const char* otherwise, const Place* place = nullptr) {
    if (condition || !fault_.empty()) return;
    fault_ = otherwise + (place != nullptr ? ": " + text_of(*place) : std::string());
  }
  [[nodiscard]] uint32_t any(uint64_t bound) { return static_cast<uint32_t>(random_.below(bound)); }

  // Routes to eight hosts in two tables, and a rule for each.
  [[nodiscard]] static const std::vector<Place>& all_places() {
    static const std::vector<Place> places = [] {
      std::vector<Place> all;
      for (const uint32_t table : {kExceptionsTable, kFirstStandbyTable}) {
        for (int host = 1; host <= 8; host++) {
          const IpAddress ip = *parse_ip("10.1.0." + std::to_string(host));
          all.emplace_back(RouteKey::Kind::kRoute, table, Prefix::host(ip));
        }
        all.emplace_back(RouteKey::Kind::kRule, table, *parse_prefix("10.1.0.0/16"));
      }
      return all;
    }();
    return places;
  }
  [[nodiscard]] Place any_place() { return all_places()[any(all_places().size())]; }
  [[nodiscard]] static bool is_rule(const Place& place) {
    return std::get<0>(place) == RouteKey::Kind::kRule;
  }
  [[nodiscard]] RouteTarget any_target(const Place& place) {
    RouteTarget target;
    if (!is_rule(place)) target.out_ifindex = 10 + any(3);
    return target;
  }

  // An earlier run of ours: unknown places, metrics of its own.
  void leave_behind() {
    for (uint32_t metric = kFirstMetric + 3; metric < kFirstMetric + 9; metric++) {
      const Place place = any_place();
      if (!is_rule(place)) kernel_.held[place] = {any_target(place), metric};
    }
    dump();
  }

  void one_input() {
    switch (any(crowded_ ? 10 : 13)) {
      case 0:
      case 1:
      case 2: want(); break;
      case 3:
      case 4: want_none(); break;
      case 5:
      case 6: emit(); break;
      case 7:
      case 8: hear(1 + any(4)); break;
      case 9: remove_where(); break;
      case 10: somebody_removes(); break;
      case 11: somebody_replaces(); break;
      default: dump(); break;
    }
    retry();
  }

  [[nodiscard]] RoutePhase any_phase() { return static_cast<RoutePhase>(any(3)); }
  [[nodiscard]] uint32_t any_tag() { return any(3) == 0 ? kNoTag : any(2); }

  void want() {
    const Place place = any_place();
    const LedgerModel::Wanted what{any_target(place), any_tag()};
    const RoutePhase phase = any_phase();
    const bool another = model_.belongs_to_another(place, what.tag);
    const bool full = !model_.used().contains(place) && model_.used().size() >= capacity_;
    const bool perhaps_full =
        !model_.used().contains(place) && model_.perhaps_used().size() >= capacity_;
    const bool needed =
        store_.want(key_of(place), what.target, phase, what.tag, false, is_rule(place) ? 931 : 0);
    const bool taken = store_.owner(key_of(place)) == what.tag;
    expect(!(another && needed), "took away another's place", &place);
    expect(!(full && taken), "took more places than there are");
    expect(another || perhaps_full || taken, "refused", &place);
    if (another || !taken) return;
    model_.want(place, what, phase);
    expect(needed == !model_.agrees(place), "want() misjudges", &place);
  }

  void want_none() {
    const Place place = any_place();
    const uint32_t tag = any_tag();
    const RoutePhase phase = any_phase();
    (void)store_.want_none(key_of(place), phase, tag, false);
    if (!model_.belongs_to_another(place, tag)) model_.want_none(place, phase);
  }

  void remove_where() {
    const uint32_t table = kExceptionsTable + any(2);
    const bool only_orphans = any(2) == 0;
    const auto matches = [&](const RouteKey& key, bool wanted) {
      return only_orphans ? !wanted : key.table == table;
    };
    store_.remove_where(RoutePhase::kTidy, matches);
    for (const Place& place : model_.used()) {
      if (!matches(key_of(place), model_.wanted.contains(place))) continue;
      model_.want_none(place, RoutePhase::kTidy);
    }
  }

  // Operations leave in phases; all that fit, none that is not needed; the kernel obeys or refuses.
  void emit() {
    effects_->clear();
    store_.emit(now_, *effects_);
    RoutePhase latest = RoutePhase::kMove;
    for (const RouteOp& op : effects_->route_ops) {
      const Place place = place_of(op.key);
      expect(model_.fault_of(op) == nullptr, model_.fault_of(op), &place);
      const auto held = kernel_.held.find(place);
      const bool known = held != kernel_.held.end() && model_.told.contains(place);
      expect(!known || held->second.priority == op.priority, "another metric: a second route");
      if (const auto phase = model_.waiting[place]) {
        expect(*phase >= latest, "out of phase", &place);
        latest = std::max(latest, *phase);
      }
      model_.emitted(op);
      const int error = hostile_ && any(4) == 0 ? ENETUNREACH : kernel_.carry_out(op);
      messages_.push_back({op, error});
      expect(kernel_.metrics_are_unique(), "a metric twice");
    }
    for (const auto& [place, phase] : model_.waiting) {
      expect(model_.agrees(place), "not emitted", &place);
    }
    model_.waiting.clear();
  }

  // What the kernel has to say, in the order in which it happened.
  struct Message {
    std::optional<RouteOp> op;  // its answer; none: somebody has removed `place`
    int error = 0;
    Place place{};
  };
  void hear(size_t count) {
    for (; count > 0 && !messages_.empty(); count--) {
      const Message message = messages_.front();
      messages_.pop_front();
      if (message.op) {
        hear_answer(*message.op, message.error);
      } else {
        hear_removed(message.place);
      }
    }
  }
  void hear_answer(const RouteOp& op, int error) {
    const bool set = op.kind == RouteOp::Kind::kSet;
    const bool reached = error == 0 || error == (set ? EEXIST : ESRCH);
    const auto outcome = store_.on_result(now_, {op.id, error});
    model_.answered(place_of(op.key), set ? std::optional(op.target) : std::nullopt, reached);
    expect(outcome.has_value(), "an answer was not recognised");
    if (!outcome) return;
    expect(outcome->key == op.key && outcome->removed == !set, "the outcome is another's");
    expect(outcome->error == (reached ? 0 : error), "the outcome's error is wrong");
  }

  void hear_removed(const Place& place) {
    using Mending = LedgerModel::Mending;
    const Mending expected = model_.removed(now_, place);
    const bool at_once = store_.on_removed(now_, key_of(place));
    if (expected != Mending::kEither) {
      expect(at_once == (expected == Mending::kAtOnce), "on_removed", &place);
    }
    if (expected != Mending::kNotOurs) model_.mended(place, at_once);
  }

  void somebody_removes() {
    const Place place = any_place();
    if (kernel_.held.erase(place) == 1) messages_.push_back({std::nullopt, 0, place});
  }
  void somebody_replaces() {  // seen only by a dump
    const Place place = any_place();
    const auto it = kernel_.held.find(place);
    if (it != kernel_.held.end() && !is_rule(place)) it->second.target = any_target(place);
  }

  void dump() {
    uint32_t least = 0, most = 0;
    for (const auto& [place, want] : model_.wanted) {
      const auto held = kernel_.held.find(place);
      const bool same = held != kernel_.held.end() && held->second.target == want.target;
      if (same || model_.under_way.contains(place)) continue;
      most++;
      if (!model_.waiting.contains(place) && !model_.parked.contains(place)) least++;
    }
    store_.resync_begin();
    for (const auto& [place, it] : kernel_.held) {
      store_.resync_entry({key_of(place), it.target, it.priority});
    }
    const uint32_t repairs = store_.resync_end();
    model_.dumped(kernel_);
    expect(least <= repairs && repairs <= most, "the dump's repairs are miscounted");
  }

  void retry() {
    const bool due = store_.retry_at() && now_ >= *store_.retry_at();
    expect(model_.parked.empty() || store_.retry_at(), "parked for ever");
    store_.retry(now_);
    if (!due) return;
    for (const Place& place : model_.parked) model_.waiting[place] = std::nullopt;
    model_.retried();
  }

  // The store's own account of every place.
  void compare() {
    for (const Place& place : all_places()) compare_place(place);
    size_t orphans = 0;
    store_.each_orphan([&](const RouteKey& key, const RouteTarget& target, uint32_t) {
      orphans++;
      const auto it = model_.told.find(place_of(key));
      expect(it != model_.told.end() && it->second == target, "an orphan that is none");
      expect(!model_.wanted.contains(place_of(key)), "a wanted orphan");
    });
    size_t expected = 0;
    for (const auto& [place, it] : model_.told) expected += model_.wanted.contains(place) ? 0 : 1;
    expect(orphans == expected, "orphans are miscounted");
    size_t wanted = 0;
    store_.each_wanted([&](const RouteKey&, const RouteTarget&) { wanted++; });
    expect(wanted == model_.wanted.size(), "wanted places are miscounted");
    expect(!store_.settled() || model_.under_way.empty(), "settled too early");
  }
  void compare_place(const Place& place) {
    const RouteKey key = key_of(place);
    const auto want = model_.wanted.find(place);
    const auto told = model_.told.find(place);
    const bool wanted = want != model_.wanted.end();
    const bool there = told != model_.told.end();
    const auto owner = store_.owner(key);
    const auto installed = store_.installed(key);
    expect(store_.wanted(key) == wanted, "wanted()", &place);
    expect(owner.has_value() == wanted, "owner()", &place);
    expect(!owner || *owner == want->second.tag, "another owner()", &place);
    expect(installed.has_value() == there, "installed()", &place);
    expect(!installed || *installed == told->second, "another installed()", &place);
  }

  void work_off() {
    for (int round = 0; round < 20 && fault_.empty(); round++) {
      emit();
      hear(messages_.size());
      compare();
      if (const auto at = store_.retry_at()) now_ = std::max(now_, *at);
      retry();
      if (store_.settled() && !store_.retry_at()) return;
    }
    expect(false, "does not settle");
  }
  // All that others did is seen, and what nobody wants is cleared away.
  void settle() {
    hear(messages_.size());
    work_off();
    if (!crowded_) dump();  // a dump would also heal what a crowded ledger must do alone
    work_off();
    store_.remove_where(RoutePhase::kTidy, [](const RouteKey&, bool wanted) { return !wanted; });
    for (const Place& place : model_.used()) {
      if (!model_.wanted.contains(place)) model_.want_none(place, RoutePhase::kTidy);
    }
    work_off();
  }
  [[nodiscard]] bool kernel_holds_what_is_wanted() const {
    if (kernel_.held.size() != model_.wanted.size()) return false;
    for (const auto& [place, want] : model_.wanted) {
      const auto held = kernel_.held.find(place);
      if (held == kernel_.held.end() || held->second.target != want.target) return false;
    }
    return true;
  }

  // Every place comes back: as many new ones fit as there were at first, and not one more.
  void give_everything_back() {
    const auto wanted = model_.wanted;
    for (const auto& [place, want] : wanted) {
      (void)store_.want_none(key_of(place), RoutePhase::kTidy, want.tag, false);
      model_.want_none(place, RoutePhase::kTidy);
    }
    work_off();
    expect(kernel_.held.empty(), "something stays in the kernel");
    for (uint32_t i = 0; i <= capacity_; i++) {
      const IpAddress ip = *parse_ip("10.2.0." + std::to_string(i));
      const RouteKey key{RouteKey::Kind::kRoute, kExceptionsTable, Prefix::host(ip)};
      const bool taken = store_.want(key, RouteTarget{}, RoutePhase::kMove, 1, false, 0);
      expect(taken == (i < capacity_), "a place was lost, or won");
    }
  }

  Random random_;
  bool crowded_;  // a ledger with few places; what others do would fill it, so they do nothing
  size_t capacity_;
  RouteStore store_;
  LedgerModel model_;
  ModelKernel kernel_;
  std::deque<Message> messages_;
  std::unique_ptr<Effects> effects_ = std::make_unique<Effects>();
  Instant now_ = Instant::from_ns(1'000'000'000);
  bool hostile_ = true;  // the kernel refuses some operations
  std::string fault_;
};

TEST_CASE("a ledger does what its definition says, and the kernel ends as it is wanted") {
  each_seed(600, [](uint64_t seed) {
    INFO("replay with FAILD_SEED=", seed);
    CHECK(Life(seed).run() == "");
  });
}

}  // namespace
}  // namespace faild::model
