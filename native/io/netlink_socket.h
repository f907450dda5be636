// A NETLINK_ROUTE socket: bytes in and out. What they mean is wire/rtnetlink's; what they are for
// is RouteWriter's, KernelDump's and LanSet's, each with a socket of its own, so that no answer
// waits behind another's news.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "io/errors.h"
#include "io/unique_fd.h"

namespace faild {

enum class NetlinkUse : uint8_t {
  kRequests,       // operations and their ACKs
  kDumps,          // dumps, filtered by the kernel where it can (NETLINK_GET_STRICT_CHK)
  kNotifications,  // links, addresses, routes and rules, as they change
};

class NetlinkSocket {
 public:
  [[nodiscard]] std::optional<RuntimeError> open(NetlinkUse use);
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] uint32_t port_id() const { return port_id_; }

  // Notifications: the kernel need not wake us for what socket `own_port_id` did itself, nor for
  // routes that are not faild's (a host with a full BGP table has thousands a second), nor for
  // routes that appear: only losses matter.
  void ignore_others_routes(uint32_t own_port_id);

  // errno, 0 for done. The kernel works through the whole buffer before this returns.
  [[nodiscard]] int send(std::span<const uint8_t> bytes);

  // One datagram of whole messages. Never waits: `error` is EAGAIN when there is none, ENOBUFS when
  // some were lost.
  struct Received {
    std::span<const uint8_t> bytes;
    int error = 0;
  };
  [[nodiscard]] Received receive(std::span<uint8_t> buffer);

 private:
  UniqueFd fd_;
  uint32_t port_id_ = 0;
};

}  // namespace faild
