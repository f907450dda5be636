// What one step of the engine asks of the world. The caller carries it out and clears it before the
// next step.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bounded.h"
#include "base/ids.h"
#include "base/limits.h"
#include "base/net.h"
#include "base/routes.h"
#include "core/events.h"
#include "core/flight_recorder.h"

namespace faild {

struct SendPacket {
  LanIndex lan;
  // Nobody in particular: everybody on that LAN, as the transport is configured (io/runtime.h).
  struct Unicast {
    IpAddress ip;    // the peer's address on this LAN
    MacAddress mac;  // as learned from its packets; zero when the transport cannot tell
  };
  std::optional<Unicast> to;
  uint16_t size = 0;
  std::array<uint8_t, kMaxHeartbeatBytes> bytes;  // an encoded heartbeat
  [[nodiscard]] std::span<const uint8_t> payload() const { return {bytes.data(), size}; }
};

struct Effects {
  BoundedVector<SendPacket, kMaxSendsPerStep> sends;
  // in order; to be submitted before `sends`
  BoundedVector<RouteOp, kMaxRouteOpsPerStep> route_ops;
  BoundedVector<Event, kMaxEventsPerStep> events;
  BoundedVector<ProbeDump, kMaxDumpsPerStep> dumps;      // what verdicts among them rest on
  BoundedVector<TappedProbe, kMaxTappedPerStep> tapped;  // for who listens (Command::kTap)
  uint64_t events_lost = 0;  // did not fit: the reader must look at the table
  uint32_t tapped_lost = 0;  // did not fit either, after those that did
  bool resync = false;       // dump our tables and rules and feed them back (on_resync_*)

  void clear() {
    sends.clear();
    route_ops.clear();
    events.clear();
    dumps.clear();
    tapped.clear();
    events_lost = 0;
    tapped_lost = 0;
    resync = false;
  }
};

}  // namespace faild
