// Which frames a raw LAN socket takes, decided inside the kernel by a classic BPF program. Called
// by raw_socket.cc, once for each socket.
#pragma once

#include <cstdint>

namespace faild {

enum class Take : uint8_t {
  // UDP to our port, to this host or to a group, untagged, not fragmented, without IPv6 extension
  // headers.
  kHeartbeats,
  // Of those, one byte each of the ones that a requestor must not leave lying until its next round:
  // not a peer's regular INQ that misses nobody, and not an ACK that says all is well.
  kNews,
};

// 0 or -1 with errno.
[[nodiscard]] int attach_packet_filter(int fd, uint16_t port, Take take);

}  // namespace faild
