// The engine's inside: one class, its methods in files by the kind of input.
//
//   engine.cc           construction, the public face, time (deadlines, stalls, what is due)
//   engine_packets.cc   a packet has arrived: may it count, and what does it prove
//   engine_peers.cc     whom we know: met, learned, restarted, gone, forgotten
//   engine_verdicts.cc  a path changes state; a whole LAN is judged
//   engine_probes.cc    what we send: INQ, ACK, solicit, BYE
//   engine_routes.cc    where traffic shall go
//   engine_kernel.cc    the kernel's answers; dumps and adoption; neighbours; commands
//   engine_mute.cc      heartbeats that do not count for a while
//   engine_timing.cc    when we speak on each LAN, and how its interval changes
//   engine_read.cc      rows for readers
//   engine_recorder.cc  the flight recorder: noting probes, keeping them at a verdict
//
// Invariants:
//  - A chosen alternate was up and fresh when it was chosen; the last path is never withdrawn.
//  - Every path that has something to wait for has an entry in the deadline heap, at or before its
//  real deadline.
//  - A peer whose evidence has changed is in `dirty_` until its routes have been decided again.
//  - A LAN's standby entries for healthy peers are in the kernel only while its rule is not
//  (LanMode::kReady).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/deadline_heap.h"
#include "core/engine.h"
#include "core/flight_recorder.h"
#include "core/missing_list.h"
#include "core/path.h"
#include "core/peer_table.h"
#include "core/planner.h"
#include "core/route_store.h"

namespace faild {

// How a LAN's standby table stands to its rule.
enum class LanMode : uint8_t {
  kReady,    // no rule; the table is filled for every peer; single peers move by exceptions
  kMoved,    // the rule is in force; the table holds just the paths that shall be away
  kLeaving,  // single exceptions are taking over; when they stand, the rule goes
};

inline constexpr size_t kSentWindow = 64;  // INQs whose ACKs are still accepted; a power of two

struct Lan {
  LanConfig config;
  LanMode mode = LanMode::kReady;
  bool down = false;  // judged as a whole
  bool carrier = true;
  Reason reason = Reason::kNone;
  Instant since;
  Instant verdict_at;
  Duration detect;
  // after a LAN verdict: the next peer whose path is still to be marked
  std::optional<uint32_t> sweep;
  // paths by state; away: traffic takes an alternate
  uint32_t up = 0, other = 0, down_paths = 0, away = 0;
  uint32_t moved_count = 0;  // paths of the last LAN verdict
  uint32_t missed = 0;       // the most packets that one of them had missed
  uint32_t sequence = 0, unicast_sequence = 0;
  std::array<Instant, kSentWindow> sent_at{};  // by broadcast sequence
  std::optional<Instant> solicit_gate;         // solicits are spaced
  std::optional<Instant> urgent_at;            // last INQ out of turn
  bool urgent = false;
  // Our own INQs (engine_timing.cc).
  Duration interval;                // announced in every packet
  Duration pace;                    // kept between two of them; never longer than `interval`
  uint32_t announcements = 0;       // still to be sent at the old pace
  Instant paced_at;                 // since when the pace is no longer than now
  bool on_grid = true;              // `next_send` is a whole number of `pace` away from the grid
  Instant next_send;                // the next regular one
  Duration shortest, longest;       // intervals in play: ours, and those of paths that are up
  std::optional<Instant> heard_at;  // the last packet of anybody, attention clock
  uint64_t sent = 0, received = 0;
  // A measurement under way (Command::kProbe): who is asked, since when, for which command.
  struct Probe {
    HostId host;
    Instant asked;
    uint32_t id = 0;
  };
  std::optional<Probe> probe;
  FlightRecorder recorder;          // of what we send to everybody
  VerdictRecorder before_verdicts;  // the same
};

void follow_plan(DetectorRules& rules, const Plan& plan, size_t lan);

class Engine::Impl {
 public:
  Impl(const EngineConfig& config, Instant now, Memory* memory);

  // Inputs, as in engine.h.
  void on_packet(Instant now, const PacketIn& packet, Effects& effects);
  void expect(LanIndex lan, std::span<const uint8_t> soon, std::span<const uint8_t> later) const;
  void on_receive_drops(Instant now, LanIndex lan, uint32_t count, Effects& effects);
  void on_link(Instant now, const LinkChange& change, Effects& effects);
  void on_interface(Instant now, LanIndex lan, const LanConfig& interface, Effects& effects);
  void on_route_result(Instant now, const RouteResult& result, Effects& effects);
  void on_entry_removed(Instant now, const RouteKey& key, Effects& effects);
  [[nodiscard]] bool leads_over_dead_link(const RouteKey& key) const;
  void on_resync_begin();
  void on_resync_entry(const KernelEntry& entry);
  void on_resync_end(Instant now, Effects& effects);
  void on_command(Instant now, const Command& command, Effects& effects);
  void on_deadline(Instant now, Effects& effects);
  [[nodiscard]] Instant poll_at() const;
  [[nodiscard]] std::optional<Instant> verdict_at() const;

  // Reading.
  void read_path(Instant now, uint32_t peer, LanIndex lan, PathRow* row) const;
  void read_lan(LanIndex lan, LanRow* row) const;
  void read_probes(uint32_t peer, LanIndex lan, Recording* out) const;
  void read_probes(LanIndex lan, Recording* out) const;
  [[nodiscard]] bool read_kept(LanIndex lan, size_t i, Recording* out) const;
  [[nodiscard]] bool has_path(uint32_t peer, LanIndex lan) const;
  [[nodiscard]] const PeerTable& peers() const { return peers_; }
  [[nodiscard]] size_t lan_count() const { return lans_.size(); }
  [[nodiscard]] const Counters& counters() const { return counters_; }
  [[nodiscard]] Duration shortest_interval() const { return shortest_; }
  [[nodiscard]] Duration own_pace() const;

 private:
  // --- time (engine.cc)
  [[nodiscard]] Instant attention(Instant now) const { return now - shift_; }
  void begin(Instant now);
  void notice_stall(Instant now, Effects& effects);
  void stand_still(Instant at, Duration stalled);
  void arm(uint32_t slot);
  [[nodiscard]] std::optional<Instant> path_deadline(uint32_t slot) const;
  void fire_deadlines(Instant now, Effects& effects);
  void fire_path(Instant now, uint32_t slot, Effects& effects);
  void introduce(Instant now, uint32_t slot, Effects& effects);
  void finish_step(Instant now, Effects& effects);
  void report(Effects& effects, const Event& event);
  [[nodiscard]] Event path_event(EventKind kind, Instant now, uint32_t slot) const;

  // --- packets (engine_packets.cc)
  void drop(Instant now, LanIndex lan, HostId host, Drop why, Effects& effects);
  [[nodiscard]] std::optional<uint32_t> admit(Instant now, const PacketIn& packet,
                                              Effects& effects);
  void take_claims(Instant now, const PacketIn& packet, uint32_t slot, Effects& effects);
  void on_inquiry(Instant now, const PacketIn& packet, uint32_t slot, Effects& effects);
  void on_acknowledgment(Instant now, const PacketIn& packet, uint32_t slot, Effects& effects);
  void note_drained(Instant now, const PacketIn& packet, uint32_t peer, Effects& effects);
  void note_listing(Instant now, uint32_t slot);
  void note_gap(uint32_t slot, uint32_t gap);
  [[nodiscard]] static bool may_answer(Instant now, Path& path);
  [[nodiscard]] static bool may_broadcast(Instant now, Path& path);
  void after_evidence(Instant now, uint32_t slot, Effects& effects);
  void learn_source(Instant now, const PacketIn& packet, uint32_t slot);

  // --- peers (engine_peers.cc)
  [[nodiscard]] bool is_allowed(HostId host, const IpAddress& from,
                                std::span<const LanAdvert> places) const;
  [[nodiscard]] bool is_still_allowed(uint32_t peer) const;
  [[nodiscard]] bool is_admitted(const PacketIn& packet, uint32_t peer) const;
  void expel(Instant now, uint32_t peer, Effects& effects);
  [[nodiscard]] std::optional<uint32_t> meet(Instant now, LanIndex lan, Effects& effects);
  [[nodiscard]] std::optional<uint32_t> make_room(Instant now, Effects& effects);
  [[nodiscard]] std::optional<Instant> gone_since(uint32_t peer) const;
  [[nodiscard]] bool was_proven(uint32_t peer) const;
  void forget_peer(uint32_t peer, Effects& effects);
  void forget_path(uint32_t slot, Effects& effects);
  void learn(Instant now, uint32_t peer, Effects& effects);
  [[nodiscard]] std::optional<uint8_t> place_on(const Peer& peer, LanIndex lan) const;
  [[nodiscard]] bool is_elsewhere(const Peer& peer, LanIndex lan) const;
  void locate_paths(Instant now, uint32_t peer, Effects& effects);
  void meet_restarted(Instant now, uint32_t peer, Effects& effects);
  void on_goodbye(Instant now, Instant arrived, uint32_t peer, Effects& effects);
  void stop_peer(Instant now, uint32_t peer, Instant remnants_until, Reason reason,
                 Effects& effects);
  [[nodiscard]] bool is_another_run(Instant now, const PacketIn& packet, uint32_t peer) const;
  // Between the packets that we may expect of it: its INQs, or its ACKs to ours.
  [[nodiscard]] Duration interval_of(const Peer& peer, LanIndex lan) const {
    return peer.requestor ? peer.interval : lans_[lan.value].interval;
  }

  // --- verdicts (engine_verdicts.cc)
  void set_state(Instant now, uint32_t slot, PathState state, Reason reason, Effects& effects,
                 bool quiet);
  void count_state(Lan& lan, PathState state, int32_t by);
  void update_missing(uint32_t slot);
  void update_missing_of(uint32_t peer);
  [[nodiscard]] bool is_turned_away(uint32_t slot) const;
  void path_silent(Instant now, uint32_t slot, Effects& effects);
  [[nodiscard]] bool has_left(uint32_t slot, Instant at) const;
  [[nodiscard]] bool has_fresh_alternate(uint32_t peer, LanIndex lan, Instant at) const;
  [[nodiscard]] bool lan_is_wholly_silent(LanIndex lan, Instant at) const;
  [[nodiscard]] bool lan_is_silent(LanIndex lan, Instant at) const;
  [[nodiscard]] bool may_look_at_all(Instant now);
  void judge_lan(Instant now, uint32_t slot, Reason reason, Effects& effects);
  void lan_down(Instant now, LanIndex lan, Reason reason, Effects& effects);
  void sweep_lan(Instant now, LanIndex lan, Effects& effects);
  void judge_lan_up(Instant now, LanIndex lan, Effects& effects);
  void judge_isolation(Instant now, Effects& effects);

  // --- timing (engine_timing.cc)
  [[nodiscard]] const DetectorRules& rules_for(uint32_t slot) const {
    return rules_[lan_of(slot).value];
  }
  [[nodiscard]] Instant next_turn(Instant now, Duration pace) const;
  void start_turns(Instant now);
  void end_turn(Instant now, Lan& lan, bool spoken);
  void note_next_send();
  void retime(Instant now, LanIndex lan, const Timing& before, const Timing& timing);
  void retime_path(Instant at, uint32_t slot, const DetectorRules& old);
  void change_interval(uint32_t slot, Duration interval);
  void note_pace(uint32_t slot);
  void measure_intervals();

  // --- probes (engine_probes.cc)
  void send_inquiries(Instant now, Effects& effects);
  [[nodiscard]] bool send_inquiry(Instant now, LanIndex lan, bool urgent, Effects& effects);
  void send_ack(Instant now, const PacketIn& packet, uint32_t slot, Effects& effects);
  void send_solicit(Instant now, uint32_t slot, Effects& effects);
  void send_goodbyes(Instant now, Effects& effects);
  void plan_solicit(Instant at, uint32_t slot);
  void announce_drain(Instant now);
  [[nodiscard]] int probe(Instant now, const Command& command);
  void answer_probe(Instant now, uint32_t slot, Duration round_trip, Effects& effects);
  void refresh_advert();
  [[nodiscard]] SendPacket* start_packet(LanIndex lan, MessageType type, Effects& effects);
  void finish_packet(Instant now, SendPacket& packet, std::optional<uint32_t> slot, Duration late,
                     Effects& effects);

  // --- the flight recorder (engine_recorder.cc)
  void note(uint32_t slot, const Probe& probe, Effects& effects);
  void note_arrival(Instant now, const PacketIn& packet, uint32_t slot, bool refused,
                    Effects& effects);
  void note_round_trip(const PacketIn& packet, uint32_t slot, Duration round_trip,
                       Effects& effects);
  void note_sent(Instant now, LanIndex lan, std::optional<uint32_t> slot, Duration late,
                 Effects& effects);
  void tap(const Probe& probe, HostId host, LanIndex lan, Duration interval,
           Effects& effects) const;
  [[nodiscard]] uint32_t dump_path(Instant now, uint32_t slot, Effects& effects);
  [[nodiscard]] uint32_t dump_lan(Instant now, LanIndex lan, Effects& effects);
  [[nodiscard]] bool dump(uint32_t slot, Effects& effects);

  // --- muting (engine_mute.cc)
  [[nodiscard]] int mute(Instant now, const Command& command, Effects& effects);
  [[nodiscard]] int unmute(Instant now, LanIndex lan, Effects& effects);
  void end_mute(Instant now, Effects& effects);
  void report_mute(EventKind kind, Instant now, Effects& effects);
  [[nodiscard]] bool is_muted(const PacketIn& packet) const;
  [[nodiscard]] uint32_t muted_bits() const;

  // --- routes (engine_routes.cc)
  void mark_dirty(uint32_t peer);
  void set_waiting(uint32_t peer, bool waiting);
  void reconsider_waiting();
  void decide_some(Instant now);
  void decide_peer(Instant now, uint32_t peer);
  void decide_path(Instant now, uint32_t slot);
  [[nodiscard]] bool is_moved_by_hand(uint32_t slot) const;
  void leave_path(Instant now, uint32_t slot);
  void return_path(Instant now, uint32_t slot);
  void set_via(uint32_t slot, std::optional<LanIndex> via);
  void apply_routes(uint32_t slot);
  void apply_destination(uint32_t slot, const IpAddress& destination, bool announce);
  void apply_direct(uint32_t slot, const IpAddress& destination);
  [[nodiscard]] uint32_t rto_min_ms() const;
  void retract_routes(uint32_t slot);
  void claim(Instant now, uint32_t slot);
  void supersede(uint32_t slot, const IpAddress& address);
  [[nodiscard]] std::optional<RouteTarget> route_target(uint32_t slot, const IpAddress& destination,
                                                        LanIndex via, bool returning) const;
  void want_lan_rules(LanIndex lan, bool wanted, RoutePhase phase, bool announce);
  void want_standing_rules();
  void want_direct_rule(const Prefix& everything);
  void tend_lan(Instant now, LanIndex lan);
  void adopt(Instant now, Effects& effects);
  void adopt_rule(Instant now, const RouteKey& key);
  void remove_orphans();
  void adopt_routes(Instant now, Effects& effects);
  void report_outcome(Instant now, const RouteOutcome& outcome, Effects& effects);
  void note_no_room(Instant now, Effects& effects);
  void emit_neighbours(Effects& effects);
  void want_neighbours_again(std::optional<LanIndex> lan);
  [[nodiscard]] bool is_anothers(uint32_t slot, const IpAddress& address) const;
  void set_neighbours(uint32_t slot, bool present, Effects& effects);
  void drop_neighbours(uint32_t peer, Effects& effects);
  void drop_path_neighbours(uint32_t slot, Effects& effects);
  void relocate_some(Instant now, Effects& effects);
  void clean_up(uint32_t id);
  [[nodiscard]] int set_plan(Instant now, const Plan& plan);
  void permit_return(LanIndex lan);
  [[nodiscard]] int move_by_hand(const Command& command);

  // --- addressing
  [[nodiscard]] uint32_t slot_of(uint32_t peer, LanIndex lan) const {
    return peer * lan_count_ + lan.value;
  }
  [[nodiscard]] uint32_t peer_of(uint32_t slot) const { return slot / lan_count_; }
  [[nodiscard]] LanIndex lan_of(uint32_t slot) const {
    return LanIndex{static_cast<uint8_t>(slot % lan_count_)};
  }
  [[nodiscard]] std::span<const Path> paths_of(uint32_t peer) const {
    return {&paths_[peer * lans_.size()], lans_.size()};
  }
  [[nodiscard]] const LanAdvert* advert_of(uint32_t slot) const;

  EngineConfig config_;
  uint32_t lan_count_;
  Plan plan_;
  std::array<DetectorRules, kMaxLans> rules_{};  // by LAN
  PeerTable peers_;
  std::pmr::vector<Path> paths_;  // peer * lan_count + lan
  std::pmr::vector<Lan> lans_;
  std::pmr::vector<MissingList> missing_;  // by LAN
  DeadlineHeap heap_;                      // attention clock, lazily early
  uint32_t last_dump_ = 0;
  std::optional<ProbeQuery> tap_;  // of whoever listens
  RouteStore store_;
  Counters counters_;

  // Time.
  Duration shift_;  // all stalls together: real clock - attention clock
  Instant last_run_, looked_at_, next_tick_;
  Instant grid_;       // every regular INQ is a whole number of its pace away from here
  Instant next_send_;  // the first of the LANs'
  Duration shortest_;  // of the intervals in play
  std::optional<Instant> room_made_at_;
  Instant looks_paid_until_;
  std::optional<Instant> stall_reported_at_;
  uint32_t stalls_unreported_ = 0;
  Duration stall_worst_;
  bool isolated_ = false;
  std::optional<Instant> drops_reported_at_;  // the kernel dropped packets
  uint32_t receive_drops_unreported_ = 0;
  std::array<std::optional<Instant>, kDrops> drop_reported_at_{};
  std::array<uint32_t, kDrops> drops_unreported_{};

  // Peers whose routes are to be decided again, first in, first out; `dirty_flags_` keeps each in
  // once.
  std::pmr::vector<uint32_t> dirty_;  // a ring of max_peers places
  size_t dirty_head_ = 0, dirty_count_ = 0;
  int waiting_count_ = 0;  // peers that are `waiting`
  std::pmr::vector<uint8_t> dirty_flags_;
  // an interface has changed: the next peer whose places are still to be found anew
  std::optional<uint32_t> relocate_;
  // a rule must reach the kernel before single peers are looked at
  bool lan_verdict_now_ = false;
  uint32_t neighbours_wanted_ = 0, neighbour_cursor_ = 0;
  Instant neighbours_again_at_;
  uint32_t neighbour_id_ = 0;

  bool ledger_full_ = false;  // it was once: whoever got no place asks again now and then

  struct Mute {
    LanIndex lan;
    bool in, out;
    Instant since, until;  // real clock
  };
  std::optional<Mute> muted_;  // one LAN at a time

  // Life.
  bool synced_ = false;  // the first dump has been read: we may write
  bool stopped_ = false;
  std::optional<Instant> orphans_until_;
  std::optional<uint32_t> cleanup_id_;
  uint32_t advert_version_ = 1;

  Heartbeat in_, out_;  // scratch; `out_` keeps our name and adverts
};

}  // namespace faild
