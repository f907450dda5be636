// The peers that we do not hear on one LAN, or turn away from it, for the missing list of our INQs:
// constant-time changes, and a window that rotates when they are more than one packet holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bounded.h"
#include "base/check.h"
#include "base/ids.h"
#include "base/memory.h"

namespace faild {

class MissingList {
 public:
  explicit MissingList(size_t max_peers, Memory* memory = general_heap()) : peers_(memory) {
    peers_.reserve(max_peers);
  }

  [[nodiscard]] size_t size() const { return peers_.size(); }

  // The caller keeps the place that each member has (`place_of`), so that leaving costs no search.
  [[nodiscard]] uint32_t join(uint32_t peer) {
    peers_.push_back(peer);
    return static_cast<uint32_t>(peers_.size() - 1);
  }
  // Returns the peer that has moved into `place`, whose place the caller must correct; nullopt when
  // it was the last.
  [[nodiscard]] std::optional<uint32_t> leave(uint32_t place) {
    FAILD_CHECK(place < peers_.size());
    const uint32_t last = peers_.back();
    peers_.pop_back();
    if (place == peers_.size()) return std::nullopt;
    peers_[place] = last;
    return last;
  }

  // Visits the next window of at most `room` members.
  template <typename Visit>
  void next_window(size_t room, Visit visit) {
    const size_t count = room < peers_.size() ? room : peers_.size();
    for (size_t i = 0; i < count; i++) {
      if (cursor_ >= peers_.size()) cursor_ = 0;
      visit(peers_[cursor_++]);
    }
  }

 private:
  std::pmr::vector<uint32_t> peers_;
  size_t cursor_ = 0;
};

}  // namespace faild
