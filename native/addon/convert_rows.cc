// The tables and counters of a snapshot to JavaScript.
#include <array>
#include <cstring>
#include <string>

#include "addon/convert.h"

namespace faild {
namespace {

constexpr std::array<const char*, 3> kLanStates = {"no-peer", "up", "down"};  // LanState

// Counters stay exact as numbers: 2^53 packets take 285 years at a million a second.
Napi::Number from_count(Napi::Env env, uint64_t count) {
  return Napi::Number::New(env, static_cast<double>(count));
}

Napi::Value from_optional(Napi::Env env, const std::optional<Duration>& length) {
  return length ? from_us(env, *length) : env.Null();
}

Napi::Value from_optional(Napi::Env env, const std::optional<LanIndex>& lan) {
  return lan ? Napi::Number::New(env, lan->value) : env.Null();
}

Napi::Object from_row(Napi::Env env, const PeerRow& row) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("host", from_id(env, row.host.value));
  object.Set("incarnation", from_id(env, row.incarnation.value));
  object.Set("name", from_text(env, row.name));
  object.Set("requestor", row.requestor);
  object.Set("drained", row.drained);
  object.Set("untold", row.untold);
  return object;
}

Napi::Object from_row(Napi::Env env, const PathRow& row) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("host", from_id(env, row.host.value));
  object.Set("lan", row.lan.value);
  object.Set("state", to_string(row.state));
  object.Set("reason", to_string(row.reason));
  object.Set("sinceUs", from_us(env, row.since));
  object.Set("silenceUs", from_optional(env, row.silence));
  object.Set("intervalUs", from_us(env, row.interval));
  object.Set("missed", row.missed);
  object.Set("good", row.good);
  object.Set("goodNeeded", row.good_needed);
  object.Set("roundTripUs", from_optional(env, row.round_trip));
  object.Set("alternate", from_optional(env, row.alternate));
  object.Set("standby", from_optional(env, row.standby));
  object.Set("received", from_count(env, row.received));
  object.Set("lost", from_count(env, row.lost));
  object.Set("loss", static_cast<double>(row.loss.value) / kLossOfAll);
  object.Set("failovers", row.failovers);
  object.Set("forced", row.forced);
  object.Set("addresses", from_prefixes(env, row.addresses));
  object.Set("mac", from_text(env, to_text(row.mac)));
  return object;
}

Napi::Object from_row(Napi::Env env, const LanRow& row) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("index", row.index.value);
  object.Set("name", from_text(env, row.name));
  object.Set("interface", from_text(env, row.interface));
  object.Set("state", kLanStates[static_cast<size_t>(row.state)]);
  object.Set("sinceUs", from_us(env, row.since));
  object.Set("carrier", row.carrier);
  object.Set("moved", row.moved);
  object.Set("muted", row.muted);
  object.Set("mutedUntilUs", row.muted_until ? from_us(env, *row.muted_until) : env.Null());
  object.Set("pathsUp", row.paths_up);
  object.Set("pathsDown", row.paths_down);
  object.Set("pathsOther", row.paths_other);
  object.Set("addresses", from_prefixes(env, row.addresses));
  object.Set("intervalUs", from_us(env, row.timing.interval));
  object.Set("paceUs", from_us(env, row.pace));
  object.Set("failAfter", row.timing.fail_after);
  object.Set("restoreAfter", row.timing.restore_after);
  object.Set("sent", from_count(env, row.sent));
  object.Set("received", from_count(env, row.received));
  return object;
}

template <typename Row>
Napi::Array from_rows(Napi::Env env, const std::vector<Row>& rows) {
  Napi::Array array = Napi::Array::New(env, rows.size());
  for (uint32_t i = 0; i < rows.size(); i++) {
    const Napi::HandleScope scope(env);  // ten thousand rows must not hold their handles at once
    array.Set(i, from_row(env, rows[i]));
  }
  return array;
}

Napi::Object from_counters(Napi::Env env, const Counters& counters,
                           const TransportCounters& transport) {
  const std::pair<const char*, uint64_t> counts[] = {
      {"packetsReceived", counters.packets_received},
      {"packetsSent", counters.packets_sent},
      {"acksSent", counters.acks_sent},
      {"solicitsSent", counters.solicits_sent},
      {"verdictsDown", counters.verdicts_down},
      {"verdictsUp", counters.verdicts_up},
      {"failovers", counters.failovers},
      {"switchbacks", counters.switchbacks},
      {"lanFailovers", counters.lan_failovers},
      {"routeOps", counters.route_ops},
      {"routeErrors", counters.route_errors},
      {"routeRepairs", counters.route_repairs},
      {"resyncs", counters.resyncs},
      {"stalls", counters.stalls},
      {"receiveDrops", counters.receive_drops},
      {"sendsDeferred", counters.sends_deferred},
      {"eventsLost", counters.events_lost},
      {"sendErrors", transport.send_errors},
      {"ownPackets", transport.own_packets},
  };
  Napi::Object object = Napi::Object::New(env);
  for (const auto& [name, count] : counts) object.Set(name, from_count(env, count));
  object.Set("lateMaxUs", from_us(env, counters.late_max));
  object.Set("lateTotalUs", from_us(env, counters.late_total));
  object.Set("lastSendError", transport.last_send_error);
  return object;
}

// An array of counters by the words of its enumeration.
template <typename Enum, size_t N>
Napi::Object from_named(Napi::Env env, const std::array<uint64_t, N>& counts) {
  Napi::Object object = Napi::Object::New(env);
  for (size_t i = 0; i < N; i++) {
    object.Set(to_string(static_cast<Enum>(i)), from_count(env, counts[i]));
  }
  return object;
}

// `10.1.0.2/32 in table 931101: Invalid prefsrc address`; the kernel has no words for every error.
std::string describe(const RouteRefusal& refusal) {
  if (refusal.error == 0) return "";
  const RouteOp& op = refusal.op;
  const std::string why = refusal.message.view().empty() ? std::strerror(refusal.error)
                                                         : std::string(refusal.message.view());
  if (op.kind == RouteOp::Kind::kNeighbour) {
    return "neighbour " + std::string(to_text(op.neighbour).view()) + ": " + why;
  }
  const bool is_rule = op.key.kind == RouteKey::Kind::kRule;
  return (is_rule ? "rule to " : "") + std::string(to_text(op.key.destination).view()) +
         (is_rule ? " lookup " : " in table ") + std::to_string(op.key.table) + ": " + why;
}

Napi::Object from_histogram(Napi::Env env, const Histogram& histogram) {
  Napi::Array bounds = Napi::Array::New(env, Histogram::kBounds.size());
  Napi::Array counts = Napi::Array::New(env, histogram.counts().size());
  uint32_t i = 0;
  for (const Duration bound : Histogram::kBounds) bounds.Set(i++, from_us(env, bound));
  i = 0;
  for (const uint64_t count : histogram.counts()) counts.Set(i++, from_count(env, count));
  Napi::Object object = Napi::Object::New(env);
  object.Set("boundsUs", bounds);
  object.Set("counts", counts);
  object.Set("sumUs", from_us(env, histogram.sum()));
  return object;
}

Napi::Object from_histograms(Napi::Env env, const Histograms& histograms) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("timerLateness", from_histogram(env, histograms.timer_lateness));
  object.Set("netlinkRoundTrip", from_histogram(env, histograms.netlink_round_trip));
  return object;
}

}  // namespace

Napi::Array from_paths(Napi::Env env, const std::vector<PathRow>& paths) {
  return from_rows(env, paths);
}

Napi::Object from_snapshot(Napi::Env env, const Snapshot& snapshot) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("takenUs", from_us(env, snapshot.taken));
  object.Set("peers", from_rows(env, snapshot.peers));
  object.Set("paths", from_rows(env, snapshot.paths));
  object.Set("lans", from_rows(env, snapshot.lans));
  object.Set("counters", from_counters(env, snapshot.counters, snapshot.transport));
  object.Set("drops", from_named<Drop>(env, snapshot.counters.drops));
  object.Set("decodeErrors", from_named<DecodeError>(env, snapshot.counters.decode_errors));
  object.Set("frameErrors", from_named<FrameError>(env, snapshot.transport.frame_errors));
  object.Set("histograms", from_histograms(env, snapshot.histograms));
  object.Set("lastRefusal", describe(snapshot.last_refusal));
  return object;
}

}  // namespace faild
