// The peers that we have met, found by host id in constant time. Memory is taken once, for
// max_peers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/memory.h"
#include "base/prefetch.h"
#include "wire/heartbeat.h"

namespace faild {

// What every packet of a healthy peer looks at or changes lies first, in one cache line.
struct alignas(kCacheLine) Peer {
  Incarnation incarnation;
  Duration interval;  // announced
  // Its run has ended, as it has said: what arrives of it before then is a remnant.
  std::optional<Instant> remnants_until;
  Instant claimed_at;  // arrival of the packet that last said whether it is `drained`
  uint32_t advert_version = 0;
  bool requestor = false;
  bool drained = false;  // it says that it may fall silent by plan
  bool untold = false;   // it has yet to acknowledge whether we are drained
  // wants to move but had no fresh alternate: look again when it is heard
  bool waiting = false;
  BoundedVector<LanAdvert, kMaxLans> lans;  // its places, in its own order

  Instant learned_at;     // when its name and places were last taken over
  Instant drained_until;  // so far its budget of changes of `drained` is spent
  HostId host;
  HostName name;
};

class PeerTable {
 public:
  // `seed` is nobody else's knowledge: hosts choose their ids themselves.
  PeerTable(size_t max_peers, uint64_t seed, Memory* memory = general_heap());

  [[nodiscard]] size_t size() const { return peers_.size(); }
  [[nodiscard]] std::optional<uint32_t> find(HostId host) const;
  // It will soon be looked for.
  void fetch(HostId host) const { fetch_ahead(&index_[home(host)], sizeof(Place)); }
  [[nodiscard]] std::optional<uint32_t> add(HostId host);  // nullopt: full
  // The place of one that is to be forgotten becomes that of `host`. Rare, and as long as the
  // table.
  void replace(uint32_t peer, HostId host);
  // The most places that are looked at for any of the hosts.
  [[nodiscard]] size_t longest_search() const;
  Peer& operator[](uint32_t peer) { return peers_[peer]; }
  const Peer& operator[](uint32_t peer) const { return peers_[peer]; }

 private:
  [[nodiscard]] size_t home(HostId host) const;
  [[nodiscard]] size_t bucket(HostId host) const;

  size_t max_peers_;
  uint64_t multiplier_;
  std::pmr::vector<Peer> peers_;  // reserved for max_peers
  // Open addressing, linear probing, at most half full. The host id lies here, too, so that a
  // search touches no peer: whoever is found can be fetched together with his path.
  struct Place {
    HostId host;
    uint32_t number = 0;  // peer + 1; 0: the place is free
  };
  std::pmr::vector<Place> index_;
};

}  // namespace faild
