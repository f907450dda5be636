// A heartbeat: the one message of faild's protocol, and its bytes. docs/wire.md draws the layout.
//
// INQ, ACK and BYE carry the same fields. Decoding validates everything once; what it returns
// cannot be invalid, and the core never looks at bytes again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/bounded.h"
#include "base/ids.h"
#include "base/net.h"
#include "base/time.h"

namespace faild {

enum class MessageType : uint8_t {
  kInq = 1,  // "who hears me?": broadcast at every interval, or unicast with `solicit` to ask one
             // peer for an ACK
  kAck = 2,  // "I hear you": answers one INQ by the same LAN
  kBye = 3,  // "I stop": a clean stop, sent three times
};

// What one host says of its own place on one LAN.
struct LanAdvert {
  MacAddress mac;
  // interface addresses with their prefix lengths
  BoundedVector<Prefix, kMaxAddressesPerLan> addresses;
};

struct Heartbeat {
  MessageType type = MessageType::kInq;

  // Flags.

  // the sender broadcasts INQs: its peers may expect one every `interval`
  bool requestor = false;
  bool solicit = false;  // INQ: the addressed host shall ACK even if it is a requestor
  // INQ: answer by broadcast, because the sender's rp_filter would drop a unicast
  bool ack_by_broadcast = false;
  // ACK: the sender hears `to` well (does not count it as missing on this LAN)
  bool hears_you = false;
  bool missing_is_partial = false;  // the missing list did not fit: absence from it proves nothing
  // INQ: sent out of turn, because the sender has just lost somebody or hears somebody again
  bool urgent = false;
  bool drained = false;  // the sender's host is drained: if it falls silent, that was planned

  uint32_t cluster = 0;         // hash of the cluster's name; others' packets are dropped
  HostId host;                  // never zero
  Incarnation incarnation;      // never zero
  uint32_t sequence = 0;        // grows by one with every packet of one sender on one LAN, wraps
  Duration interval;            // between the sender's INQs, whole microseconds, 50 us .. 3600 s
  uint32_t advert_version = 0;  // grows when name or adverts change within one incarnation
  uint8_t arrival_lan = 0;      // which of `lans` this packet was sent on; < lans.size()

  // ACK (and solicited INQ: `to` and `to_incarnation` only): who is answered. Zero: nobody.
  HostId to;
  Incarnation to_incarnation;
  uint32_t echo_sequence = 0;  // `sequence` of the INQ that is answered
  // between that INQ's arrival and this ACK's sending, whole microseconds, at most 60 s
  Duration echo_hold;

  HostName name;
  BoundedVector<LanAdvert, kMaxLans> lans;  // at least one
  // known peers whom the sender does not hear on this LAN
  BoundedVector<HostId, kMaxMissing> missing;

  [[nodiscard]] bool misses(HostId id) const;
};

// Why a packet is no heartbeat. Every reason has a counter; the names serve in logs and metrics.
enum class DecodeError : uint8_t {
  kTooShort,    // ends before a field does
  kBadMagic,    // not ours
  kBadVersion,  // a version this build does not speak
  kBadType,
  kBadIdentity,  // host or incarnation zero
  kBadInterval,
  kBadLans,     // no LAN, too many, arrival LAN out of range
  kBadAddress,  // unknown family, prefix too long, not a host's address
  kBadCount,    // a list longer than its ceiling
  kTrailingBytes,
};
inline constexpr size_t kDecodeErrors = 10;
[[nodiscard]] const char* to_string(DecodeError error);

// Writes `beat` into `out`; returns the bytes used. `out` must hold kMaxHeartbeatBytes (checked).
[[nodiscard]] size_t encode(const Heartbeat& beat, std::span<uint8_t> out);

// Whose heartbeat these bytes may be: read unchecked, for a hint and no more. Zero: nobody's.
[[nodiscard]] HostId glance_at_host(std::span<const uint8_t> bytes);

// Reads one heartbeat into `*beat`, which is only valid when no error is returned (filled in place:
// it is large).
[[nodiscard]] std::optional<DecodeError> decode(std::span<const uint8_t> bytes, Heartbeat* beat);

}  // namespace faild
