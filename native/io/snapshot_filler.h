// Fills a snapshot some rows a wake-up, so that reading 16,384 peers never holds up a verdict.
// Engine thread only; the memory is the owner's and has room for every row.
#pragma once

#include <algorithm>

#include "core/engine.h"
#include "io/runtime.h"

namespace faild {

class SnapshotFiller {
 public:
  [[nodiscard]] bool active() const { return out_ != nullptr; }
  void begin(Snapshot* out) {
    out_ = out;
    next_peer_ = 0;
  }
  // True: the snapshot is complete, and no longer ours.
  [[nodiscard]] bool advance(Instant now, const Engine& engine) {
    if (out_->query && next_peer_ == 0) add_sent(engine);
    const size_t end = std::min(engine.peer_count(), next_peer_ + kPeersPerRound);
    for (; next_peer_ < end; next_peer_++) {
      if (out_->query) {
        add_heard(engine, next_peer_);
      } else {
        add_peer(now, engine, next_peer_);
      }
    }
    if (next_peer_ < engine.peer_count()) return false;
    finish(now, engine);
    return true;
  }

 private:
  static constexpr size_t kPeersPerRound = 64;

  void finish(Instant now, const Engine& engine) {
    out_->taken = now;
    out_->counters = engine.counters();
    for (size_t i = 0; i < engine.lan_count(); i++) {
      LanRow row;
      engine.read_lan(LanIndex{static_cast<uint8_t>(i)}, &row);
      if (has_room(out_->lans)) out_->lans.push_back(row);
    }
    out_ = nullptr;
  }

  // push_back within the capacity that the owner reserved: never an allocation.
  template <typename Rows>
  static bool has_room(const Rows& rows) {
    return rows.size() < rows.capacity();
  }
  void add_peer(Instant now, const Engine& engine, size_t peer) {
    PeerRow row;
    engine.read_peer(peer, &row);
    if (has_room(out_->peers)) out_->peers.push_back(row);
    for (size_t i = 0; i < engine.lan_count(); i++) {
      PathRow path;
      const LanIndex lan{static_cast<uint8_t>(i)};
      if (engine.read_path(now, peer, lan, &path) && has_room(out_->paths)) {
        out_->paths.push_back(path);
      }
    }
  }

  [[nodiscard]] bool is_asked(size_t lan) const {
    return !out_->query->lan || out_->query->lan->value == lan;
  }
  void add_recording(const Recording& recording) {
    if (recording.probes.empty()) return;
    if (has_room(out_->recordings)) {
      out_->recordings.push_back(recording);
    } else {
      out_->recordings_left_out++;
    }
  }
  // What we send to everybody, on each LAN, now and before the last verdicts.
  void add_sent(const Engine& engine) {
    for (size_t i = 0; i < engine.lan_count(); i++) {
      if (!is_asked(i)) continue;
      const LanIndex lan{static_cast<uint8_t>(i)};
      Recording recording;
      engine.read_probes(lan, &recording);
      add_recording(recording);
      for (size_t kept = 0; engine.read_kept(lan, kept, &recording); kept++) {
        add_recording(recording);
      }
    }
  }
  void add_heard(const Engine& engine, size_t peer) {
    PeerRow row;
    engine.read_peer(peer, &row);
    if (out_->query->host != HostId{} && out_->query->host != row.host) return;
    for (size_t i = 0; i < engine.lan_count(); i++) {
      const LanIndex lan{static_cast<uint8_t>(i)};
      Recording recording;
      if (is_asked(i) && engine.read_probes(peer, lan, &recording)) add_recording(recording);
    }
  }

  Snapshot* out_ = nullptr;
  size_t next_peer_ = 0;
};

}  // namespace faild
