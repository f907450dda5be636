// The one packet that a host of the crowd says again and again: made once, then only renumbered.
//
// A frame's sequence number and UDP checksum are the only bytes that change from one INQ to the
// next; the checksum follows the number by RFC 1624. The crowd would otherwise spend more time in
// the codec than in the kernel.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstdint>

#include "wire/frame.h"
#include "wire/heartbeat.h"

namespace faild::bench {

class Voice {
 public:
  // Makes the packet anew. Its sequence number may be changed afterwards.
  void set(const FrameAddresses& addresses, const Heartbeat& beat);
  void renumber(uint32_t sequence);
  [[nodiscard]] iovec part() { return {bytes_.data(), size_}; }
  // Whether a renumbered packet is what the codec would have made: the offsets are ours.
  [[nodiscard]] static bool proves_itself(const FrameAddresses& addresses, Heartbeat beat);

 private:
  // Two LANs with two addresses each, a name and one missing host: 178 bytes at most.
  static constexpr size_t kRoom = 192;
  std::array<uint8_t, kRoom> bytes_{};
  size_t size_ = 0;
};

}  // namespace faild::bench
