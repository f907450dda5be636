// Whom we know: peers are met, learned, met again, and forgotten.
#include <algorithm>

#include "core/engine_impl.h"

namespace faild {
namespace {

// In a full table, who has been gone for so long makes room for who comes. Hosts that are repaired
// within a working day keep their place.
constexpr Duration kGoneFor = Duration::seconds(8 * 3600);
// Who has never been up anywhere has no such claim: a crowd of made-up hosts keeps nobody out for
// longer than it speaks.
constexpr Duration kStrangerFor = Duration::seconds(60);
// A host that is up nowhere for so long may come back with a smaller incarnation. Long enough for
// every packet of its former run to have arrived.
constexpr Duration kOldRunAfter = Duration::seconds(10);
// A goodbye is repeated within milliseconds, and may overtake the last INQs on another LAN; what
// comes so much later is no remnant.
constexpr Duration kGoodbyeHolds = Duration::seconds(1);
// A crowd of strangers must not make us look through the whole table for each.
constexpr Duration kMakeRoomEvery = Duration::seconds(1);

}  // namespace

// The source first: it is one look at the list, and turns away nearly all whom it does not name.
bool Engine::Impl::is_allowed(HostId host, const IpAddress& from,
                              std::span<const LanAdvert> places) const {
  const AllowedPeers& allowed = plan_.allowed;
  if (allowed.everybody()) return true;
  if (std::find(allowed.hosts.begin(), allowed.hosts.end(), host) != allowed.hosts.end()) {
    return true;
  }
  const Allowance source = allowance_of(allowed, from);
  if (source == Allowance::kNo) return false;
  bool named = source == Allowance::kYes;
  for (const LanAdvert& place : places) {
    for (const Prefix& claimed : place.addresses) {
      const bool here = std::any_of(lans_.begin(), lans_.end(), [&](const Lan& lan) {
        return is_routable(lan.config, claimed.address);
      });
      const Allowance claim = here ? allowance_of(allowed, claimed.address) : Allowance::kUnsaid;
      if (claim == Allowance::kNo) return false;
      named = named || claim == Allowance::kYes;
    }
  }
  return named;
}

// Whoever is known was allowed when its packet was looked at: the same run, advert and source need
// no second look.
bool Engine::Impl::is_admitted(const PacketIn& packet, uint32_t peer) const {
  const Peer& known = peers_[peer];
  return !known.lans.empty() && known.incarnation == in_.incarnation &&
         known.advert_version == in_.advert_version &&
         paths_[slot_of(peer, packet.lan)].heard_from == packet.from;
}

bool Engine::Impl::is_still_allowed(uint32_t peer) const {
  const Peer& known = peers_[peer];
  const std::span places(known.lans.data(), known.lans.size());
  const auto paths = paths_of(peer);
  return std::all_of(paths.begin(), paths.end(), [&](const Path& path) {
    return !path.known || is_allowed(known.host, path.heard_from, places);
  });
}

// The list names it no more: its traffic takes its own LANs again, and nothing of it stays but its
// place in the table, which the next stranger may have.
void Engine::Impl::expel(Instant now, uint32_t peer, Effects& effects) {
  if (peers_[peer].lans.empty()) return;
  Event event = make_event(EventKind::kPeerForgotten, now);
  event.host = peers_[peer].host;
  event.reason = Reason::kOperator;
  report(effects, event);
  forget_peer(peer, effects);
  peers_[peer].lans.clear();
  peers_[peer].remnants_until.reset();
  peers_[peer].drained = false;
}

// A host that is not known. nullopt: there is no room for it.
std::optional<uint32_t> Engine::Impl::meet(Instant now, LanIndex lan, Effects& effects) {
  auto peer = peers_.add(in_.host);
  if (!peer) peer = make_room(now, effects);
  if (!peer) return std::nullopt;
  peers_[*peer].incarnation = in_.incarnation;
  learn(now, *peer, effects);
  Event event = make_event(EventKind::kPeerFound, now);
  event.host = in_.host;
  event.lan = lan;
  report(effects, event);
  return peer;
}

// Gives the place of the host that has been gone longest to the one in `in_`.
std::optional<uint32_t> Engine::Impl::make_room(Instant now, Effects& effects) {
  if (room_made_at_ && now - *room_made_at_ < kMakeRoomEvery) return std::nullopt;
  room_made_at_ = now;
  std::optional<uint32_t> longest;
  Instant gone_at;
  for (uint32_t peer = 0; peer < peers_.size(); peer++) {
    const auto since = gone_since(peer);
    if (!since || now - *since < (was_proven(peer) ? kGoneFor : kStrangerFor)) continue;
    if (longest && *since >= gone_at) continue;
    longest = peer;
    gone_at = *since;
  }
  if (!longest) return std::nullopt;
  Event event = make_event(EventKind::kPeerForgotten, now);
  event.host = peers_[*longest].host;
  report(effects, event);
  forget_peer(*longest, effects);
  peers_.replace(*longest, in_.host);
  return longest;
}

bool Engine::Impl::was_proven(uint32_t peer) const {
  const auto paths = paths_of(peer);
  return std::any_of(paths.begin(), paths.end(),
                     [](const Path& path) { return path.verdict_at != Instant() || path.via; });
}

// Since when the peer is up on no LAN; nullopt: it is. A path without a verdict is there as long as
// it is heard.
std::optional<Instant> Engine::Impl::gone_since(uint32_t peer) const {
  Instant since;
  for (const Path& path : paths_of(peer)) {
    if (!path.known) continue;
    if (path.state == PathState::kUp) return std::nullopt;
    since = std::max(since, path.since);
    if (path.state == PathState::kUnknown && path.heard_at) {
      since = std::max(since, *path.heard_at + shift_);
    }
  }
  return since;
}

void Engine::Impl::forget_peer(uint32_t peer, Effects& effects) {
  set_waiting(peer, false);
  for (size_t i = 0; i < lans_.size(); i++) {
    forget_path(slot_of(peer, LanIndex{static_cast<uint8_t>(i)}), effects);
  }
}

// There is no such path any more: nothing of it stays, here or in the kernel.
void Engine::Impl::forget_path(uint32_t slot, Effects& effects) {
  Path& path = paths_[slot];
  Lan& lan = lans_[lan_of(slot).value];
  retract_routes(slot);
  if (synced_ && path.neighbour_set) set_neighbours(slot, false, effects);
  if (path.neighbour_wanted) neighbours_wanted_--;
  if (path.known) count_state(lan, path.state, -1);
  if (path.via) lan.away--;
  heap_.remove(slot);
  const auto missing = path.missing_slot;
  path = Path();
  if (!missing) return;
  if (const auto moved = missing_[lan_of(slot).value].leave(*missing)) {
    paths_[slot_of(*moved, lan_of(slot))].missing_slot = missing;
  }
}

// Takes over what the packet in `in_` says of the peer's name and addresses.
void Engine::Impl::learn(Instant now, uint32_t peer, Effects& effects) {
  for (size_t i = 0; i < lans_.size(); i++) {
    retract_routes(slot_of(peer, LanIndex{static_cast<uint8_t>(i)}));
  }
  Peer& known = peers_[peer];
  known.name = in_.name;
  known.requestor = in_.requestor;
  known.interval = in_.interval;
  known.advert_version = in_.advert_version;
  known.learned_at = now;
  known.lans = in_.lans;
  locate_paths(now, peer, effects);
  mark_dirty(peer);
}

// Which of the peer's places lies on that LAN of ours, by prefix.
std::optional<uint8_t> Engine::Impl::place_on(const Peer& peer, LanIndex lan) const {
  for (size_t j = 0; j < peer.lans.size(); j++) {
    if (same_lan(peer.lans[j], lans_[lan.value].config) == true) return static_cast<uint8_t>(j);
  }
  return std::nullopt;
}

// Surely not there: a LAN that is known by link-local addresses alone can only be told by
// listening.
bool Engine::Impl::is_elsewhere(const Peer& peer, LanIndex lan) const {
  return std::all_of(peer.lans.begin(), peer.lans.end(), [&](const LanAdvert& place) {
    return same_lan(place, lans_[lan.value].config) == false;
  });
}

// Finds the peer's place on each of our LANs anew; and claims what an earlier run of ours left in
// the kernel for its addresses.
void Engine::Impl::locate_paths(Instant now, uint32_t peer, Effects& effects) {
  const Peer& known = peers_[peer];
  for (size_t i = 0; i < lans_.size(); i++) {
    const LanIndex lan{static_cast<uint8_t>(i)};
    const uint32_t slot = slot_of(peer, lan);
    Path& path = paths_[slot];
    const auto place = place_on(known, lan);
    if (place != path.remote_lan) {
      retract_routes(slot);
      drop_path_neighbours(slot, effects);
    }
    if (!place && path.known && is_elsewhere(known, lan)) forget_path(slot, effects);
    path.remote_lan = place;
    if (!place) continue;
    if (!path.known) {
      path.known = true;
      path.since = now;
      path.interval = interval_of(known, lan);
      lans_[i].other++;
    }
    if (path.state == PathState::kUnknown && !path.introduce_at && !path.acked) {
      // Of a requestor that was heard elsewhere only: its interval here may be longer, as ours is.
      const Duration pace = std::max(path.interval, lans_[i].interval);
      path.introduce_at = attention(now) + introduction_time(rules_[i], pace);
    }
    claim(now, slot);
    arm(slot);
  }
}

// May the packet be of another run of the host than the one we know? Of a newer one always. Of an
// older one when we have lost the known one for long: its number may have been a mistake (a clock
// far ahead, a lost state directory, a lie), and nobody shall be shut out by a number for ever. And
// of the same one after a goodbye that it outlives, for then it was not its own.
bool Engine::Impl::is_another_run(Instant now, const PacketIn& packet, uint32_t peer) const {
  const Peer& known = peers_[peer];
  if (in_.incarnation > known.incarnation) return true;
  if (in_.incarnation == known.incarnation) {
    return in_.type != MessageType::kBye && known.remnants_until &&
           packet.arrived >= *known.remnants_until;
  }
  const auto gone = gone_since(peer);
  return gone && now - *gone >= kOldRunAfter;
}

// A newer incarnation of a known host. What the old one knew of us is void; what we know of the
// path stands until the path itself proves otherwise, so a quick restart is not a failure.
void Engine::Impl::meet_restarted(Instant now, uint32_t peer, Effects& effects) {
  Peer& known = peers_[peer];
  const bool restarted = known.incarnation != in_.incarnation;
  known.incarnation = in_.incarnation;
  const bool returned = known.remnants_until.has_value();
  known.remnants_until.reset();
  for (size_t i = 0; i < lans_.size(); i++) {
    const uint32_t slot = slot_of(peer, LanIndex{static_cast<uint8_t>(i)});
    Path& path = paths_[slot];
    note_restart(path);
    if (!returned || !path.known) continue;
    // Traffic that is still away from this path comes back only when the path has proven itself.
    const bool away = path.via.has_value();
    set_state(now, slot, away ? PathState::kDown : PathState::kUnknown,
              away ? Reason::kAdopted : Reason::kNone, effects, true);
  }
  drop_neighbours(peer, effects);
  learn(now, peer, effects);
  if (!restarted) return;
  Event event = make_event(EventKind::kPeerRestarted, now);
  event.host = in_.host;
  report(effects, event);
}

void Engine::Impl::on_goodbye(Instant now, Instant arrived, uint32_t peer, Effects& effects) {
  stop_peer(now, peer, arrived + kGoodbyeHolds, Reason::kGoodbye, effects);
}

// It is gone by plan: nothing moves, and nobody is blamed.
void Engine::Impl::stop_peer(Instant now, uint32_t peer, Instant remnants_until, Reason reason,
                             Effects& effects) {
  peers_[peer].remnants_until = remnants_until;
  for (size_t i = 0; i < lans_.size(); i++) {
    const uint32_t slot = slot_of(peer, LanIndex{static_cast<uint8_t>(i)});
    Path& path = paths_[slot];
    if (!path.known) continue;
    note_silence(path);
    path.gray.reset();
    path.solicit_at.reset();
    path.introduce_at.reset();
    path.patience_at.reset();
    set_state(now, slot, PathState::kStopped, reason, effects, false);
  }
}

}  // namespace faild
