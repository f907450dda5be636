// The flight recorder at work: what is noted of each probe, and what is kept when a path goes down.
#include <algorithm>

#include "core/engine_impl.h"

namespace faild {
namespace {

ProbeKind kind_of(const Heartbeat& beat) {
  switch (beat.type) {
    case MessageType::kInq: return beat.solicit ? ProbeKind::kSolicit : ProbeKind::kInq;
    case MessageType::kAck: return beat.solicit ? ProbeKind::kSolicitAck : ProbeKind::kAck;
    case MessageType::kBye: break;
  }
  return ProbeKind::kBye;
}

Probe probe_of(const Heartbeat& beat, Instant at, Duration lag) {
  Probe probe;
  probe.at = at;
  probe.kind = kind_of(beat);
  const bool ack = beat.type == MessageType::kAck;
  probe.sequence = ack ? beat.echo_sequence : beat.sequence;
  probe.urgent = beat.urgent;
  probe.unheard = ack && !beat.hears_you;
  probe.set_lag(lag);
  return probe;
}

}  // namespace

// Of one peer.
void Engine::Impl::note(uint32_t slot, const Probe& probe, Effects& effects) {
  Path& path = paths_[slot];
  path.recorder.note(probe);
  if (!tap_) return;
  tap(probe, peers_[peer_of(slot)].host, lan_of(slot), path.interval, effects);
}

// The packet in `in_` has arrived.
void Engine::Impl::note_arrival(Instant now, const PacketIn& packet, uint32_t slot, bool refused,
                                Effects& effects) {
  Probe probe = probe_of(in_, packet.arrived, now - packet.arrived);
  if (in_.type == MessageType::kInq) probe.unheard = in_.misses(config_.host);
  probe.refused = refused;
  note(slot, probe, effects);
}

// The same of an ACK that answers what we have asked.
void Engine::Impl::note_round_trip(const PacketIn& packet, uint32_t slot, Duration round_trip,
                                   Effects& effects) {
  note(slot, probe_of(in_, packet.arrived, round_trip), effects);
}

// The packet in `out_` is on its way: to one peer, or to everybody.
void Engine::Impl::note_sent(Instant now, LanIndex lan, std::optional<uint32_t> slot, Duration late,
                             Effects& effects) {
  Probe probe = probe_of(out_, now, late);
  probe.sent = true;
  if (slot) return note(*slot, probe, effects);
  Lan& to = lans_[lan.value];
  to.recorder.note(probe);
  if (tap_) tap(probe, HostId{}, lan, to.pace, effects);
}

void Engine::Impl::tap(const Probe& probe, HostId host, LanIndex lan, Duration interval,
                       Effects& effects) const {
  if (!tap_->wants(host, lan)) return;
  if (!effects.tapped.push({probe, host, interval, 0, lan})) effects.tapped_lost++;
}

void Engine::Impl::read_probes(uint32_t peer, LanIndex lan, Recording* out) const {
  const uint32_t slot = slot_of(peer, lan);
  out->host = peers_[peer].host;
  out->lan = lan;
  const Path& path = paths_[slot];
  out->interval = path.interval;
  out->verdict = path.recorder.held() ? std::optional(path.since) : std::nullopt;
  path.recorder.read(out);
}

void Engine::Impl::read_probes(LanIndex lan, Recording* out) const {
  out->host = HostId{};
  out->lan = lan;
  out->interval = lans_[lan.value].pace;
  out->verdict.reset();
  lans_[lan.value].recorder.read(out);
}

// Of what we had sent to everybody by a verdict, one of kVerdictsKept.
bool Engine::Impl::read_kept(LanIndex lan, size_t i, Recording* out) const {
  out->host = HostId{};
  out->lan = lan;
  out->interval = lans_[lan.value].pace;
  return lans_[lan.value].before_verdicts.read(i, out);
}

// False: this step has more verdicts than are reported.
bool Engine::Impl::dump(uint32_t slot, Effects& effects) {
  ProbeDump* kept = effects.dumps.extend();
  if (kept == nullptr) return false;
  kept->id = last_dump_;
  read_probes(peer_of(slot), lan_of(slot), &kept->path);
  read_probes(lan_of(slot), &kept->lan);
  return true;
}

// For the event of a path that goes down: the number that its dump bears, zero when there is none.
uint32_t Engine::Impl::dump_path(Instant now, uint32_t slot, Effects& effects) {
  Lan& lan = lans_[lan_of(slot).value];
  lan.before_verdicts.keep(now, lan.recorder);
  last_dump_ = std::max(1U, last_dump_ + 1);
  return dump(slot, effects) ? last_dump_ : 0;
}

// The same for a whole LAN: a few of its paths that were up speak for all. Each keeps its own.
uint32_t Engine::Impl::dump_lan(Instant now, LanIndex lan, Effects& effects) {
  lans_[lan.value].before_verdicts.keep(now, lans_[lan.value].recorder);
  last_dump_ = std::max(1U, last_dump_ + 1);
  size_t dumped = 0;
  for (uint32_t peer = 0; peer < peers_.size() && dumped < kDumpsPerLan; peer++) {
    const uint32_t slot = slot_of(peer, lan);
    if (paths_[slot].state != PathState::kUp) continue;
    if (!dump(slot, effects)) break;
    dumped++;
  }
  return dumped > 0 ? last_dump_ : 0;
}

}  // namespace faild
