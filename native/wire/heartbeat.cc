// The heartbeat's bytes. docs/wire.md draws the layout and states which of it may never change.
//
// Called by the engine for every packet that it sends or hears, so decoding is one pass, in place,
// without memory of its own. The fixed part is read at named offsets once its size is known; the
// lists that follow through a cursor that cannot leave the packet.
#include "wire/heartbeat.h"

#include <algorithm>
#include <cstring>

#include "wire/bytes.h"

namespace faild {
namespace {

// Protocol constants.
constexpr uint32_t kMagic = 0x464c4431;  // "FLD1"
constexpr uint8_t kVersion = 1;

// The fixed part: offset of each field. Up to and including kIncarnationAt the offsets hold for
// every version to come.
constexpr size_t kMagicAt = 0;           // u32
constexpr size_t kVersionAt = 4;         // u8
constexpr size_t kTypeAt = 5;            // u8
constexpr size_t kFlagsAt = 6;           // u16
constexpr size_t kLengthAt = 8;          // u16, the whole message
constexpr size_t kNameLengthAt = 10;     // u8
constexpr size_t kLanCountAt = 11;       // u8
constexpr size_t kClusterAt = 12;        // u32
constexpr size_t kHostAt = 16;           // u64
constexpr size_t kIncarnationAt = 24;    // u64
constexpr size_t kSequenceAt = 32;       // u32
constexpr size_t kIntervalAt = 36;       // u32, microseconds
constexpr size_t kAdvertVersionAt = 40;  // u32
constexpr size_t kArrivalLanAt = 44;     // u8
constexpr size_t kMissingCountAt = 45;   // u8
constexpr size_t kReservedAt = 46;       // u16, zero; not looked at
constexpr size_t kToAt = 48;             // u64
constexpr size_t kToIncarnationAt = 56;  // u64
constexpr size_t kEchoSequenceAt = 64;   // u32
constexpr size_t kEchoHoldAt = 68;       // u32, microseconds
constexpr size_t kFixedBytes = 72;

// A LAN: MAC address, a count, then so many addresses of family, prefix length and 4 or 16 bytes.
constexpr size_t kLanBytes = 7;
constexpr size_t kLanCountOfAddressesAt = 6;
constexpr size_t kAddressHeadBytes = 2;
constexpr size_t kHostIdBytes = 8;

constexpr size_t kWorstBytes =
    kFixedBytes + kMaxNameBytes +
    kMaxLans * (kLanBytes + kMaxAddressesPerLan * (kAddressHeadBytes + 16)) +
    kMaxMissing * kHostIdBytes;
static_assert(kWorstBytes <= kMaxHeartbeatBytes, "the fullest heartbeat must fit one packet");

constexpr uint16_t kFlagRequestor = 1 << 0;
constexpr uint16_t kFlagSolicit = 1 << 1;
constexpr uint16_t kFlagAckByBroadcast = 1 << 2;
constexpr uint16_t kFlagHearsYou = 1 << 3;
constexpr uint16_t kFlagMissingIsPartial = 1 << 4;
constexpr uint16_t kFlagUrgent = 1 << 5;
constexpr uint16_t kFlagDrained = 1 << 6;

constexpr uint32_t kMinIntervalUs = 50;
constexpr uint32_t kMaxIntervalUs = 3600U * 1000 * 1000;
constexpr uint32_t kMaxEchoHoldUs = 60U * 1000 * 1000;

using Error = std::optional<DecodeError>;

// Hands out the packet's bytes in order; nullptr when fewer are left.
class Cursor {
 public:
  explicit Cursor(std::span<const uint8_t> bytes) : next_(bytes.data()), left_(bytes.size()) {}
  [[nodiscard]] const uint8_t* take(size_t count) {
    if (count > left_) return nullptr;
    const uint8_t* taken = next_;
    next_ += count;
    left_ -= count;
    return taken;
  }

 private:
  const uint8_t* next_;
  size_t left_;
};

uint16_t flags_of(const Heartbeat& beat) {
  unsigned flags = 0;
  if (beat.requestor) flags |= kFlagRequestor;
  if (beat.solicit) flags |= kFlagSolicit;
  if (beat.ack_by_broadcast) flags |= kFlagAckByBroadcast;
  if (beat.hears_you) flags |= kFlagHearsYou;
  if (beat.missing_is_partial) flags |= kFlagMissingIsPartial;
  if (beat.urgent) flags |= kFlagUrgent;
  if (beat.drained) flags |= kFlagDrained;
  return static_cast<uint16_t>(flags);
}

void read_flags(uint16_t flags, Heartbeat* beat) {
  beat->requestor = (flags & kFlagRequestor) != 0;
  beat->solicit = (flags & kFlagSolicit) != 0;
  beat->ack_by_broadcast = (flags & kFlagAckByBroadcast) != 0;
  beat->hears_you = (flags & kFlagHearsYou) != 0;
  beat->missing_is_partial = (flags & kFlagMissingIsPartial) != 0;
  beat->urgent = (flags & kFlagUrgent) != 0;
  beat->drained = (flags & kFlagDrained) != 0;
}

// A name is shown in logs and on terminals: whatever is not printable ASCII is not let through.
Error read_name(Cursor& cursor, size_t length, HostName* name) {
  if (length > kMaxNameBytes) return DecodeError::kBadCount;
  const uint8_t* bytes = cursor.take(length);
  if (bytes == nullptr) return DecodeError::kTooShort;
  std::array<char, kMaxNameBytes> text{};
  std::transform(bytes, bytes + length, text.begin(),
                 [](uint8_t b) { return b >= 0x20 && b < 0x7f ? static_cast<char>(b) : '?'; });
  name->assign({text.data(), length});
  return std::nullopt;
}

Error read_address(Cursor& cursor, Prefix* prefix) {
  const uint8_t* head = cursor.take(kAddressHeadBytes);
  if (head == nullptr) return DecodeError::kTooShort;
  const auto family = static_cast<Family>(head[0]);
  if (family != Family::kIpv4 && family != Family::kIpv6) return DecodeError::kBadAddress;
  IpAddress ip{family, {}};
  const uint8_t* bytes = cursor.take(ip.size());
  if (bytes == nullptr) return DecodeError::kTooShort;
  std::memcpy(ip.bytes.data(), bytes, ip.size());
  // A subnet of every address would let one host claim the whole world as its LAN.
  const bool good_length = head[1] > 0 && head[1] <= ip.size() * 8;
  if (!good_length || !ip.is_host()) return DecodeError::kBadAddress;
  *prefix = {ip, head[1]};
  return std::nullopt;
}

Error read_lan(Cursor& cursor, LanAdvert* lan) {
  const uint8_t* head = cursor.take(kLanBytes);
  if (head == nullptr) return DecodeError::kTooShort;
  std::memcpy(lan->mac.bytes.data(), head, lan->mac.bytes.size());
  // All zero is allowed: an interface without a MAC address.
  if ((lan->mac.bytes[0] & 1) != 0) return DecodeError::kBadAddress;
  const size_t count = head[kLanCountOfAddressesAt];
  if (count > kMaxAddressesPerLan) return DecodeError::kBadCount;
  lan->addresses.clear();
  for (size_t i = 0; i < count; i++) {
    if (const Error error = read_address(cursor, lan->addresses.extend())) return error;
  }
  return std::nullopt;
}

Error read_lans(Cursor& cursor, size_t count, Heartbeat* beat) {
  if (count == 0 || count > kMaxLans || beat->arrival_lan >= count) return DecodeError::kBadLans;
  beat->lans.clear();
  for (size_t i = 0; i < count; i++) {
    if (const Error error = read_lan(cursor, beat->lans.extend())) return error;
  }
  return std::nullopt;
}

Error read_missing(Cursor& cursor, size_t count, Heartbeat* beat) {
  if (count > kMaxMissing) return DecodeError::kBadCount;
  const uint8_t* bytes = cursor.take(count * kHostIdBytes);
  if (bytes == nullptr) return DecodeError::kTooShort;
  beat->missing.clear();
  for (size_t i = 0; i < count; i++) {
    const HostId id{load_be64(bytes + i * kHostIdBytes)};
    if (id == HostId{}) return DecodeError::kBadIdentity;
    *beat->missing.extend() = id;
  }
  return std::nullopt;
}

// Is this a whole message of ours, in a version that we speak? Asked before any other field is
// believed.
Error check_envelope(std::span<const uint8_t> bytes) {
  if (bytes.size() < kFixedBytes) return DecodeError::kTooShort;
  if (load_be32(&bytes[kMagicAt]) != kMagic) return DecodeError::kBadMagic;
  if (bytes[kVersionAt] != kVersion) return DecodeError::kBadVersion;
  const size_t length = load_be16(&bytes[kLengthAt]);
  if (length > bytes.size() || length < kFixedBytes) return DecodeError::kTooShort;
  if (length < bytes.size()) return DecodeError::kTrailingBytes;
  return std::nullopt;
}

Error read_sender(const uint8_t* p, Heartbeat* beat) {
  const uint8_t type = p[kTypeAt];
  if (type < uint8_t(MessageType::kInq) || type > uint8_t(MessageType::kBye))
    return DecodeError::kBadType;
  beat->type = static_cast<MessageType>(type);
  read_flags(load_be16(p + kFlagsAt), beat);
  beat->cluster = load_be32(p + kClusterAt);
  beat->host = {load_be64(p + kHostAt)};
  beat->incarnation = {load_be64(p + kIncarnationAt)};
  if (beat->host == HostId{} || beat->incarnation == Incarnation{})
    return DecodeError::kBadIdentity;
  return std::nullopt;
}

Error read_timing(const uint8_t* p, Heartbeat* beat) {
  beat->sequence = load_be32(p + kSequenceAt);
  beat->advert_version = load_be32(p + kAdvertVersionAt);
  beat->arrival_lan = p[kArrivalLanAt];
  beat->to = {load_be64(p + kToAt)};
  beat->to_incarnation = {load_be64(p + kToIncarnationAt)};
  beat->echo_sequence = load_be32(p + kEchoSequenceAt);
  const uint32_t interval_us = load_be32(p + kIntervalAt);
  const uint32_t hold_us = load_be32(p + kEchoHoldAt);
  if (interval_us < kMinIntervalUs || interval_us > kMaxIntervalUs)
    return DecodeError::kBadInterval;
  if (hold_us > kMaxEchoHoldUs) return DecodeError::kBadInterval;
  beat->interval = Duration::us(interval_us);
  beat->echo_hold = Duration::us(hold_us);
  return std::nullopt;
}

void write_fixed(const Heartbeat& beat, uint8_t* p) {
  store_be32(p + kMagicAt, kMagic);
  p[kVersionAt] = kVersion;
  p[kTypeAt] = static_cast<uint8_t>(beat.type);
  store_be16(p + kFlagsAt, flags_of(beat));
  p[kNameLengthAt] = static_cast<uint8_t>(beat.name.view().size());
  p[kLanCountAt] = static_cast<uint8_t>(beat.lans.size());
  store_be32(p + kClusterAt, beat.cluster);
  store_be64(p + kHostAt, beat.host.value);
  store_be64(p + kIncarnationAt, beat.incarnation.value);
  store_be32(p + kSequenceAt, beat.sequence);
  store_be32(p + kIntervalAt, static_cast<uint32_t>(beat.interval.in_us()));
  store_be32(p + kAdvertVersionAt, beat.advert_version);
  p[kArrivalLanAt] = beat.arrival_lan;
  p[kMissingCountAt] = static_cast<uint8_t>(beat.missing.size());
  store_be16(p + kReservedAt, 0);
  store_be64(p + kToAt, beat.to.value);
  store_be64(p + kToIncarnationAt, beat.to_incarnation.value);
  store_be32(p + kEchoSequenceAt, beat.echo_sequence);
  store_be32(p + kEchoHoldAt, static_cast<uint32_t>(beat.echo_hold.in_us()));
}

uint8_t* write_lan(const LanAdvert& lan, uint8_t* p) {
  p = std::copy(lan.mac.bytes.begin(), lan.mac.bytes.end(), p);
  *p++ = static_cast<uint8_t>(lan.addresses.size());
  for (const Prefix& prefix : lan.addresses) {
    *p++ = static_cast<uint8_t>(prefix.address.family);
    *p++ = prefix.length;
    p = std::copy_n(prefix.address.bytes.begin(), prefix.address.size(), p);
  }
  return p;
}

}  // namespace

bool Heartbeat::misses(HostId id) const {
  return std::find(missing.begin(), missing.end(), id) != missing.end();
}

const char* to_string(DecodeError error) {
  switch (error) {
    case DecodeError::kTooShort: return "too-short";
    case DecodeError::kBadMagic: return "bad-magic";
    case DecodeError::kBadVersion: return "bad-version";
    case DecodeError::kBadType: return "bad-type";
    case DecodeError::kBadIdentity: return "bad-identity";
    case DecodeError::kBadInterval: return "bad-interval";
    case DecodeError::kBadLans: return "bad-lans";
    case DecodeError::kBadAddress: return "bad-address";
    case DecodeError::kBadCount: return "bad-count";
    case DecodeError::kTrailingBytes: return "trailing-bytes";
  }
  return "invalid";
}

size_t encode(const Heartbeat& beat, std::span<uint8_t> out) {
  FAILD_CHECK(out.size() >= kMaxHeartbeatBytes);
  write_fixed(beat, out.data());
  const std::string_view name = beat.name.view();
  uint8_t* p = std::copy(name.begin(), name.end(), out.data() + kFixedBytes);
  for (const LanAdvert& lan : beat.lans) p = write_lan(lan, p);
  for (const HostId& id : beat.missing) {
    store_be64(p, id.value);
    p += kHostIdBytes;
  }
  const auto length = static_cast<size_t>(p - out.data());
  store_be16(out.data() + kLengthAt, static_cast<uint16_t>(length));
  return length;
}

HostId glance_at_host(std::span<const uint8_t> bytes) {
  return {bytes.size() < kFixedBytes ? 0 : load_be64(&bytes[kHostAt])};
}

std::optional<DecodeError> decode(std::span<const uint8_t> bytes, Heartbeat* beat) {
  if (const Error error = check_envelope(bytes)) return error;
  const uint8_t* p = bytes.data();
  if (const Error error = read_sender(p, beat)) return error;
  if (const Error error = read_timing(p, beat)) return error;
  Cursor cursor(bytes.subspan(kFixedBytes));
  if (const Error error = read_name(cursor, p[kNameLengthAt], &beat->name)) return error;
  if (const Error error = read_lans(cursor, p[kLanCountAt], beat)) return error;
  // What the cursor has left are extensions of a later minor revision, which this one skips.
  return read_missing(cursor, p[kMissingCountAt], beat);
}

}  // namespace faild
