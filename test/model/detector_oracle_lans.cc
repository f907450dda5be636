// The oracle's questions about whole LANs: their intervals in play; and when most peers fall silent
// together it is one event.
#include <algorithm>

#include "model/detector_oracle.h"

namespace faild::model {

// On one LAN: ours, and those of paths while they are up.
std::vector<Duration> DetectorOracle::paces(size_t lan) const {
  std::vector<Duration> them{config_.timing[lan].interval};
  for (size_t i = 0; i < all(); i++) {
    const Happening& h = history_[i];
    const Where path{h.peer, h.lan};
    if (h.lan != lan) continue;
    const bool rises = h.kind == Kind::kVerdict && h.state == PathState::kUp;
    const bool speaks = h.kind == Kind::kPacket && h.counts && state(path, i) == PathState::kUp;
    if (rises || speaks) them.push_back(interval(path, i + 1));
  }
  return them;
}
Duration DetectorOracle::shortest(size_t lan) const {
  const auto them = paces(lan);
  return *std::min_element(them.begin(), them.end());
}
Duration DetectorOracle::longest(size_t lan) const {
  const auto them = paces(lan);
  return *std::max_element(them.begin(), them.end());
}
Duration DetectorOracle::shortest() const {
  Duration least = shortest(0);
  for (size_t lan = 1; lan < config_.lans; lan++) least = std::min(least, shortest(lan));
  return least;
}

// When our kernel last dropped packets of the LAN.
std::optional<Instant> DetectorOracle::dropped_at(size_t lan) const {
  std::optional<Instant> set_back;
  for (size_t i = all(); i-- > 0;) {
    const Happening& h = history_[i];
    if (h.kind == Kind::kStoodStill) set_back = set_back ? std::min(*set_back, h.at) : h.at;
    if (h.kind != Kind::kDropped || h.lan != lan) continue;
    return set_back ? std::min(h.at, *set_back) : h.at;
  }
  return std::nullopt;
}

const Happening* DetectorOracle::lan_verdict(size_t lan) const {
  for (size_t i = all(); i-- > 0;) {
    const Happening& h = history_[i];
    if (h.lan == lan && h.kind == Kind::kLanUp) return nullptr;
    if (h.lan == lan && h.kind == Kind::kLanDown) return &h;
  }
  return nullptr;
}

uint32_t DetectorOracle::count(size_t lan, PathState wanted) const {
  const auto paths = all_paths();
  return static_cast<uint32_t>(std::count_if(paths.begin(), paths.end(), [&](Where path) {
    return path.lan == lan && state(path) == wanted;
  }));
}

// Of the peers that are well here or alive elsewhere, at least two, most are not well here.
bool DetectorOracle::most_have_gone(size_t lan, Instant at) const {
  uint32_t well = 0, gone = 0;
  for (const Where path : all_paths()) {
    const PathState is = state(path);
    if (path.lan != lan || (is != PathState::kUp && is != PathState::kDown)) continue;
    if (fresh(path, at)) {
      well++;
    } else if (fresh_elsewhere(path, at)) {
      gone++;
    }
  }
  return well + gone >= 2 && gone > well;
}

// The plain case: a LAN of several peers has gone quiet as a whole, and another is lively.
bool DetectorOracle::nobody_is_heard(size_t lan, Instant at) const {
  const auto quiet_for = [&](size_t one, Duration time) {
    const auto heard = lan_heard_at(one);
    return !heard || at - *heard >= time;
  };
  const uint32_t here = count(lan, PathState::kUp);
  if (here < 2 || !quiet_for(lan, overdue(lan, longest(lan)))) return false;
  const auto dropped = dropped_at(lan);
  if (dropped && at - *dropped < overdue(lan, longest(lan))) return false;
  for (size_t other = 0; other < config_.lans; other++) {
    const Duration lively = std::min(shortest(other) * 2, overdue(other, shortest(other)));
    const bool as_many = count(other, PathState::kUp) * 2 > here;
    if (other != lan && as_many && !quiet_for(other, lively)) return true;
  }
  return false;
}

std::optional<Instant> DetectorOracle::lan_heard_at(size_t lan) const {
  for (size_t i = all(); i-- > 0;) {
    const Happening& h = history_[i];
    if (h.kind == Kind::kPacket && h.counts && h.lan == lan) return heard_at({h.peer, lan});
  }
  return std::nullopt;
}

void DetectorOracle::judge_lan(Instant now, size_t lan, Reason reason) {
  const Instant at = attention(now);
  if (lan_verdict(lan) || (!nobody_is_heard(lan, at) && !most_have_gone(lan, at))) return;
  lan_down(now, lan, reason);
}

void DetectorOracle::lan_down(Instant now, size_t lan, Reason reason) {
  record(Kind::kLanDown, {0, lan}, now).reason = reason;
}

// The paths of a LAN that was judged dead are down with it, but for those heard too lately.
void DetectorOracle::sweep(Instant now, size_t lan) {
  const Happening* judged = lan_verdict(lan);
  if (!judged) return;
  for (const Happening* h = judged; h != history_.data() + all(); h++) {
    if (h->kind == Kind::kLanSwept && h->lan == lan) return;
  }
  const Reason reason = judged->reason;
  record(Kind::kLanSwept, {0, lan}, now);
  for (const Where path : all_paths()) {
    if (path.lan != lan || state(path) != PathState::kUp) continue;
    if (carrier_[lan] && fresh(path, attention(now))) continue;
    record(Kind::kSilent, path, now);
    verdict(now, path, PathState::kDown, reason);
  }
}

// A LAN is good again when more peers are up on it than are down here and alive elsewhere.
void DetectorOracle::judge_lan_up(Instant now, size_t lan) {
  if (!lan_verdict(lan) || !carrier_[lan]) return;
  uint32_t gone = 0;
  for (const Where path : all_paths()) {
    const bool down = path.lan == lan && state(path) == PathState::kDown;
    if (down && fresh_elsewhere(path, attention(now))) gone++;
  }
  if (count(lan, PathState::kUp) > gone) record(Kind::kLanUp, {0, lan}, now);
}

// Our own interface has lost its carrier: nothing to wait for.
void DetectorOracle::link(Instant now, size_t lan, bool carrier) {
  const bool lost = carrier_[lan] && !carrier;
  carrier_[lan] = carrier;
  if (lost && !lan_verdict(lan) && count(lan, PathState::kUp) > 0) {
    lan_down(now, lan, Reason::kCarrier);
  }
}

}  // namespace faild::model
