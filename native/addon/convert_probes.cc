// What the flight recorder holds, to JavaScript.
#include "addon/convert.h"

namespace faild {
namespace {

Napi::Object from_probe(Napi::Env env, const Probe& probe) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("atUs", from_us(env, probe.at));
  object.Set("kind", to_string(probe.kind));
  object.Set("sent", probe.sent != 0);
  object.Set("sequence", probe.sequence);
  object.Set("lagUs", from_us(env, probe.lag()));
  object.Set("urgent", probe.urgent != 0);
  object.Set("unheard", probe.unheard != 0);
  object.Set("refused", probe.refused != 0);
  return object;
}

Napi::Object from_recording(Napi::Env env, const Recording& recording) {
  Napi::Object object = Napi::Object::New(env);
  Napi::Array probes = Napi::Array::New(env, recording.probes.size());
  uint32_t taken = 0;
  for (const Probe& probe : recording.probes) probes.Set(taken++, from_probe(env, probe));
  const bool everybody = recording.host == HostId{};
  object.Set("host", everybody ? env.Null() : from_id(env, recording.host.value));
  object.Set("lan", recording.lan.value);
  object.Set("intervalUs", from_us(env, recording.interval));
  object.Set("verdictUs", recording.verdict ? from_us(env, *recording.verdict) : env.Null());
  object.Set("probes", probes);
  return object;
}

Napi::Object from_dump(Napi::Env env, const ProbeDump& dump) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("path", from_recording(env, dump.path));
  object.Set("lan", from_recording(env, dump.lan));
  return object;
}

}  // namespace

ProbeQuery to_probe_query(const Napi::Value& value, const char* what, size_t lan_count) {
  const Fields from(value, what);
  ProbeQuery query;
  const Napi::Value host = from.at("host"), lan = from.at("lan");
  if (failed(value.Env())) return query;
  if (!host.IsNull()) query.host = {read_id(host, from.where("host"), false)};
  if (!lan.IsNull()) query.lan = to_lan(lan, from.where("lan"), lan_count);
  return query;
}

Napi::Object from_event(Napi::Env env, const Event& event, std::span<const ProbeDump> dumps) {
  Napi::Object object = from_event(env, event);
  if (event.kind != EventKind::kPathDown && event.kind != EventKind::kLanDown) return object;
  Napi::Array own = Napi::Array::New(env);
  uint32_t count = 0;
  for (const ProbeDump& dump : dumps) {
    if (dump.id == event.id) own.Set(count++, from_dump(env, dump));
  }
  object.Set("dumps", own);
  return object;
}

Napi::Object from_tapped(Napi::Env env, const TappedProbe& probe) {
  Napi::Object object = from_probe(env, probe.probe);
  const bool everybody = probe.host == HostId{};
  object.Set("host", everybody ? env.Null() : from_id(env, probe.host.value));
  object.Set("lan", probe.lan.value);
  object.Set("intervalUs", from_us(env, probe.interval));
  object.Set("lostBefore", probe.lost_before);
  return object;
}

Napi::Object from_probes(Napi::Env env, const Snapshot& snapshot) {
  Napi::Object object = Napi::Object::New(env);
  Napi::Array recordings = Napi::Array::New(env, snapshot.recordings.size());
  for (uint32_t i = 0; i < snapshot.recordings.size(); i++) {
    const Napi::HandleScope scope(env);
    recordings.Set(i, from_recording(env, snapshot.recordings[i]));
  }
  object.Set("takenUs", from_us(env, snapshot.taken));
  object.Set("recordings", recordings);
  object.Set("leftOut", static_cast<double>(snapshot.recordings_left_out));
  return object;
}

}  // namespace faild
