// The flight recorder: what it keeps, what it says of each probe, and what a verdict takes along.
#include <doctest/doctest.h>

#include <set>

#include "core/flight_recorder.h"
#include "core/path.h"
#include "unit/core_rig.h"

namespace faild {
namespace {

using rig::Rig;

Probe numbered(uint32_t sequence, bool refused = false) {
  Probe probe;
  probe.sequence = sequence;
  probe.refused = refused;
  return probe;
}

Recording read(const FlightRecorder& recorder) {
  Recording out;
  recorder.read(&out);
  return out;
}

std::vector<Probe> those(const Recording& recording, bool sent, ProbeKind kind) {
  std::vector<Probe> found;
  for (const Probe& probe : recording.probes) {
    if (probe.sent == sent && probe.kind == kind) found.push_back(probe);
  }
  return found;
}

Recording of_path(const Rig& rig, size_t peer, uint8_t lan) {
  Recording out;
  REQUIRE(rig.engine->read_probes(peer, LanIndex{lan}, &out));
  return out;
}

Recording of_lan(const Rig& rig, uint8_t lan) {
  Recording out;
  rig.engine->read_probes(LanIndex{lan}, &out);
  return out;
}

// The only event of this kind so far.
Event only(const Rig& rig, EventKind kind) {
  REQUIRE(rig.count(kind) == 1);
  return *std::find_if(rig.events.begin(), rig.events.end(),
                       [&](const Event& event) { return event.kind == kind; });
}

void tap(Rig& rig, std::optional<ProbeQuery> query) {
  Command command;
  command.kind = Command::Kind::kTap;
  command.tap = query;
  rig.command(command);
}

std::vector<ProbeDump> dumps_of(const Rig& rig, const Event& event) {
  std::vector<ProbeDump> found;
  for (const ProbeDump& dump : rig.dumps) {
    if (dump.id == event.id) found.push_back(dump);
  }
  return found;
}

}  // namespace

TEST_CASE("a ring keeps the newest probes, oldest first, and counts all") {
  FlightRecorder recorder;
  CHECK(read(recorder).probes.empty());
  for (uint32_t i = 1; i <= 5; i++) recorder.note(numbered(i));
  CHECK(read(recorder).probes.size() == 5);
  CHECK(read(recorder).probes[0].sequence == 1);
  for (uint32_t i = 6; i <= 40; i++) recorder.note(numbered(i));
  const Recording full = read(recorder);
  CHECK(full.count == 40);
  REQUIRE(full.probes.size() == kProbesKept);
  for (uint32_t i = 0; i < kProbesKept; i++) {
    CHECK(full.probes[i].sequence == 41 - kProbesKept + i);
  }
}

TEST_CASE("a flood of refused packets takes one place") {
  FlightRecorder recorder;
  for (uint32_t i = 1; i <= 20; i++) recorder.note(numbered(i));
  for (uint32_t i = 0; i < 1000; i++) recorder.note(numbered(i, true));
  const Recording kept = read(recorder);
  CHECK(kept.count == 21);
  CHECK(kept.probes[kProbesKept - 2].sequence == 20);
  CHECK_FALSE(kept.probes[kProbesKept - 2].refused);
  CHECK(kept.probes[kProbesKept - 1].sequence == 999);
  recorder.note(numbered(21));
  recorder.note(numbered(1, true));
  CHECK(read(recorder).count == 23);
}

TEST_CASE("a lag that does not fit is told as the longest") {
  Probe probe;
  probe.set_lag(Duration::us(123));
  CHECK(probe.lag() == Duration::us(123));
  probe.set_lag(Duration::seconds(100));
  CHECK(probe.lag() == Duration::us(Probe::kLongestLagUs));
  probe.set_lag(Duration::us(-5));  // a stamp ahead of our reading of the clock
  CHECK(probe.lag() == Duration());
}

TEST_CASE("both directions are recorded, with what was late of each") {
  Rig rig(2);
  rig::settle(rig, 1);
  for (const Probe& probe : those(of_path(rig, 0, 0), false, ProbeKind::kInq)) {
    CHECK(probe.at.in_ns() % 10'000'000 == 0);  // when it arrived
    CHECK(probe.lag() == Duration());           // and read at once
    CHECK_FALSE(probe.urgent);
  }
  const auto sent = those(of_lan(rig, 0), true, ProbeKind::kInq);
  REQUIRE(sent.size() >= 4);
  CHECK(sent.back().sequence == sent.front().sequence + sent.size() - 1);
  CHECK(sent.back().lag() == Duration());
  CHECK(of_lan(rig, 0).interval == Duration::ms(10));

  // Our own thread comes two milliseconds late to its next inquiry.
  while (rig.engine->poll_at() <= rig.now) rig.run(Duration::us(100));
  const uint64_t before = of_lan(rig, 0).count;
  while (of_lan(rig, 0).count == before) {
    rig.now = rig.engine->poll_at() + Duration::ms(2);
    rig.engine->on_deadline(rig.now, *rig.effects);
    rig.finish();
  }
  CHECK(those(of_lan(rig, 0), true, ProbeKind::kInq).back().lag() == Duration::ms(2));
  CHECK(those(of_lan(rig, 0), true, ProbeKind::kInq).back().at == rig.now);
}

TEST_CASE("a solicit and its answer belong to the path, with the round trip") {
  Rig rig(2);
  rig.round_trip[1] = Duration::us(70);
  rig::settle(rig, 1);
  Command probe;
  probe.kind = Command::Kind::kProbe;
  probe.host = HostId{2};
  probe.lan = LanIndex{1};
  rig.command(probe);
  rig.run(Duration::ms(1));
  const auto asked = those(of_path(rig, 0, 1), true, ProbeKind::kSolicit);
  const auto answered = those(of_path(rig, 0, 1), false, ProbeKind::kSolicitAck);
  REQUIRE((!asked.empty() && !answered.empty()));
  CHECK(answered.back().lag() == Duration::us(70));
  CHECK(answered.back().sequence == asked.back().sequence);
}

TEST_CASE("what was refused is seen, and told from evidence") {
  Rig rig(2);
  rig::settle(rig, 1);
  Heartbeat replay = rig.beat_of(rig.peers[0], 0, MessageType::kInq);
  replay.sequence = 3;
  rig.deliver(replay, 0);
  const Recording kept = of_path(rig, 0, 0);
  CHECK(kept.probes[kept.probes.size() - 1].refused);
  CHECK(kept.probes[kept.probes.size() - 1].sequence == 3);
  CHECK_FALSE(kept.probes[kept.probes.size() - 2].refused);
}

TEST_CASE("a responder notes the inquiries and its answers to them") {
  Rig rig(2, 16, false);
  rig::settle(rig, 1);
  rig.run(Duration::ms(200));
  const Recording kept = of_path(rig, 0, 0);
  const auto asked = those(kept, false, ProbeKind::kInq);
  const auto answered = those(kept, true, ProbeKind::kAck);
  REQUIRE(asked.size() == kProbesKept / 2);
  REQUIRE(answered.size() == kProbesKept / 2);
  CHECK(answered.back().sequence == asked.back().sequence);
  CHECK(of_lan(rig, 0).probes.empty());  // it asks nobody
}

TEST_CASE("a silent path's verdict takes along what was heard last, and what we sent meanwhile") {
  Rig rig(2);
  rig::settle(rig, 1);
  rig.peers[0].speaks[0] = false;
  const Instant last = *std::optional(of_path(rig, 0, 0).probes[kProbesKept - 1].at);
  rig.run(Duration::ms(50));
  const Event down = only(rig, EventKind::kPathDown);
  const auto dumps = dumps_of(rig, down);
  REQUIRE(dumps.size() == 1);
  CHECK(dumps[0].path.host == HostId{2});
  CHECK(dumps[0].path.lan == LanIndex{0});
  const auto heard = those(dumps[0].path, false, ProbeKind::kInq);
  REQUIRE(!heard.empty());
  CHECK(heard.back().at == last);
  CHECK(down.at - heard.back().at == detection_time({3, 10}, Duration::ms(10)));
  const auto sent = those(dumps[0].lan, true, ProbeKind::kInq);
  const auto since =
      std::count_if(sent.begin(), sent.end(), [&](const Probe& probe) { return probe.at > last; });
  CHECK(since == 3);
  // The ring has moved on, the dump has not.
  rig.run(Duration::seconds(1));
  CHECK(those(of_lan(rig, 0), true, ProbeKind::kInq).front().at > down.at);
  CHECK(those(dumps_of(rig, down)[0].lan, true, ProbeKind::kInq).back().at <= down.at);
}

TEST_CASE("a not-heard verdict takes along the packet that says so") {
  Rig rig(2);
  rig::settle(rig, 1);
  rig.peers[0].hears[0] = false;
  rig.run(Duration::ms(15));
  const Event down = only(rig, EventKind::kPathDown);
  CHECK(down.reason == Reason::kNotHeard);
  const auto dumps = dumps_of(rig, down);
  REQUIRE(dumps.size() == 1);
  const auto heard = those(dumps[0].path, false, ProbeKind::kInq);
  CHECK(heard.back().unheard);
  CHECK(heard.back().at == down.at);
  CHECK_FALSE(heard[heard.size() - 2].unheard);
}

TEST_CASE("a few paths speak for a dead LAN") {
  Rig rig(2);
  rig::settle(rig, 7);
  for (rig::Peer& peer : rig.peers) peer.speaks[1] = false;
  rig.run(Duration::ms(50));
  const Event down = only(rig, EventKind::kLanDown);
  CHECK(down.count == 7);
  const auto dumps = dumps_of(rig, down);
  CHECK(dumps.size() == kDumpsPerLan);
  std::set<HostId> hosts;
  for (const ProbeDump& dump : dumps) {
    hosts.insert(dump.path.host);
    CHECK(dump.lan.lan == LanIndex{1});
    CHECK(dump.path.probes[kProbesKept - 1].at < down.at - Duration::ms(20));
  }
  CHECK(hosts.size() == kDumpsPerLan);
}

TEST_CASE("our own lost carrier takes its paths along as well") {
  Rig rig(2);
  rig::settle(rig, 1);
  rig.engine->on_link(rig.now, {LanIndex{0}, false}, *rig.effects);
  rig.finish();
  const auto dumps = dumps_of(rig, only(rig, EventKind::kLanDown));
  REQUIRE(dumps.size() == 1);
  CHECK(dumps[0].path.host == HostId{2});
}

TEST_CASE("each path's verdict has its dump, however many there are at once") {
  Rig rig(2, 512);
  rig::settle(rig, 500);
  for (size_t i = 0; i < 200; i++) rig.peers[i].speaks[0] = false;
  rig.run(Duration::ms(50));
  CHECK(rig.count(EventKind::kPathDown) == 200);
  for (const Event& event : rig.events) {
    if (event.kind != EventKind::kPathDown) continue;
    const auto dumps = dumps_of(rig, event);
    REQUIRE(dumps.size() == 1);
    CHECK(dumps[0].path.host == event.host);
    CHECK(dumps[0].path.probes.size() == kProbesKept);
    CHECK(dumps[0].lan.probes.size() == kProbesKept);
  }
}

TEST_CASE("a ring that is held keeps what it holds until the peer is heard") {
  FlightRecorder recorder;
  for (uint32_t i = 1; i <= 8; i++) recorder.note(numbered(i));
  recorder.hold();
  Probe sent = numbered(9);
  sent.sent = true;
  recorder.note(sent);
  recorder.note(numbered(10, true));
  CHECK(recorder.held());
  CHECK(read(recorder).count == 8);
  recorder.note(numbered(11));
  CHECK_FALSE(recorder.held());
  recorder.note(sent);
  CHECK(read(recorder).count == 10);
  CHECK(read(recorder).probes[kProbesKept - 2].sequence == 11);
}

TEST_CASE("a silent path keeps the evidence until it is heard again; the tap shows the rest") {
  Rig rig(2);
  rig::settle(rig, 1);
  rig.peers[0].speaks[0] = false;
  rig.run(Duration::ms(50));
  const ProbeDump dump = dumps_of(rig, only(rig, EventKind::kPathDown))[0];
  tap(rig, ProbeQuery());
  Heartbeat late = rig.beat_of(rig.peers[0], 0, MessageType::kAck);
  late.to = rig.config.host;
  late.to_incarnation = rig.config.incarnation;
  late.echo_sequence = 4711;
  rig.deliver(late, 0);
  CHECK(std::any_of(rig.tapped.begin(), rig.tapped.end(),
                    [](const TappedProbe& tapped) { return tapped.probe.refused; }));
  rig.run(Duration::seconds(3600));
  const Recording kept = of_path(rig, 0, 0);
  CHECK(kept.verdict == only(rig, EventKind::kPathDown).at);
  CHECK(kept.count == dump.path.count);
  CHECK(kept.probes[kProbesKept - 1].at == dump.path.probes[kProbesKept - 1].at);
  CHECK_FALSE(of_lan(rig, 0).verdict);
  CHECK(of_lan(rig, 0).probes[0].at > *kept.verdict);
  Recording sent;
  REQUIRE(rig.engine->read_kept(LanIndex{0}, 0, &sent));
  CHECK(sent.verdict == kept.verdict);
  CHECK(sent.count == dump.lan.count);
  CHECK(sent.probes[kProbesKept - 1].at == dump.lan.probes[kProbesKept - 1].at);
  CHECK_FALSE(rig.engine->read_kept(LanIndex{0}, 1, &sent));
  CHECK_FALSE(rig.engine->read_kept(LanIndex{1}, 0, &sent));
  rig.peers[0].speaks[0] = true;
  rig.run(Duration::ms(20));
  CHECK_FALSE(of_path(rig, 0, 0).verdict);
  CHECK(of_path(rig, 0, 0).count > dump.path.count);
}

TEST_CASE("all paths of a dead LAN keep theirs, and share what had been sent to everybody") {
  Rig rig(2, 512);
  rig::settle(rig, 500);
  for (rig::Peer& peer : rig.peers) peer.speaks[1] = false;
  rig.run(Duration::seconds(60));
  const Event down = only(rig, EventKind::kLanDown);
  Recording sent;
  REQUIRE(rig.engine->read_kept(LanIndex{1}, 0, &sent));
  CHECK(sent.verdict == down.at);
  CHECK(sent.probes[kProbesKept - 1].at <= down.at);
  for (size_t peer = 0; peer < 500; peer++) {
    const Recording kept = of_path(rig, peer, 1);
    REQUIRE(kept.verdict);
    CHECK(*kept.verdict >= down.at);
    CHECK(kept.probes[kProbesKept - 1].at < down.at - Duration::ms(20));
    CHECK_FALSE(of_path(rig, peer, 0).verdict);
  }
}

TEST_CASE("of what was sent to everybody the last few verdicts keep a copy, neighbours share one") {
  Rig rig(2, 64);
  rig::settle(rig, 40);
  const auto fall = [&](size_t peer) {
    rig.peers[peer].speaks[0] = false;
    rig.run(Duration::ms(100));
  };
  rig.peers[0].speaks[0] = false;
  fall(1);
  Recording sent;
  CHECK(rig.count(EventKind::kPathDown) == 2);
  CHECK_FALSE(rig.engine->read_kept(LanIndex{0}, 1, &sent));
  for (size_t peer = 2; peer < 2 + kVerdictsKept; peer++) fall(peer);
  std::set<Instant> verdicts;
  for (size_t i = 0; i < kVerdictsKept; i++) {
    REQUIRE(rig.engine->read_kept(LanIndex{0}, i, &sent));
    verdicts.insert(*sent.verdict);
  }
  CHECK(verdicts.size() == kVerdictsKept);
  CHECK(*verdicts.rbegin() == rig.path(2 + 1 + kVerdictsKept, 0).since);
  CHECK(*verdicts.begin() > rig.path(2, 0).since);
  CHECK_FALSE(rig.engine->read_kept(LanIndex{0}, kVerdictsKept, &sent));
}

TEST_CASE("a peer that does not hear us is noted as ever") {
  Rig rig(2);
  rig::settle(rig, 1);
  rig.peers[0].hears[0] = false;
  rig.run(Duration::ms(15));
  CHECK_FALSE(of_path(rig, 0, 0).verdict);
}

TEST_CASE("whoever listens is given each probe, in order, and none is missing") {
  Rig rig(2);
  rig::settle(rig, 2);
  CHECK(rig.tapped.empty());
  tap(rig, ProbeQuery());
  const uint64_t before = of_path(rig, 0, 1).count, sent_before = of_lan(rig, 1).count;
  rig.run(Duration::seconds(2));
  std::vector<Probe> heard, sent;
  for (const TappedProbe& tapped : rig.tapped) {
    if (tapped.lan != LanIndex{1}) continue;
    if (tapped.host == HostId{2}) heard.push_back(tapped.probe);
    if (tapped.host == HostId{}) sent.push_back(tapped.probe);
    CHECK(tapped.interval == Duration::ms(10));
  }
  CHECK(heard.size() == of_path(rig, 0, 1).count - before);
  CHECK(sent.size() == of_lan(rig, 1).count - sent_before);
  CHECK(sent.size() >= 190);
  for (size_t i = 1; i < sent.size(); i++) CHECK(sent[i].sequence == sent[i - 1].sequence + 1);
  tap(rig, std::nullopt);
  rig.tapped.clear();
  rig.run(Duration::ms(50));
  CHECK(rig.tapped.empty());
}

TEST_CASE("a tap is of one peer, or of one LAN, with what goes to everybody there") {
  Rig rig(2);
  rig::settle(rig, 2);
  tap(rig, ProbeQuery{HostId{3}, LanIndex{1}});
  rig.run(Duration::ms(100));
  std::set<HostId> hosts;
  for (const TappedProbe& tapped : rig.tapped) {
    hosts.insert(tapped.host);
    CHECK(tapped.lan == LanIndex{1});
    CHECK(tapped.probe.sent == (tapped.host == HostId{}));
  }
  CHECK(hosts == std::set<HostId>{HostId{}, HostId{3}});
}

TEST_CASE("one step's probes always fit, and a caller who clears nothing is told what did not") {
  Rig rig(2, 128);
  rig::settle(rig, 100);
  tap(rig, ProbeQuery());
  for (size_t i = 0; i < 2 * kMaxTappedPerStep; i++) {
    rig::Peer& peer = rig.peers[i % rig.peers.size()];
    Heartbeat beat = rig.beat_of(peer, 0, MessageType::kInq);
    beat.sequence = ++peer.sequence[0];
    std::array<uint8_t, kMaxHeartbeatBytes> bytes;
    PacketIn packet;
    packet.arrived = rig.now;
    packet.from = rig::ip("10.1.99.99");
    packet.payload = {bytes.data(), encode(beat, bytes)};
    rig.engine->on_packet(rig.now, packet, *rig.effects);
  }
  CHECK(rig.effects->tapped.size() == kMaxTappedPerStep);
  CHECK(rig.effects->tapped_lost == kMaxTappedPerStep);
  rig.effects->clear();
  CHECK(rig.effects->tapped_lost == 0);
}

TEST_CASE("a place that went to another host tells nothing of the first") {
  Rig rig(2, 1);
  rig::settle(rig, 1);
  rig.peers[0].speaks = {};
  rig.run(Duration::seconds(8 * 3600 + 10));
  rig.peers.clear();
  rig::Peer& next = rig.add_peer(9);
  rig.inquire(next, 0);
  REQUIRE(rig.count(EventKind::kPeerForgotten) == 1);
  const Recording kept = of_path(rig, 0, 0);
  CHECK(kept.host == HostId{9});
  CHECK(those(kept, false, ProbeKind::kInq).size() == 1);
}

}  // namespace faild
