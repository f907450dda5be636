#include "voice.h"

#include <algorithm>

#include "base/check.h"
#include "wire/bytes.h"

namespace faild::bench {
namespace {

// Ethernet, IPv4 without options, UDP; docs/wire.md has the sequence at 32 of the message.
constexpr size_t kUdpAt = 14 + 20;
constexpr size_t kChecksumAt = kUdpAt + 6;
constexpr size_t kSequenceAt = kUdpAt + 8 + 32;

}  // namespace

void Voice::set(const FrameAddresses& addresses, const Heartbeat& beat) {
  std::array<uint8_t, kMaxHeartbeatBytes> payload;
  std::array<uint8_t, kMaxFrameBytes> frame;
  size_ = build_frame(addresses, {payload.data(), encode(beat, payload)}, frame);
  FAILD_CHECK(size_ <= kRoom);
  std::copy_n(frame.begin(), size_, bytes_.begin());
}

// RFC 1624, equation 3: the checksum's complement loses the old words and gains the new ones.
void Voice::renumber(uint32_t sequence) {
  uint32_t sum = static_cast<uint16_t>(~load_be16(&bytes_[kChecksumAt]));
  for (const size_t at : {kSequenceAt, kSequenceAt + 2}) {
    sum += static_cast<uint16_t>(~load_be16(&bytes_[at]));
  }
  store_be32(&bytes_[kSequenceAt], sequence);
  for (const size_t at : {kSequenceAt, kSequenceAt + 2}) sum += load_be16(&bytes_[at]);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  const auto checksum = static_cast<uint16_t>(~sum);
  store_be16(&bytes_[kChecksumAt], checksum == 0 ? 0xffff : checksum);
}

bool Voice::proves_itself(const FrameAddresses& addresses, Heartbeat beat) {
  Voice renumbered, made;
  for (const uint32_t sequence : {1U, 0xffffU, 0x10000U, 0xfffffffeU}) {
    renumbered.set(addresses, beat);
    renumbered.renumber(sequence);
    beat.sequence = sequence;
    made.set(addresses, beat);
    if (renumbered.bytes_ != made.bytes_) return false;
  }
  return true;
}

}  // namespace faild::bench
