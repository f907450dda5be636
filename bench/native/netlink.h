// The little rtnetlink that the bench needs: listen to route, rule and link changes, ask where an
// address goes, make one route, take a link down. Written apart from the daemon's own, which it
// judges.
#pragma once

#include <linux/netlink.h>
#include <netinet/in.h>

#include <cstdint>
#include <optional>
#include <string>

#include "outcome.h"

namespace faild::bench {

// Where the kernel would send a packet: the interface's index, 0 for nowhere.
using OutInterface = uint32_t;

struct Address {
  int family = AF_INET;
  in6_addr bytes{};  // IPv4 in the first four
  [[nodiscard]] size_t size() const { return family == AF_INET ? 4 : 16; }
};
[[nodiscard]] std::optional<Address> parse_address(const std::string& text);

class Netlink {
 public:
  Netlink() = default;
  ~Netlink();
  Netlink(const Netlink&) = delete;
  Netlink& operator=(const Netlink&) = delete;

  // In the calling thread's namespace. `groups`: a mask of RTMGRP_*-like bits, 0 for requests only.
  [[nodiscard]] Failure open(uint32_t groups);
  [[nodiscard]] int fd() const { return fd_; }

  [[nodiscard]] OutInterface look_up(const Address& destination);
  // Adds (or removes) a host route out of `ifindex` in the main table and waits for the kernel's
  // word: 0 or an errno.
  [[nodiscard]] int change_route(const Address& destination, uint32_t ifindex, bool add);
  // Takes an interface up or down, as `ip link set` does: 0 or an errno.
  [[nodiscard]] int set_link(uint32_t ifindex, bool up);

 private:
  [[nodiscard]] int ask(const nlmsghdr& request);  // and waits for the kernel's word
  int fd_ = -1;
  uint32_t sequence_ = 0;
};

inline constexpr uint32_t group_bit(uint32_t group) { return 1U << (group - 1); }

}  // namespace faild::bench
