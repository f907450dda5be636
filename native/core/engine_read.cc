// Rows for readers: plain copies, made on the engine's thread.
#include "core/engine_impl.h"

namespace faild {

bool Engine::Impl::has_path(uint32_t peer, LanIndex lan) const {
  return peer < peers_.size() && lan.value < lans_.size() && paths_[slot_of(peer, lan)].known;
}

const LanAdvert* Engine::Impl::advert_of(uint32_t slot) const {
  const Path& path = paths_[slot];
  const Peer& peer = peers_[peer_of(slot)];
  if (!path.remote_lan || *path.remote_lan >= peer.lans.size()) return nullptr;
  return &peer.lans[*path.remote_lan];
}

void Engine::Impl::read_path(Instant now, uint32_t peer, LanIndex lan, PathRow* row) const {
  const uint32_t slot = slot_of(peer, lan);
  const Path& path = paths_[slot];
  const Instant at = attention(now);
  *row = PathRow{};
  row->host = peers_[peer].host;
  row->lan = lan;
  row->state = path.state;
  row->reason = path.reason;
  row->since = path.since;
  row->silence = silence(path, at);
  row->interval = path.interval;
  row->missed = missed_packets(path, at);
  row->good = path.good;
  row->good_needed = good_needed(path, rules_for(slot));
  row->round_trip = path.round_trip;
  row->alternate = path.via;
  row->standby = path.standby;
  row->received = path.received;
  row->lost = path.lost;
  row->loss = path.loss;
  row->failovers = path.failovers;
  row->forced = path.forced;
  row->mac = path.mac;
  if (const LanAdvert* advert = advert_of(slot)) row->addresses = advert->addresses;
}

void Engine::Impl::read_lan(LanIndex index, LanRow* row) const {
  const Lan& lan = lans_[index.value];
  *row = LanRow{};
  row->index = index;
  row->name = lan.config.name;
  row->interface = lan.config.interface;
  const bool all_down = lan.up == 0 && lan.down_paths > 0;
  row->state = lan.down || all_down || !lan.carrier ? LanState::kDown
               : lan.up > 0                         ? LanState::kUp
                                                    : LanState::kNoPeer;
  row->since = lan.since;
  row->carrier = lan.carrier;
  row->moved = lan.mode != LanMode::kReady;
  if (muted_ && muted_->lan == index) {
    row->muted = muted_bits();
    row->muted_until = muted_->until;
  }
  row->paths_up = lan.up;
  row->paths_down = lan.down_paths;
  row->paths_other = lan.other;
  row->addresses = lan.config.addresses;
  row->timing = plan_.timing[index.value];
  row->pace = lan.pace;
  row->sent = lan.sent;
  row->received = lan.received;
}

}  // namespace faild
