// Identities: who is meant, in types that cannot be mixed up.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

#include "base/bounded.h"
#include "base/limits.h"

namespace faild {

// A host, stable over restarts. Zero is not a host; on the wire it addresses nobody in particular.
struct HostId {
  uint64_t value = 0;
  constexpr auto operator<=>(const HostId&) const = default;
};

// One run of the daemon on a host; grows at each start. A smaller one than known is an old packet.
struct Incarnation {
  uint64_t value = 0;
  constexpr auto operator<=>(const Incarnation&) const = default;
};

// A LAN by its place in the local configuration. Never on the wire: there a LAN is known by its
// prefix.
struct LanIndex {
  uint8_t value = 0;
  constexpr auto operator<=>(const LanIndex&) const = default;
};

using HostName = BoundedText<kMaxNameBytes>;
using InterfaceName = BoundedText<kMaxInterfaceNameBytes>;

}  // namespace faild
