// What we send: inquiries to everybody, acknowledgments and solicits to one, goodbyes.
#include <algorithm>
#include <cerrno>

#include "core/engine_impl.h"

namespace faild {
namespace {

// A cold start of N hosts is N solicits on each LAN; spaced like this a host sends 2,000 a second
// and answers as many.
constexpr Duration kSolicitSpacing = Duration::us(500);
constexpr Duration kSolicitRetryFloor = Duration::ms(20);
constexpr Duration kSolicitRetryCeiling = Duration::seconds(5);
// After this a probe is lost, and another one may take its place.
constexpr Duration kProbePatience = Duration::ms(500);

}  // namespace

// Our own name and places, kept ready in `out_`; only identities and counters change from packet to
// packet.
void Engine::Impl::refresh_advert() {
  out_.requestor = config_.requestor;
  out_.cluster = config_.cluster;
  out_.host = config_.host;
  out_.incarnation = config_.incarnation;
  out_.advert_version = advert_version_;
  out_.name = config_.name;
  out_.lans.clear();
  for (const Lan& lan : lans_) {
    LanAdvert advert;
    advert.mac = lan.config.mac;
    advert.addresses = lan.config.addresses;
    FAILD_CHECK(out_.lans.push(advert));
  }
}

// nullptr: no room; or the LAN has no address yet, from which a packet could come; or it is muted,
// which no goodbye minds.
SendPacket* Engine::Impl::start_packet(LanIndex lan, MessageType type, Effects& effects) {
  if (lans_[lan.value].config.addresses.empty()) return nullptr;
  const bool mute = muted_ && muted_->out && muted_->lan == lan;
  if (mute && type != MessageType::kBye) return nullptr;
  SendPacket* packet = effects.sends.extend();
  if (packet == nullptr) {
    counters_.sends_deferred++;
    return nullptr;
  }
  packet->lan = lan;
  packet->to.reset();
  out_.type = type;
  out_.interval = lans_[lan.value].interval;
  out_.arrival_lan = lan.value;
  out_.solicit = false;
  out_.hears_you = false;
  out_.ack_by_broadcast = false;
  out_.missing_is_partial = false;
  out_.urgent = false;
  out_.drained = plan_.host_drained;
  out_.missing.clear();
  out_.to = HostId{};
  out_.to_incarnation = Incarnation{};
  out_.echo_sequence = 0;
  out_.echo_hold = Duration();
  return packet;
}

// `slot`: for that path alone, none: to everybody. `late`: later than it was due.
void Engine::Impl::finish_packet(Instant now, SendPacket& packet, std::optional<uint32_t> slot,
                                 Duration late, Effects& effects) {
  packet.size = static_cast<uint16_t>(encode(out_, packet.bytes));
  lans_[packet.lan.value].sent++;
  counters_.packets_sent++;
  note_sent(now, packet.lan, slot, late, effects);
}

// The regular round, and INQs out of turn on LANs where we have just lost somebody or hear somebody
// again, so that both ends switch, and switch back, together.
void Engine::Impl::send_inquiries(Instant now, Effects& effects) {
  if (!config_.requestor) return;
  for (size_t i = 0; i < lans_.size(); i++) {
    Lan& lan = lans_[i];
    const bool regular = now >= lan.next_send;
    const bool may_hurry = !lan.urgent_at || now - *lan.urgent_at >= lan.pace;
    const bool hurry = lan.urgent && may_hurry;
    lan.urgent = false;
    if (!regular && !hurry) continue;
    if (!regular) lan.urgent_at = now;
    const bool spoken =
        lan.carrier && send_inquiry(now, LanIndex{static_cast<uint8_t>(i)}, hurry, effects);
    if (regular) end_turn(now, lan, spoken);
  }
  note_next_send();
}

// False: there was no room for it, or no address that it could come from.
bool Engine::Impl::send_inquiry(Instant now, LanIndex index, bool urgent, Effects& effects) {
  SendPacket* packet = start_packet(index, MessageType::kInq, effects);
  if (packet == nullptr) return false;
  Lan& lan = lans_[index.value];
  out_.urgent = urgent;
  out_.sequence = ++lan.sequence;
  lan.sent_at[lan.sequence % kSentWindow] = now;
  out_.ack_by_broadcast = config_.udp_port && lan.away > 0;
  MissingList& missing = missing_[index.value];
  out_.missing_is_partial = missing.size() > kMaxMissing;
  missing.next_window(kMaxMissing,
                      [this](uint32_t peer) { FAILD_CHECK(out_.missing.push(peers_[peer].host)); });
  const Duration late = urgent ? Duration() : now - lan.next_send;
  finish_packet(now, *packet, std::nullopt, late, effects);
  return true;
}

void Engine::Impl::send_ack(Instant now, const PacketIn& in, uint32_t slot, Effects& effects) {
  SendPacket* packet = start_packet(in.lan, MessageType::kAck, effects);
  if (packet == nullptr) return;
  Path& path = paths_[slot];
  const bool by_broadcast = in_.ack_by_broadcast && may_broadcast(now, path);
  if (!by_broadcast) packet->to = SendPacket::Unicast{in.from, path.mac};
  out_.sequence = ++lans_[in.lan.value].unicast_sequence;
  out_.solicit = in_.solicit;  // which of the asker's two sequences is echoed
  out_.hears_you = (path.hearing || path.state == PathState::kUnknown) && !path.missing_slot;
  out_.to = in_.host;
  out_.to_incarnation = in_.incarnation;
  out_.echo_sequence = in_.sequence;
  out_.echo_hold = std::clamp(now - in.arrived, Duration(), Duration::seconds(60));
  finish_packet(now, *packet, slot, now - in.arrived, effects);
  counters_.acks_sent++;
}

// Reserves the next free moment on this LAN, so that a thousand new peers are asked one after
// another. No more can wait than there are peers: whoever makes us ask him again and again (by
// restarts, by lists that name us now and then) pushes nobody further away than that.
void Engine::Impl::plan_solicit(Instant at, uint32_t slot) {
  Lan& lan = lans_[lan_of(slot).value];
  Path& path = paths_[slot];
  const Instant last = at + kSolicitSpacing * static_cast<int64_t>(peers_.size());
  path.solicit_at = std::clamp(lan.solicit_gate.value_or(at), at, last);
  lan.solicit_gate = *path.solicit_at + kSolicitSpacing;
  arm(slot);
}

// Whether our silence would be planned is said to everybody at once, and to each by a solicit: its
// ACK proves that this was heard. One to a solicit from before proves nothing.
void Engine::Impl::announce_drain(Instant now) {
  for (Lan& lan : lans_) lan.urgent = config_.requestor;
  for (uint32_t slot = 0; slot < peers_.size() * lans_.size(); slot++) {
    Path& path = paths_[slot];
    peers_[peer_of(slot)].untold = true;
    path.solicit_sequence.reset();
    path.solicit_backoff = Duration();
    if (path.hearing) plan_solicit(attention(now), slot);
  }
}

void Engine::Impl::send_solicit(Instant now, uint32_t slot, Effects& effects) {
  Path& path = paths_[slot];
  const LanIndex index = lan_of(slot);
  const Instant at = attention(now);
  const bool unproven =
      !path.acked || path.heard_by_peer != HeardByPeer::kYes || peers_[peer_of(slot)].untold;
  const Duration late = at - path.solicit_at.value_or(at);
  path.solicit_at.reset();
  // its next packet asks again
  if ((!path.hearing && !path.gray) || path.heard_from.family == Family::kNone) return;
  // Our own INQs of this step need room, or peers would miss us while we ask others.
  if (effects.sends.room() <= lans_.size()) {
    path.solicit_at = at + kSolicitSpacing;
    return;
  }
  Lan& lan = lans_[index.value];
  path.solicit_backoff =
      std::clamp(path.solicit_backoff * 2, std::max(kSolicitRetryFloor, lan.interval * 2),
                 std::max(kSolicitRetryCeiling, lan.interval * 2));
  path.solicit_at =
      at + (unproven ? path.solicit_backoff : round_trip_pace(rules_for(slot), path.interval));
  SendPacket* packet = lan.carrier ? start_packet(index, MessageType::kInq, effects) : nullptr;
  if (packet == nullptr) return;
  packet->to = SendPacket::Unicast{path.heard_from, path.mac};
  out_.solicit = true;
  out_.ack_by_broadcast = config_.udp_port && lan.away > 0;
  out_.sequence = ++lan.unicast_sequence;
  out_.to = peers_[peer_of(slot)].host;
  out_.to_incarnation = peers_[peer_of(slot)].incarnation;
  path.solicit_sequence = out_.sequence;
  path.solicit_sent = now;
  finish_packet(now, *packet, slot, late, effects);
  counters_.solicits_sent++;
}

// A solicit like any other, sent now: what it measures is what the path always does. 0 or an errno.
int Engine::Impl::probe(Instant now, const Command& command) {
  if (command.lan.value >= lans_.size()) return EINVAL;
  const auto peer = peers_.find(command.host);
  if (!peer) return ENOENT;
  Lan& lan = lans_[command.lan.value];
  const uint32_t slot = slot_of(*peer, command.lan);
  Path& path = paths_[slot];
  if (!path.hearing || !lan.carrier) return EHOSTUNREACH;
  if (lan.probe && now - lan.probe->asked < kProbePatience) return EBUSY;
  if (now - path.solicit_sent < kSolicitRetryFloor) return EAGAIN;
  lan.probe = Lan::Probe{command.host, now, command.id};
  path.solicit_at = attention(now);
  arm(slot);
  return 0;
}

void Engine::Impl::answer_probe(Instant now, uint32_t slot, Duration round_trip, Effects& effects) {
  auto& probe = lans_[lan_of(slot).value].probe;
  if (!probe || probe->host != peers_[peer_of(slot)].host) return;
  Event answer = make_event(EventKind::kAnswer, now);
  answer.id = probe->id;
  answer.host = probe->host;
  answer.lan = lan_of(slot);
  answer.round_trip = round_trip;
  probe.reset();
  report(effects, answer);
}

void Engine::Impl::send_goodbyes(Instant now, Effects& effects) {
  for (size_t i = 0; i < lans_.size(); i++) {
    const LanIndex lan{static_cast<uint8_t>(i)};
    if (!lans_[i].carrier) continue;
    if (SendPacket* packet = start_packet(lan, MessageType::kBye, effects)) {
      out_.sequence = ++lans_[i].sequence;
      finish_packet(now, *packet, std::nullopt, Duration(), effects);
    }
  }
}

}  // namespace faild
