#include "model/route_store_model.h"

#include <cerrno>

namespace faild::model {

Place place_of(const RouteKey& key) { return {key.kind, key.table, key.destination}; }
RouteKey key_of(const Place& place) {
  return {std::get<0>(place), std::get<1>(place), std::get<2>(place)};
}
std::string text_of(const Place& place) {
  const auto& [kind, table, destination] = place;
  return std::string(kind == RouteKey::Kind::kRule ? "rule " : "route ") +
         std::string(to_text(destination).view()) + " table " + std::to_string(table);
}

std::string text_of(const RouteTarget& target) {
  return "via " + std::string(to_text(target.gateway).view()) + " interface " +
         std::to_string(target.out_ifindex) + " and " + std::to_string(target.also_direct_ifindex) +
         " from " + std::string(to_text(target.source).view()) + " rto_min " +
         std::to_string(target.rto_min_ms);
}

int ModelKernel::carry_out(const RouteOp& op) {
  const Place place = place_of(op.key);
  if (op.kind == RouteOp::Kind::kRemove) return held.erase(place) == 1 ? 0 : ESRCH;
  if (op.key.kind == RouteKey::Kind::kRule && held.contains(place)) return EEXIST;
  held[place] = {op.target, op.priority};
  return 0;
}

bool ModelKernel::metrics_are_unique() const {
  std::set<std::pair<uint32_t, uint32_t>> metrics;
  for (const auto& [place, it] : held) {
    const auto& [kind, table, destination] = place;
    if (kind == RouteKey::Kind::kRoute && !metrics.insert({table, it.priority}).second) {
      return false;
    }
  }
  return true;
}

bool LedgerModel::agrees(const Place& place) const {
  const auto want = wanted.find(place);
  const auto is = told.find(place);
  if (want == wanted.end() || is == told.end()) return want == wanted.end() && is == told.end();
  return want->second.target == is->second;
}

// A place that is already under way is looked at again when its answer comes.
void LedgerModel::ask(const Place& place, std::optional<RoutePhase> phase) {
  parked.erase(place);
  if (under_way.contains(place)) return;
  if (waiting.contains(place)) {
    waiting[place] = std::nullopt;
  } else if (!agrees(place)) {
    waiting[place] = phase;
  }
}

bool LedgerModel::belongs_to_another(const Place& place, uint32_t tag) const {
  const auto it = wanted.find(place);
  return it != wanted.end() && it->second.tag != kNoTag && it->second.tag != tag;
}

void LedgerModel::want(const Place& place, const Wanted& what, RoutePhase phase) {
  const auto it = wanted.find(place);
  const bool same = it != wanted.end() && it->second.target == what.target;
  wanted[place] = what;
  if (!same) ask(place, phase);
}

void LedgerModel::want_none(const Place& place, RoutePhase phase) {
  wanted.erase(place);
  if (mended_.contains(place)) mended_[place].wanted_ever_since = false;
  ask(place, phase);
}

const char* LedgerModel::fault_of(const RouteOp& op) const {
  const Place place = place_of(op.key);
  const auto want = wanted.find(place);
  if (agrees(place)) return "it agrees already";
  if (under_way.contains(place)) return "it is under way";
  if ((op.kind == RouteOp::Kind::kSet) != (want != wanted.end())) return "it is not asked for";
  if (want != wanted.end() && op.target != want->second.target) return "it is another target";
  return nullptr;
}

void LedgerModel::emitted(const RouteOp& op) {
  waiting.erase(place_of(op.key));
  under_way.insert(place_of(op.key));
}

void LedgerModel::answered(const Place& place, const std::optional<RouteTarget>& asked_for,
                           bool reached) {
  under_way.erase(place);
  const auto want = wanted.find(place);
  const bool still_asked_for =
      asked_for ? want != wanted.end() && want->second.target == *asked_for : want == wanted.end();
  if (reached && asked_for) told[place] = *asked_for;
  if (reached && !asked_for) told.erase(place);
  if (agrees(place)) return;
  if (!reached && still_asked_for) {
    parked.insert(place);
  } else {
    waiting[place] = std::nullopt;
  }
}

// One accident is mended at once; a second one within 100 ms is somebody at work. A place that was
// let go meanwhile may have forgotten the first.
LedgerModel::Mending LedgerModel::removed(Instant now, const Place& place) {
  if (told.erase(place) == 0 || !wanted.contains(place)) return Mending::kNotOurs;
  Mending mending = Mending::kAtOnce;
  const auto before = mended_.find(place);
  if (before != mended_.end() && now - before->second.at < Duration::ms(100)) {
    mending = before->second.wanted_ever_since ? Mending::kAfterPause : Mending::kEither;
  }
  mended_[place] = {now, true};
  return mending;
}

void LedgerModel::mended(const Place& place, bool at_once) {
  if (at_once) {
    ask(place, RoutePhase::kMove);
  } else if (!under_way.contains(place) && !waiting.contains(place)) {
    parked.insert(place);
  }
}

void LedgerModel::dumped(const ModelKernel& kernel) {
  std::set<Place> all;
  for (const auto& [place, target] : told) all.insert(place);
  for (const auto& [place, held] : kernel.held) all.insert(place);
  for (const auto& [place, want] : wanted) all.insert(place);
  for (const Place& place : all) {
    if (under_way.contains(place)) continue;  // answers for itself
    const auto held = kernel.held.find(place);
    if (held != kernel.held.end()) {
      told[place] = held->second.target;
    } else {
      told.erase(place);
    }
    if (wanted.contains(place) && !agrees(place)) {
      waiting[place] = std::nullopt;
      parked.erase(place);
    }
  }
}

std::set<Place> LedgerModel::used() const {
  std::set<Place> all = under_way;
  for (const auto& [place, it] : wanted) all.insert(place);
  for (const auto& [place, it] : told) all.insert(place);
  return all;
}

std::set<Place> LedgerModel::perhaps_used() const {
  std::set<Place> all = used();
  for (const auto& [place, it] : waiting) all.insert(place);
  return all;
}

}  // namespace faild::model
