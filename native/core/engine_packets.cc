// A packet has arrived: who sent it, whether it may count, and what it proves.
#include <algorithm>
#include <cstddef>

#include "core/engine_impl.h"

namespace faild {
namespace {

constexpr Duration kDropReportEvery = Duration::seconds(10);
// A host's restart, or another advert of it, costs us route operations, events and a handshake. One
// in so long is more than an honest host ever needs; meanwhile it is known as before. The same for
// the MAC address of a path, of which an honest bond may have two.
constexpr Duration kLearnEvery = Duration::ms(100);
// A host asks the same peer once in 20 ms at most (engine_probes.cc); more is a flood.
constexpr Duration kAnswerSolicitsEvery = Duration::ms(5);
// No honest host asks faster for longer: one that needs broadcasts (udp transport, while traffic is
// away) has its ACKs by them all the same, at an interval of a millisecond or more.
constexpr Duration kAckBroadcastEvery = Duration::ms(1);
constexpr Duration kAckBroadcastBurst = Duration::ms(8);
// Each change of it is an event; an operator needs none so fast, nor so many.
constexpr Duration kDrainedChangeEvery = Duration::ms(100);
constexpr Duration kDrainedChangeBurst = Duration::ms(800);
// A gap in the sequence beyond this is a jump, not a loss.
constexpr uint32_t kLargestGap = 100000;

}  // namespace

void Engine::Impl::on_packet(Instant now, const PacketIn& packet, Effects& effects) {
  if (stopped_) return;
  counters_.packets_received++;
  Lan& lan = lans_[packet.lan.value];
  lan.received++;
  if (is_muted(packet)) {
    drop(now, packet.lan, HostId{}, Drop::kMuted, effects);
  } else if (const auto error = decode(packet.payload, &in_)) {
    counters_.decode_errors[static_cast<size_t>(*error)]++;
    drop(now, packet.lan, HostId{}, Drop::kMalformed, effects);
  } else if (const auto slot = admit(now, packet, effects)) {
    switch (in_.type) {
      case MessageType::kInq: on_inquiry(now, packet, *slot, effects); break;
      case MessageType::kAck: on_acknowledgment(now, packet, *slot, effects); break;
      case MessageType::kBye:
        note_arrival(now, packet, *slot, false, effects);
        on_goodbye(now, packet.arrived, peer_of(*slot), effects);
        break;
    }
  }
  finish_step(now, effects);
}

void Engine::Impl::drop(Instant now, LanIndex lan, HostId host, Drop why, Effects& effects) {
  const auto i = static_cast<size_t>(why);
  counters_.drops[i]++;
  drops_unreported_[i]++;
  const bool expected = why == Drop::kNotForUs || why == Drop::kOldSequence ||
                        why == Drop::kUnknownAck || why == Drop::kMuted;
  if (expected) return;
  if (drop_reported_at_[i] && now - *drop_reported_at_[i] < kDropReportEvery) return;
  drop_reported_at_[i] = now;
  Event event = make_event(EventKind::kDropped, now);
  event.host = host;
  event.lan = lan;
  event.drop = why;
  event.count = drops_unreported_[i];
  drops_unreported_[i] = 0;
  report(effects, event);
}

// Among many peers each packet finds its peer and its path far from the caches, one by way of the
// other. So the table's place is asked for some packets ahead and, when it has come, what it leads
// to: with all of it in memory alone a packet among a thousand peers took 240 ns instead of 600.
void Engine::Impl::expect(LanIndex lan, std::span<const uint8_t> soon,
                          std::span<const uint8_t> later) const {
  peers_.fetch(glance_at_host(later));
  const auto peer = peers_.find(glance_at_host(soon));
  if (!peer) return;
  const uint32_t slot = slot_of(*peer, lan);
  fetch_ahead(&peers_[*peer], kCacheLine);
  fetch_ahead(&paths_[slot], offsetof(Path, recorder) + sizeof(FlightRecorder));
  heap_.fetch(slot);
}

// Whether the packet's sender may speak to us here; the slot of its path if so. Takes in new hosts
// and new incarnations.
std::optional<uint32_t> Engine::Impl::admit(Instant now, const PacketIn& packet, Effects& effects) {
  const auto refuse = [&](Drop why) {
    drop(now, packet.lan, in_.host, why, effects);
    return std::nullopt;
  };
  if (in_.cluster != config_.cluster) return refuse(Drop::kOtherCluster);
  if (in_.host == config_.host) return refuse(Drop::kOwnPacket);
  if (in_.to != HostId{} && in_.to != config_.host) return refuse(Drop::kNotForUs);

  auto peer = peers_.find(in_.host);
  if (!plan_.allowed.everybody() && !(peer && is_admitted(packet, *peer)) &&
      !is_allowed(in_.host, packet.from, {in_.lans.data(), in_.lans.size()})) {
    return refuse(Drop::kNotAllowed);
  }
  const bool known_place = peer && peers_[*peer].incarnation == in_.incarnation &&
                           peers_[*peer].advert_version == in_.advert_version &&
                           paths_[slot_of(*peer, packet.lan)].remote_lan == in_.arrival_lan;
  if (!known_place &&
      same_lan(in_.lans[in_.arrival_lan], lans_[packet.lan.value].config) == false) {
    return refuse(Drop::kCrossConnected);
  }
  if (!peer) {
    if (in_.type == MessageType::kBye) return std::nullopt;  // a stranger leaves: nothing to do
    peer = meet(now, packet.lan, effects);
    if (!peer) return refuse(Drop::kTableFull);
  } else {
    const Peer& known = peers_[*peer];
    if (is_another_run(now, packet, *peer)) {
      if (now - known.learned_at < kLearnEvery) return refuse(Drop::kTooOften);
      meet_restarted(now, *peer, effects);
    } else if (in_.incarnation < known.incarnation) {
      return refuse(Drop::kOldIncarnation);
    } else if (known.remnants_until) {
      // its goodbye is repeated, and may overtake its last INQs on another LAN
      return std::nullopt;
    }
  }
  return slot_of(*peer, packet.lan);
}

// What the packet says of its sender's name, addresses, pace and MAC address. Only of one that is
// evidence: a packet that somebody repeats says again what may long be otherwise.
void Engine::Impl::take_claims(Instant now, const PacketIn& packet, uint32_t slot,
                               Effects& effects) {
  Peer& peer = peers_[peer_of(slot)];
  const bool changed = in_.advert_version != peer.advert_version || peer.lans.empty();
  if (changed && now - peer.learned_at >= kLearnEvery) {
    drop_neighbours(peer_of(slot), effects);
    learn(now, peer_of(slot), effects);
    Event event = make_event(EventKind::kPeerChanged, now);
    event.host = in_.host;
    report(effects, event);
  }
  Path& path = paths_[slot];
  peer.requestor = in_.requestor;
  peer.interval = in_.interval;
  note_drained(now, packet, peer_of(slot), effects);
  if (!path.known) lans_[packet.lan.value].other++;
  path.known = true;
  // Its number in an advert that is not yet taken over says nothing.
  if (peer.advert_version == in_.advert_version) path.remote_lan = in_.arrival_lan;
  const Duration interval = interval_of(peer, packet.lan);
  // How soon a responder answers is shown by the answer alone (on_acknowledgment).
  const bool shown = peer.requestor || interval > path.interval;
  if (path.interval != interval && shown) change_interval(slot, interval);
  note_pace(slot);
  learn_source(now, packet, slot);
}

// Whether the peer's silence would be planned. LANs are read one after another, so that an older
// word may be read after a newer one.
void Engine::Impl::note_drained(Instant now, const PacketIn& packet, uint32_t peer,
                                Effects& effects) {
  Peer& known = peers_[peer];
  if (packet.arrived < known.claimed_at) return;
  known.claimed_at = packet.arrived;
  if (in_.drained == known.drained) return;
  const Instant until =
      std::max(known.drained_until, now - kDrainedChangeBurst) + kDrainedChangeEvery;
  if (until > now) return;
  known.drained_until = until;
  known.drained = in_.drained;
  Event event =
      make_event(known.drained ? EventKind::kPeerDrained : EventKind::kPeerUndrained, now);
  event.host = known.host;
  report(effects, event);
}

// Where the peer's packets come from, for unicast answers and for warm neighbour entries. Only the
// LAN on which a packet arrived is believed about its MAC address: the source of the frame, or (udp
// transport) the sender's word.
void Engine::Impl::learn_source(Instant now, const PacketIn& packet, uint32_t slot) {
  Path& path = paths_[slot];
  path.heard_from = packet.from;
  const MacAddress mac = packet.from_mac ? *packet.from_mac : in_.lans[in_.arrival_lan].mac;
  if (mac == path.mac || !mac.is_unicast()) return;
  if (path.mac != MacAddress{} && now - path.mac_at < kLearnEvery) return;
  path.mac = mac;
  path.mac_at = now;
  path.neighbour_moved = path.neighbour_set;
  if (!path.neighbour_wanted && path.state == PathState::kUp) {
    path.neighbour_wanted = true;
    neighbours_wanted_++;
  }
}

void Engine::Impl::on_inquiry(Instant now, const PacketIn& packet, uint32_t slot,
                              Effects& effects) {
  Path& path = paths_[slot];
  // Solicits are unicast and have a sequence of their own, so that they leave no gaps in the
  // broadcasts'.
  auto& last = in_.solicit ? path.solicited : path.sequence;
  // A path that has fallen silent believes any sequence: one that jumped ahead must not make all
  // that follow it old ones.
  const bool silent = !path.hearing && path.good == 0;
  if (last && !comes_after(in_.sequence, *last) && !silent) {
    note_arrival(now, packet, slot, true, effects);
    drop(now, packet.lan, in_.host, Drop::kOldSequence, effects);
    return;
  }
  note_arrival(now, packet, slot, false, effects);
  take_claims(now, packet, slot, effects);
  const Instant at = packet.arrived - shift_;
  if (in_.solicit) {
    path.heard_at = path.heard_at ? std::max(*path.heard_at, at) : at;
    path.received++;
  } else {
    const uint32_t gap = last ? in_.sequence - *last - 1 : 0;
    if (gap <= kLargestGap) note_gap(slot, gap);
    if (path.suspect) mark_dirty(peer_of(slot));
    if (in_.requestor) note_heard(path, rules_[packet.lan.value], at, gap == 0);
    note_listing(now, slot);
  }
  last = in_.sequence;
  after_evidence(now, slot, effects);
  if (in_.solicit ? may_answer(now, path) : !config_.requestor) {
    send_ack(now, packet, slot, effects);
  }
}

bool Engine::Impl::may_answer(Instant now, Path& path) {
  if (path.answered_at && now - *path.answered_at < kAnswerSolicitsEvery) return false;
  path.answered_at = now;
  return true;
}

// An ACK by broadcast reaches everybody: whoever asks all hosts for one, again and again, has each
// of them flood the LAN. Beyond some a path they are for the asker alone.
bool Engine::Impl::may_broadcast(Instant now, Path& path) {
  const Instant until =
      std::max(path.broadcast_until, now - kAckBroadcastBurst) + kAckBroadcastEvery;
  if (until > now) return false;
  path.broadcast_until = until;
  return true;
}

// So many packets of the peer are missing before this one. They count against the path only while
// it is judged by how well it works: not those of an outage, which had its verdict, and not what
// this host's own kernel has dropped.
void Engine::Impl::note_gap(uint32_t slot, uint32_t gap) {
  Path& path = paths_[slot];
  path.lost += gap;
  const bool judged = path.state == PathState::kUp || path.gray;
  const uint32_t drops = rules_for(slot).drops;
  const bool dropped_here = path.drops_seen != drops;
  path.drops_seen = drops;
  if (judged && !dropped_here) note_loss(path, gap);
}

// What the peer's broadcast INQ says of us: we are in its missing list, or we are not.
void Engine::Impl::note_listing(Instant now, uint32_t slot) {
  Path& path = paths_[slot];
  if (in_.misses(config_.host)) {
    path.heard_by_peer = HeardByPeer::kNo;
  } else if (!in_.missing_is_partial && path.acked) {
    path.heard_by_peer = HeardByPeer::kYes;
  } else if (path.heard_by_peer == HeardByPeer::kNo) {
    // It may hear us again; but part of a list, or a list from who has never answered us, proves
    // nothing: ask, and let the old word count no longer.
    path.heard_by_peer = HeardByPeer::kUnknown;
    plan_solicit(attention(now), slot);
  }
}

void Engine::Impl::on_acknowledgment(Instant now, const PacketIn& packet, uint32_t slot,
                                     Effects& effects) {
  Path& path = paths_[slot];
  Lan& lan = lans_[packet.lan.value];
  const bool ours = in_.to == config_.host && in_.to_incarnation == config_.incarnation;
  Instant asked;
  if (ours && in_.solicit && path.solicit_sequence == in_.echo_sequence) {
    asked = path.solicit_sent;
  } else if (ours && !in_.solicit && lan.sequence - in_.echo_sequence < kSentWindow &&
             lan.sent_at[in_.echo_sequence % kSentWindow] != Instant() &&
             (!path.echo || comes_after(in_.echo_sequence, *path.echo))) {
    asked = lan.sent_at[in_.echo_sequence % kSentWindow];
  } else {
    note_arrival(now, packet, slot, true, effects);
    drop(now, packet.lan, in_.host, Drop::kUnknownAck, effects);
    return;
  }
  const Duration sample = std::max(packet.arrived - asked - in_.echo_hold, Duration());
  note_round_trip(packet, slot, sample, effects);
  take_claims(now, packet, slot, effects);
  const Instant at = packet.arrived - shift_;
  if (in_.solicit) {
    path.solicit_sequence.reset();
    path.solicit_backoff = Duration();
    peers_[peer_of(slot)].untold = false;
    path.heard_at = path.heard_at ? std::max(*path.heard_at, at) : at;
    path.received++;
    if (path.state == PathState::kUnknown) path.hearing = true;
  } else {
    const uint32_t gap = path.echo ? in_.echo_sequence - *path.echo - 1 : 0;
    note_gap(slot, gap);
    if (path.suspect) mark_dirty(peer_of(slot));
    note_heard(path, rules_[packet.lan.value], at, gap == 0);
    path.echo = in_.echo_sequence;
    // It answers what was asked since we ask more often: from now on its answers come as often.
    const bool quicker = !in_.requestor && path.interval > lan.interval;
    if (quicker && asked >= lan.paced_at) change_interval(slot, lan.interval);
  }
  // proven: no need to insist
  if (in_.solicit) path.solicit_at = at + round_trip_pace(rules_for(slot), path.interval);
  path.acked = true;
  path.heard_by_peer = in_.hears_you ? HeardByPeer::kYes : HeardByPeer::kNo;
  path.round_trip = path.round_trip ? (*path.round_trip * 7 + sample) / 8 : sample;
  if (in_.solicit) answer_probe(now, slot, sample, effects);
  after_evidence(now, slot, effects);
}

// Evidence has changed: let the path judge itself, and ask for what is still unproven.
void Engine::Impl::after_evidence(Instant now, uint32_t slot, Effects& effects) {
  Path& path = paths_[slot];
  const LanIndex lan = lan_of(slot);
  lans_[lan.value].heard_at = path.heard_at;
  const bool unproven = !path.acked || path.heard_by_peer == HeardByPeer::kUnknown;
  if (unproven && !path.solicit_at) plan_solicit(attention(now), slot);
  note_quality(path, rules_[lan.value]);
  if (const auto verdict = judge(path)) {
    set_state(now, slot, verdict->state, verdict->reason, effects, false);
    if (verdict->state == PathState::kDown) judge_lan(now, slot, verdict->reason, effects);
  }
  update_missing(slot);
  if (peers_[peer_of(slot)].waiting) mark_dirty(peer_of(slot));
  arm(slot);
}

}  // namespace faild
