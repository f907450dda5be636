// Peers by host id: open addressing over a table that never grows.
#include "core/peer_table.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "base/random.h"

namespace faild {

PeerTable::PeerTable(size_t max_peers, uint64_t seed, Memory* memory)
    : max_peers_(max_peers), multiplier_(Random(seed).next() | 1), peers_(memory), index_(memory) {
  FAILD_CHECK(max_peers >= 1 && max_peers <= kMaxPeers);
  peers_.reserve(max_peers);
  index_.assign(std::bit_ceil(max_peers * 2), Place());
}

// Host ids are random numbers, but a hostile host chooses its own. The highest bits of the product
// with an unknown odd number are a universal hash (Dietzfelbinger and others 1997): whatever ids
// are chosen, two of them meet no more often than by chance.
size_t PeerTable::home(HostId host) const {
  return static_cast<size_t>((host.value * multiplier_) >> (64 - std::countr_zero(index_.size())));
}

// Where `host` is, or the free place where it would be.
size_t PeerTable::bucket(HostId host) const {
  const size_t mask = index_.size() - 1;
  size_t i = home(host);
  while (index_[i].number != 0 && index_[i].host != host) i = (i + 1) & mask;
  return i;
}

size_t PeerTable::longest_search() const {
  size_t longest = 0;
  for (const Peer& peer : peers_) {
    const size_t distance = (bucket(peer.host) - home(peer.host)) & (index_.size() - 1);
    longest = std::max(longest, distance + 1);
  }
  return longest;
}

std::optional<uint32_t> PeerTable::find(HostId host) const {
  const uint32_t number = index_[bucket(host)].number;
  if (number == 0) return std::nullopt;
  return number - 1;
}

std::optional<uint32_t> PeerTable::add(HostId host) {
  if (peers_.size() == max_peers_) return std::nullopt;
  const size_t i = bucket(host);
  FAILD_CHECK(index_[i].number == 0);
  peers_.emplace_back().host = host;
  index_[i] = {host, static_cast<uint32_t>(peers_.size())};
  return static_cast<uint32_t>(peers_.size() - 1);
}

void PeerTable::replace(uint32_t peer, HostId host) {
  peers_[peer] = Peer();
  peers_[peer].host = host;
  std::fill(index_.begin(), index_.end(), Place());
  for (uint32_t i = 0; i < peers_.size(); i++) {
    index_[bucket(peers_[i].host)] = {peers_[i].host, i + 1};
  }
}

}  // namespace faild
