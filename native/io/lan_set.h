// This host's LANs: their sockets, and what their interfaces are like just now. Knows how to open
// and reopen them; the reactor decides when. Engine thread only.
//
// An interface is found by its name, and then kept by its index: it goes on serving when it is
// renamed, and another one that gets its name is not taken for it. A driver that is reloaded gives
// the name, as configured or as of late, another index: the socket is opened anew then, in the
// memory of the old one; so is that of an interface which had no address yet, with its first.
#pragma once

#include <array>
#include <optional>

#include "io/kernel_dump.h"
#include "io/lan_socket.h"
#include "io/runtime.h"

namespace faild {

class LanSet {
 public:
  struct Lan {
    LanConfig config;
    InterfaceName configured;  // `config.interface` is what it is called now
    Owned<LanSocket> socket;   // empty while the interface is away
    TransportCounters closed;  // of sockets that were closed before
    // The interface was removed since the socket was opened. One that comes back with its old
    // number is another all the same: the kernel has taken the socket off it for good.
    bool removed = false;
  };

  explicit LanSet(Memory* memory) : memory_(memory) {}
  // Finds every interface, opens every LAN; `config->lans` then says what is really there, and the
  // transport is chosen.
  [[nodiscard]] std::optional<RuntimeError> open(RuntimeConfig* config);
  [[nodiscard]] Transport transport() const { return transport_; }

  // Every LAN that is there has a bell: it is enough to listen to those.
  [[nodiscard]] bool has_bells() const;

  [[nodiscard]] size_t size() const { return count_; }
  [[nodiscard]] Lan& operator[](size_t i) { return lans_[i]; }
  // The LAN whose interface has this index or this name.
  [[nodiscard]] std::optional<size_t> find(uint32_t ifindex, const InterfaceName& name) const;

  // Asks the kernel anew how the interfaces are, opens and closes sockets accordingly. A bit for
  // each LAN whose interface (index, MAC, addresses), carrier or socket changed.
  struct Changes {
    uint32_t interface = 0, carrier = 0, socket = 0;
  };
  [[nodiscard]] Changes refresh();
  [[nodiscard]] TransportCounters counters() const;

 private:
  using Configs = std::array<LanConfig, kMaxLans>;
  [[nodiscard]] std::optional<RuntimeError> open_all(uint16_t port);
  // The LAN that this interface was when we last looked.
  [[nodiscard]] std::optional<size_t> owner_of(uint32_t ifindex) const;
  [[nodiscard]] bool read_interfaces(Configs* seen);
  void reopen(Lan& lan);

  Memory* memory_;
  std::array<Lan, kMaxLans> lans_;
  size_t count_ = 0;
  uint16_t port_ = 0;
  Everybody everybody_;
  bool bells_ = false;  // each socket is opened with one
  Transport transport_ = Transport::kRaw;
  PortHolder port_holder_;
  NetlinkSocket dumps_;
  uint32_t sequence_ = 0;
  std::array<uint8_t, kDumpBufferBytes> buffer_{};
};

}  // namespace faild
