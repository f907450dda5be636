// encodeHeartbeat and decodeHeartbeat for tools and tests: the very codec that the engine uses, so
// that what a test says of bytes is what production does with them.
#include "wire/heartbeat.h"

#include <array>

#include "addon/classes.h"
#include "addon/convert.h"

namespace faild {
namespace {

constexpr std::array<const char*, 3> kTypes = {"inq", "ack", "bye"};  // MessageType, less one

void read_lan(const Fields& from, Heartbeat* beat) {
  LanAdvert lan;
  lan.mac = from.own_mac("mac");
  from.list("addresses", 0, kMaxAddressesPerLan, [&](const Napi::Value& value, const Where& where) {
    (void)lan.addresses.push(read_own_address(value, where));  // the list's length was checked
  });
  (void)beat->lans.push(lan);
}

void read_flags(const Fields& from, Heartbeat* beat) {
  beat->requestor = from.flag("requestor");
  beat->solicit = from.flag("solicit");
  beat->ack_by_broadcast = from.flag("ackByBroadcast");
  beat->hears_you = from.flag("hearsYou");
  beat->missing_is_partial = from.flag("missingIsPartial");
  beat->urgent = from.flag("urgent");
  beat->drained = from.flag("drained");
}

void read_heartbeat(const Fields& from, Heartbeat* beat) {
  beat->type = static_cast<MessageType>(from.choice("type", kTypes) + 1);
  read_flags(from, beat);
  beat->cluster = from.u32("cluster");
  beat->host = {from.id("host", false)};
  beat->incarnation = {from.id("incarnation", false)};
  beat->sequence = from.u32("sequence");
  beat->interval = Duration::us(static_cast<int64_t>(from.whole("intervalUs", 50, 3600000000)));
  beat->advert_version = from.u32("advertVersion");
  beat->to = {from.id("to", true)};
  beat->to_incarnation = {from.id("toIncarnation", true)};
  beat->echo_sequence = from.u32("echoSequence");
  beat->echo_hold = Duration::us(static_cast<int64_t>(from.whole("echoHoldUs", 0, 60000000)));
  beat->name.assign(from.text("name", kMaxNameBytes));
  from.list("lans", 1, kMaxLans, [&](const Napi::Value& value, const Where& where) {
    read_lan(Fields(value, where.text()), beat);
  });
  const size_t lans = beat->lans.empty() ? 1 : beat->lans.size();
  beat->arrival_lan = static_cast<uint8_t>(from.whole("arrivalLan", 0, lans - 1));
  from.list("missing", 0, kMaxMissing, [&](const Napi::Value& value, const Where& where) {
    (void)beat->missing.push({read_id(value, where, false)});
  });
}

Napi::Array from_lans(Napi::Env env, const Heartbeat& beat) {
  Napi::Array array = Napi::Array::New(env, beat.lans.size());
  for (uint32_t i = 0; i < beat.lans.size(); i++) {
    Napi::Object lan = Napi::Object::New(env);
    lan.Set("mac", from_text(env, to_text(beat.lans[i].mac)));
    lan.Set("addresses", from_prefixes(env, beat.lans[i].addresses));
    array.Set(i, lan);
  }
  return array;
}

Napi::Object from_heartbeat(Napi::Env env, const Heartbeat& beat) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("type", kTypes[static_cast<size_t>(beat.type) - 1]);
  object.Set("requestor", beat.requestor);
  object.Set("solicit", beat.solicit);
  object.Set("ackByBroadcast", beat.ack_by_broadcast);
  object.Set("hearsYou", beat.hears_you);
  object.Set("missingIsPartial", beat.missing_is_partial);
  object.Set("urgent", beat.urgent);
  object.Set("drained", beat.drained);
  object.Set("cluster", beat.cluster);
  object.Set("host", from_id(env, beat.host.value));
  object.Set("incarnation", from_id(env, beat.incarnation.value));
  object.Set("sequence", beat.sequence);
  object.Set("intervalUs", from_us(env, beat.interval));
  object.Set("advertVersion", beat.advert_version);
  object.Set("arrivalLan", beat.arrival_lan);
  object.Set("to", from_id(env, beat.to.value));
  object.Set("toIncarnation", from_id(env, beat.to_incarnation.value));
  object.Set("echoSequence", beat.echo_sequence);
  object.Set("echoHoldUs", from_us(env, beat.echo_hold));
  object.Set("name", from_text(env, beat.name));
  object.Set("lans", from_lans(env, beat));
  Napi::Array missing = Napi::Array::New(env, beat.missing.size());
  for (uint32_t i = 0; i < beat.missing.size(); i++) {
    missing.Set(i, from_id(env, beat.missing[i].value));
  }
  object.Set("missing", missing);
  return object;
}

}  // namespace

Napi::Value encode_heartbeat(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Heartbeat beat;
  read_heartbeat(Fields(info[0], "heartbeat"), &beat);
  if (failed(env)) return env.Undefined();
  std::array<uint8_t, kMaxHeartbeatBytes> bytes;
  const size_t size = encode(beat, bytes);
  return Napi::Buffer<uint8_t>::Copy(env, bytes.data(), size);
}

Napi::Value decode_heartbeat(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::span<const uint8_t> bytes = read_bytes(info[0], {"", "bytes"});
  if (failed(env)) return env.Undefined();
  Heartbeat beat;
  if (const std::optional<DecodeError> error = decode(bytes, &beat)) {
    const std::string word = to_string(*error);
    raise(env, word, 0, "not a heartbeat of faild: " + word);
    return env.Undefined();
  }
  return from_heartbeat(env, beat);
}

}  // namespace faild
