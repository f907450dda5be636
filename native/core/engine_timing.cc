// When we speak on each LAN, and how its timing changes while traffic flows.
//
// Every packet says the interval of the LAN that it goes out on, and peers judge us by the last one
// that they have heard. So a change must reach them before it can hurt:
//
//   shorter  announced and kept at once: nobody is asked to wait longer than he does already
//   longer   announced at once, kept later: `announcements` more INQs go out at the old pace. A
//            peer that has missed all of these has missed as many packets as its fail-after
//            allows, and has rightly judged us by that
//
// What the peers do is theirs: they take over the interval of each packet that is evidence. Two
// things here hang on our own interval alone: how often a peer answers that asks nothing itself,
// and how many missed packets a path may have.
#include <algorithm>

#include "base/random.h"
#include "core/engine_impl.h"

namespace faild {
namespace {

// As many INQs announce a longer interval before it is kept, or as many as we ourselves would miss
// before a verdict, if that is more: hosts of one cluster have much the same fail-after.
constexpr uint32_t kAnnouncements = 10;

}  // namespace

void follow_plan(DetectorRules& rules, const Plan& plan, size_t lan) {
  const Timing& timing = plan.timing[lan];
  rules.fail_after = timing.fail_after;
  rules.restore_after = timing.restore_after;
  rules.flap_window = plan.flap_window;
  rules.loss_limit = plan.loss_limit;
  rules.round_trip_limit = plan.round_trip_limit;
}

// LANs whose intervals are alike, or whole multiples, speak in one wake-up. The phase is random, so
// that a cluster that was started by one command does not speak in unison.
void Engine::Impl::start_turns(Instant now) {
  Duration longest;
  for (size_t i = 0; i < lans_.size(); i++) {
    const Timing& timing = plan_.timing[i];
    FAILD_CHECK(is_valid(timing));
    longest = std::max(longest, timing.interval);
    lans_[i].interval = lans_[i].pace = timing.interval;
    follow_plan(rules_[i], plan_, i);
  }
  Random random(config_.seed);
  const auto phase = random.below(static_cast<uint64_t>(longest.in_ns()));
  grid_ = now + Duration::ns(static_cast<int64_t>(phase)) - longest;
  for (Lan& lan : lans_) lan.next_send = next_turn(now, lan.pace);
  note_next_send();
  measure_intervals();
}

// The first moment after `now` that is a whole number of `pace` away from the grid's origin. An
// absolute grid: lateness does not add up, and what was missed is not made up for.
Instant Engine::Impl::next_turn(Instant now, Duration pace) const {
  const int64_t turns = (now - grid_).in_ns() / pace.in_ns();
  return grid_ + pace * (turns + 1);
}

void Engine::Impl::note_next_send() {
  next_send_ = lans_.front().next_send;
  for (const Lan& lan : lans_) next_send_ = std::min(next_send_, lan.next_send);
}

// A regular turn is over. `spoken`: an INQ went out.
void Engine::Impl::end_turn(Instant now, Lan& lan, bool spoken) {
  if (spoken && lan.announcements > 0 && --lan.announcements == 0) {
    lan.pace = lan.interval;
    lan.on_grid = false;
    measure_intervals();
  }
  const Instant next = lan.next_send + lan.pace;
  lan.next_send = lan.on_grid && next > now ? next : next_turn(now, lan.pace);
  lan.on_grid = true;
}

// The shortest time between two regular INQs of ours.
Duration Engine::Impl::own_pace() const {
  Duration shortest = kLongestInterval;
  if (!config_.requestor) return shortest;
  for (const Lan& lan : lans_) shortest = std::min(shortest, lan.pace);
  return shortest;
}

// The LAN's rules and its interval are from now on those of the plan.
void Engine::Impl::retime(Instant now, LanIndex index, const Timing& before, const Timing& timing) {
  Lan& lan = lans_[index.value];
  const Instant at = attention(now);
  DetectorRules& rules = rules_[index.value];
  const DetectorRules old = rules;
  follow_plan(rules, plan_, index.value);
  if (timing.fail_after < before.fail_after) rules.since = at;
  if (timing == before) return;
  if (timing.interval != before.interval) {
    lan.interval = timing.interval;
    lan.announcements = 0;
    if (config_.requestor && lan.interval > lan.pace) {
      lan.announcements = std::max({kAnnouncements, before.fail_after, timing.fail_after});
    } else {
      lan.pace = lan.interval;
      lan.paced_at = now;
      lan.on_grid = false;
      // Not later than it was due: peers still judge us by what they have heard.
      lan.next_send = std::min(lan.next_send, next_turn(now, lan.pace));
      note_next_send();
    }
  }
  for (uint32_t peer = 0; peer < peers_.size(); peer++) {
    retime_path(at, slot_of(peer, index), old);
  }
  measure_intervals();
  next_tick_ = std::min(next_tick_, now + shortest_);
}

// A responder answers at our pace, so that its path may be silent for longer as soon as that is
// announced; the shorter interval is its path's when what was asked by it has been answered
// (on_acknowledgment). A handshake that is still under way gets its time anew.
void Engine::Impl::retime_path(Instant at, uint32_t slot, const DetectorRules& old) {
  Path& path = paths_[slot];
  if (!path.known) return;
  if (path.patience_at) {
    path.patience_at = *path.patience_at + (patience(path, rules_for(slot)) - patience(path, old));
  }
  const Lan& lan = lans_[lan_of(slot).value];
  const bool responder = !peers_[peer_of(slot)].requestor;
  if (responder && lan.interval > path.interval) change_interval(slot, lan.interval);
  if (path.introduce_at) {
    const Duration pace = std::max(path.interval, lan.interval);
    path.introduce_at = at + introduction_time(rules_for(slot), pace);
  }
  const bool unproven = !path.acked || path.heard_by_peer == HeardByPeer::kUnknown;
  if (path.solicit_at && unproven) plan_solicit(at, slot);
  arm(slot);
}

// Between the packets that this path lets us expect. One that is not yet proven, or that is being
// revalidated, needs so much more time, or less.
void Engine::Impl::change_interval(uint32_t slot, Duration interval) {
  Path& path = paths_[slot];
  const DetectorRules& rules = rules_for(slot);
  const Duration own = lans_[lan_of(slot).value].interval;
  const Duration patience_before = patience(path, rules);
  const Duration introduction_before = introduction_time(rules, std::max(path.interval, own));
  path.interval = interval;
  if (path.patience_at) {
    path.patience_at = *path.patience_at + (patience(path, rules) - patience_before);
  }
  if (path.introduce_at) {
    const Duration introduction = introduction_time(rules, std::max(interval, own));
    path.introduce_at = *path.introduce_at + (introduction - introduction_before);
  }
}

// --- the intervals in play: ours, and those of paths that are up, for a stranger's word sets
// nobody's pace

void Engine::Impl::note_pace(uint32_t slot) {
  const Path& path = paths_[slot];
  if (path.state != PathState::kUp) return;
  Lan& lan = lans_[lan_of(slot).value];
  lan.shortest = std::min(lan.shortest, path.interval);
  lan.longest = std::max(lan.longest, path.interval);
  shortest_ = std::min(shortest_, path.interval);
}

// All anew, so that a host which once spoke very fast, or very slowly, does not set our pace for
// ever.
void Engine::Impl::measure_intervals() {
  shortest_ = kLongestInterval;
  for (Lan& lan : lans_) {
    lan.shortest = lan.pace;
    lan.longest = lan.interval;
    shortest_ = std::min(shortest_, lan.pace);
  }
  for (uint32_t slot = 0; slot < peers_.size() * lans_.size(); slot++) note_pace(slot);
}

}  // namespace faild
