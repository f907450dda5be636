// Carries out route operations: many messages to the kernel in one system call, and its answers
// read at once.
//
// The kernel works through a netlink buffer inside sendmsg, so every ACK is there when it returns:
// an operation's result is known within the same call that asked for it, and nothing is ever in
// flight. Engine thread only.
#pragma once

#include <algorithm>
#include <array>
#include <span>

#include "base/histogram.h"
#include "base/limits.h"
#include "base/routes.h"
#include "io/netlink_socket.h"
#include "io/runtime.h"
#include "wire/rtnetlink.h"

namespace faild {

class RouteWriter {
 public:
  // Also proves that we may write: a missing CAP_NET_ADMIN is told now, not at the first failover.
  [[nodiscard]] std::optional<RuntimeError> open();
  // `results` has one place an operation, and is filled in their order.
  void submit(std::span<const RouteOp> ops, std::span<RouteResult> results);

  [[nodiscard]] uint32_t port_id() const { return socket_.port_id(); }
  [[nodiscard]] const RouteRefusal& last_refusal() const { return last_refusal_; }
  // Of every batch that the kernel took.
  [[nodiscard]] const Histogram& round_trips() const { return round_trips_; }

 private:
  // ACKs of this many fit a receive buffer that no capability enlarged (net.core.rmem_max, 208
  // KiB).
  static constexpr size_t kBatch = 128;
  void submit_batch(std::span<const RouteOp> ops, std::span<RouteResult> results);
  void read_answers(std::span<const RouteOp> ops, std::span<RouteResult> results);

  NetlinkSocket socket_;
  RouteRefusal last_refusal_;
  Histogram round_trips_;
  std::array<uint8_t, kBatch * kMaxRouteMessageBytes> out_{};
  std::array<uint8_t, 32768> in_{};
};

}  // namespace faild
