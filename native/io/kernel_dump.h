// Asking the kernel for everything of one kind, in one go: interfaces at the start and after a
// change, the cleanup command. The engine's own tables are read piece by piece instead
// (io/resync.h), because they may be large.
#pragma once

#include <array>
#include <cerrno>
#include <span>

#include "io/netlink_socket.h"
#include "wire/rtnetlink.h"

namespace faild {

inline constexpr size_t kDumpBufferBytes = 32768;  // the kernel fills at most this much a read
inline constexpr int kDumpTries = 5;               // of a dump that changes interrupt

// Calls `take(notice)` for each; 0 or errno (EINTR: changes interrupted it, begin again). `buffer`
// is the caller's: the engine's thread brings its own.
template <typename Take>
[[nodiscard]] int dump_once(NetlinkSocket& socket, DumpKind kind, uint32_t sequence,
                            std::span<uint8_t> buffer, Take&& take) {
  const size_t size = encode_dump(kind, sequence, buffer);
  if (const int error = socket.send(buffer.first(size))) return error;
  bool interrupted = false;
  while (true) {
    const auto received = socket.receive(buffer);
    if (received.error != 0) return received.error;
    std::span<const uint8_t> bytes = received.bytes;
    NetlinkNotice notice;
    while (next_notice(&bytes, &notice)) {
      if (notice.sequence != sequence) continue;  // left over from a dump that failed
      if (notice.kind == NetlinkNotice::Kind::kInterrupted) interrupted = true;
      if (notice.kind == NetlinkNotice::Kind::kDone) return interrupted ? EINTR : notice.error;
      if (notice.kind == NetlinkNotice::Kind::kAck && notice.error != 0) return notice.error;
      take(notice);
    }
  }
}

}  // namespace faild
