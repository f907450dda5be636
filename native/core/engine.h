// The engine: the whole of faild's judgment, without any I/O.
//
// It composes the peer table, the detector (one path), the LAN judgment and the planner. Inputs go
// in with `now`, Effects come out; it reads no clock, takes no lock, allocates nothing after
// construction and calls nobody. The same object runs on the daemon's thread, under the simulators'
// virtual clock and under the fuzzers.
//
// Contract with the caller:
//  - `now` never decreases. `arrived` of a packet may lie before `now` (late reading is harmless).
//  - Before on_deadline: drain every LAN's socket into on_packet, so that no verdict overlooks what
//  has already arrived.
//  - Carry out `effects` (route operations first, in order) and clear them before the next call.
//  - Call on_deadline at poll_at() or soon after. Coming late is noticed and voids the round
//  instead of blaming peers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/memory.h"
#include "core/config.h"
#include "core/effects.h"
#include "core/snapshot.h"

namespace faild {

struct PacketIn {
  Instant arrived;  // the kernel's receive timestamp
  LanIndex lan;
  IpAddress from;                      // source of the IP header
  std::optional<MacAddress> from_mac;  // source of the Ethernet header, when the transport shows it
  std::span<const uint8_t> payload;
};

struct LinkChange {
  LanIndex lan;
  bool carrier = false;  // up and running
};

struct Command {
  enum class Kind : uint8_t {
    kSetPlan,     // `plan`, which was checked (EINVAL) and takes hold at once
    kSwitchback,  // let traffic return now (host and lan; host zero: every path of the LAN)
    kFailover,    // move one path, or a LAN (host zero), to its alternate
    kBye,         // say goodbye once (the caller repeats it; three times in all) and stop judging
    // remove everything that carries no traffic; answered when the kernel has done it
    kCleanup,
    // ask `host` on `lan` now, out of turn; answered when it answers, with that one round trip. One
    // at a time a LAN: EBUSY. No more often than a peer may be asked: EAGAIN.
    kProbe,
    // `lan`'s heartbeats are not read, or not sent, for `mute.length` of at most 60 s. EBUSY: one
    // is muted already. EHOSTUNREACH: no peer is up on it, or one is up nowhere else.
    kMute,
    kUnmute,  // before its time; ENOENT: it is not muted
    kTap,     // from now on each probe that `tap` wants goes into Effects::tapped; none: no more
  } kind = Kind::kSetPlan;
  uint32_t id = 0;  // comes back in the answer
  Plan plan;
  HostId host;
  LanIndex lan;
  struct {
    bool in = false, out = false;
    Duration length;
  } mute;
  std::optional<ProbeQuery> tap;
};

class Engine {
 public:
  // `memory` is taken from here alone, and outlives the engine.
  explicit Engine(const EngineConfig& config, Instant now, Memory* memory = general_heap());
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  void on_packet(Instant now, const PacketIn& packet, Effects& effects);
  // Packets that lie ready: the one that comes soon on this LAN, and one after it. What they will
  // touch is fetched into the caches meanwhile. Hints: unchecked bytes, or none, and no effect.
  void expect(LanIndex lan, std::span<const uint8_t> soon, std::span<const uint8_t> later) const;
  // Before the first packet that was queued after the drop. `count` 0: packets of that LAN may wait
  // that could not be read in time.
  void on_receive_drops(Instant now, LanIndex lan, uint32_t count, Effects& effects);
  void on_link(Instant now, const LinkChange& change, Effects& effects);
  // Our own interface's index (0: it is away), MAC or addresses are now these (the LAN's name
  // stays).
  void on_interface(Instant now, LanIndex lan, const LanConfig& interface, Effects& effects);
  // The kernel's answers come in the order of the operations, and before any removal or dump that
  // followed what they grant.
  void on_route_result(Instant now, const RouteResult& result, Effects& effects);
  // Somebody else removed an entry of ours (RTM_DELROUTE, RTM_DELRULE not caused by our own
  // socket).
  void on_entry_removed(Instant now, const RouteKey& key, Effects& effects);
  // A dump of our tables: at the start, after ENOBUFS, after a link change. Whatever is not named
  // between begin and end is not in the kernel. Nothing is written to the kernel before the first
  // resync has ended.
  void on_resync_begin(Instant now);
  void on_resync_entry(Instant now, const KernelEntry& entry);
  void on_resync_end(Instant now, Effects& effects);
  void on_command(Instant now, const Command& command, Effects& effects);
  void on_deadline(Instant now, Effects& effects);

  // When on_deadline wants to be called next. There is always a next time.
  [[nodiscard]] Instant poll_at() const;
  // When the next path will be judged silent, if its peer stays so; nullopt: no path is near enough
  // to it to tell. Worth being awake for: what a timer is late, traffic is lost.
  [[nodiscard]] std::optional<Instant> verdict_at() const;
  // The shortest interval in play, ours or a peer's: wake-ups may be batched to a small fraction of
  // it.
  [[nodiscard]] Duration shortest_interval() const;
  // The shortest time between two regular inquiries of ours; an hour or more for a host that only
  // answers.
  [[nodiscard]] Duration own_pace() const;

  // Reading. Peers are numbered 0 .. peer_count()-1; a number keeps its host unless the table is
  // full and the host long gone.
  [[nodiscard]] size_t peer_count() const;
  [[nodiscard]] size_t lan_count() const;
  void read_peer(size_t peer, PeerRow* row) const;
  // False: this peer has no address on that LAN and was never heard there, so there is no path.
  [[nodiscard]] bool read_path(Instant now, size_t peer, LanIndex lan, PathRow* row) const;
  void read_lan(LanIndex lan, LanRow* row) const;
  // The flight recorder: of this path; of what we send to everybody on that LAN.
  [[nodiscard]] bool read_probes(size_t peer, LanIndex lan, Recording* out) const;
  void read_probes(LanIndex lan, Recording* out) const;
  // The same as it was at a verdict: the `i`th of kVerdictsKept. False: there is none.
  [[nodiscard]] bool read_kept(LanIndex lan, size_t i, Recording* out) const;
  [[nodiscard]] const Counters& counters() const;

 private:
  class Impl;
  Owned<Impl> impl_;
};

}  // namespace faild
