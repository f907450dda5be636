// A LAN whose heartbeats do not count for a while, in one direction or in both: what a silent cut
// looks like to this host and to its peers, while everybody else's packets pass. `faild bench
// --cut` measures by it.
//
// It is fail-safe: it is refused where a peer would be left without a way, has an end that nobody
// needs to ask for, ends at once when another LAN loses a path meanwhile, and is nowhere but here.
#include <algorithm>
#include <cerrno>

#include "core/engine_impl.h"

namespace faild {
namespace {

// Of an interval of 15 s even three missed packets fit; nobody needs to wait longer for a figure.
constexpr Duration kLongestMute = Duration::seconds(60);

}  // namespace

// 0 or an errno.
int Engine::Impl::mute(Instant now, const Command& command, Effects& effects) {
  const auto& wanted = command.mute;
  if (command.lan.value >= lans_.size() || (!wanted.in && !wanted.out) ||
      wanted.length <= Duration() || wanted.length > kLongestMute) {
    return EINVAL;
  }
  if (muted_) return EBUSY;
  if (lans_[command.lan.value].up == 0) return EHOSTUNREACH;
  for (uint32_t peer = 0; peer < peers_.size(); peer++) {
    const bool concerned = paths_[slot_of(peer, command.lan)].state == PathState::kUp;
    if (concerned && !has_fresh_alternate(peer, command.lan, attention(now))) return EHOSTUNREACH;
  }
  muted_ = Mute{command.lan, wanted.in, wanted.out, now, now + wanted.length};
  report_mute(EventKind::kLanMuted, now, effects);
  return 0;
}

int Engine::Impl::unmute(Instant now, LanIndex lan, Effects& effects) {
  if (!muted_ || muted_->lan != lan) return ENOENT;
  end_mute(now, effects);
  return 0;
}

void Engine::Impl::end_mute(Instant now, Effects& effects) {
  if (!muted_) return;
  report_mute(EventKind::kLanUnmuted, now, effects);
  muted_.reset();
}

void Engine::Impl::report_mute(EventKind kind, Instant now, Effects& effects) {
  Event event = make_event(kind, now);
  event.lan = muted_->lan;
  event.reason = Reason::kOperator;
  event.count = muted_bits();
  event.silence = (kind == EventKind::kLanMuted ? muted_->until : now) - muted_->since;
  report(effects, event);
}

uint32_t Engine::Impl::muted_bits() const {
  return (muted_->in ? kMutedIn : 0) | (muted_->out ? kMutedOut : 0);
}

// What had arrived before is read, whenever we come to it.
bool Engine::Impl::is_muted(const PacketIn& packet) const {
  return muted_ && muted_->in && muted_->lan == packet.lan && packet.arrived >= muted_->since;
}

}  // namespace faild
