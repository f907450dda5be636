// One LAN's socket, whatever the transport: packets in with their arrival time, packets out.
// raw_socket.cc and udp_socket.cc implement it; LanSet opens them, the reactor drains them. Engine
// thread only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/memory.h"
#include "core/config.h"
#include "core/effects.h"
#include "core/engine.h"
#include "io/clock.h"
#include "io/runtime.h"
#include "io/unique_fd.h"

namespace faild {

class LanSocket {
 public:
  LanSocket(const LanConfig& lan, const Everybody& everybody) : lan_(lan), everybody_(everybody) {}
  virtual ~LanSocket() = default;
  LanSocket(const LanSocket&) = delete;
  LanSocket& operator=(const LanSocket&) = delete;

  [[nodiscard]] virtual int fd() const = 0;
  // Readable when a packet has come that should be read at once (Take::kNews); -1: there is no such
  // bell, and any packet may be one. `silence_bell` makes it ring anew.
  [[nodiscard]] virtual int bell_fd() const { return -1; }
  void silence_bell() const;
  // The next packet (all but `lan` of it), whose payload is good until the next call. False: the
  // socket is empty.
  [[nodiscard]] virtual bool receive(const ClockReading& reading, PacketIn* packet) = 0;
  // The payload of a packet that lies ready, so many after the one that receive() gave last, and
  // unchecked: for hints alone. Empty: it is not there yet.
  [[nodiscard]] virtual std::span<const uint8_t> glance(unsigned ahead) const = 0;
  // Never waits. What cannot be sent is counted, not retried: the next heartbeat says it better.
  virtual void send(const SendPacket& packet) = 0;
  // Packets that the kernel dropped before it queued the one that receive() gave last, since the
  // last call.
  [[nodiscard]] virtual uint32_t take_drops() = 0;

  // An interface that goes down leaves an error on its socket, which epoll would report for ever.
  void clear_error();
  // New addresses or MAC on the same interface index.
  void set_lan(const LanConfig& lan) { lan_ = lan; }
  [[nodiscard]] const LanConfig& lan() const { return lan_; }
  [[nodiscard]] const TransportCounters& counters() const { return counters_; }

 protected:
  // The group, or the LAN's broadcast, where no single host is meant (and no list of them).
  [[nodiscard]] IpAddress address_of_all() const;
  // Of the static peers, those on this LAN that are reached over its probe's family.
  [[nodiscard]] bool is_static_peer(const IpAddress& ip) const;

  LanConfig lan_;
  Everybody everybody_;
  Instant drained_at_;  // when the socket was last found empty: no later packet is older
  TransportCounters counters_;
};

// Opening: nullptr and *error on failure.
[[nodiscard]] Owned<LanSocket> open_raw_socket(const LanConfig& lan, uint16_t port, bool with_bell,
                                               Memory* memory, RuntimeError* error,
                                               const Everybody& everybody = {});
[[nodiscard]] Owned<LanSocket> open_udp_socket(const LanConfig& lan, uint16_t port, bool with_bell,
                                               Memory* memory, RuntimeError* error,
                                               const Everybody& everybody = {});

// The address from which this LAN's packets of that family come; nullopt: the LAN has none.
[[nodiscard]] std::optional<IpAddress> source_address(const LanConfig& lan, Family family);
// One probe a LAN: over IPv4 where the LAN has it, else over IPv6 link-local.
[[nodiscard]] Family probe_family(const LanConfig& lan);

// Takes the port in both families and drops all that comes: without it the kernel would answer
// every heartbeat that the raw transport reads with "port unreachable". Also what tells a second
// daemon that the port is taken.
class PortHolder {
 public:
  [[nodiscard]] std::optional<RuntimeError> open(uint16_t port);

 private:
  UniqueFd v4_, v6_;
};

}  // namespace faild
