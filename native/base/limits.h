// Every ceiling of faild in one place. What is counted here is bounded everywhere: a remote host
// can fill a table, never grow it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace faild {

// Shape of a cluster.
inline constexpr size_t kMaxLans = 8;  // interfaces a host may watch
// addresses a host announces for one LAN, both families together
inline constexpr size_t kMaxAddressesPerLan = 4;
// the largest `max_peers` a configuration may ask for
inline constexpr size_t kMaxPeers = 16384;
inline constexpr size_t kMaxNameBytes = 32;           // a host's display name on the wire
inline constexpr size_t kMaxInterfaceNameBytes = 16;  // IFNAMSIZ, with the final NUL

// A packet fits an Ethernet frame of 1500 bytes over IPv6 + UDP with room to spare: no fragment is
// ever sent or read.
inline constexpr size_t kMaxHeartbeatBytes = 1400;
inline constexpr size_t kMaxFrameBytes = 1514;
// host ids in the missing list of one packet; a longer list rotates
inline constexpr size_t kMaxMissing = 64;

// subnets, and host ids, that a plan names as those of peers
inline constexpr size_t kMaxAllowed = 64;

// hosts that a static list of peers names
inline constexpr size_t kMaxStaticPeers = 64;

// Work in one step of the engine. What is left over is done at the next step, which `poll_at` then
// places at once.
inline constexpr size_t kMaxSendsPerStep = 64;
inline constexpr size_t kMaxRouteOpsPerStep = 256;
inline constexpr size_t kMaxEventsPerStep = 256;

// The flight recorder keeps so many probes of each path, and of what is sent to all on each LAN.
// Twice as many would take a path's memory beyond 2 KB (test/io/locked_memory_test.cc).
inline constexpr size_t kProbesKept = 8;
// Of a LAN that was judged dead so many of its paths are dumped: the log is not for thousands.
inline constexpr size_t kDumpsPerLan = 4;
// What was recorded of paths that went down in one step, of each that is reported.
inline constexpr size_t kMaxDumpsPerStep = kMaxEventsPerStep + kMaxLans * kDumpsPerLan;
// What we had sent to all on a LAN is kept as it was at so many verdicts.
inline constexpr size_t kVerdictsKept = 4;

// Probes of one step for who listens: all that it sends, and what has arrived.
inline constexpr size_t kMaxTappedPerStep = kMaxSendsPerStep + 1;

// Between the threads.
inline constexpr size_t kEventRingSlots = 4096;
inline constexpr size_t kCommandQueueSlots = 256;
inline constexpr size_t kDumpRingSlots = 512;   // a rack of peers that dies at once; 188 KB
inline constexpr size_t kMaxRecordings = 1024;  // read at a time
// For whoever follows probes one by one, 320 KB: two seconds of a peer on two LANs at 1 ms.
inline constexpr size_t kTapRingSlots = 8192;

}  // namespace faild
