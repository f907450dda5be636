// A muted LAN (Command::kMute): heartbeats do not count, in the direction that was asked for, until
// they are told to again, or until its time is over, or until something else fails.
#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>

#include "unit/core_rig.h"

namespace faild {
namespace {

using rig::Rig;

constexpr Duration kLength = Duration::ms(200);

Command mute(bool in, bool out, uint8_t lan = 0, Duration length = kLength) {
  Command command;
  command.kind = Command::Kind::kMute;
  command.lan = LanIndex{lan};
  command.mute = {in, out, length};
  return command;
}

Command unmute(uint8_t lan) {
  Command command;
  command.kind = Command::Kind::kUnmute;
  command.lan = LanIndex{lan};
  return command;
}

int refusal(Rig& rig, const Command& command) {
  rig.command(command);
  REQUIRE(rig.events.back().kind == EventKind::kAnswer);
  return rig.events.back().error;
}

uint64_t sent_on(const Rig& rig, uint8_t lan) {
  LanRow row;
  rig.engine->read_lan(LanIndex{lan}, &row);
  return row.sent;
}

const Event& only(const Rig& rig, EventKind kind) {
  REQUIRE(rig.count(kind) == 1);
  return *std::find_if(rig.events.begin(), rig.events.end(),
                       [kind](const Event& event) { return event.kind == kind; });
}

void prepare(Rig& rig, uint64_t peers = 1) {
  rig::settle(rig, peers);
  rig.events.clear();
}

TEST_CASE(
    "what arrives is not read: the verdict is that of a cut, and it heals by itself in time") {
  Rig rig(2);
  prepare(rig);
  const Instant cut = rig.now;
  CHECK(refusal(rig, mute(true, false)) == 0);
  const uint64_t sent = sent_on(rig, 0);
  rig.run(Duration::ms(60));
  CHECK(rig.path(2, 0).state == PathState::kDown);
  CHECK(rig.path(2, 0).reason == Reason::kSilent);
  CHECK(rig.path(2, 1).state == PathState::kUp);
  CHECK(rig.last_missing(0).size() == 1);  // the peer is told, as after a real cut
  CHECK(sent_on(rig, 0) > sent);
  CHECK(rig.drops(Drop::kMuted) >= 5);
  CHECK(rig.count(EventKind::kDropped) == 0);
  CHECK(only(rig, EventKind::kLanMuted).at == cut);
  CHECK(only(rig, EventKind::kLanMuted).count == kMutedIn);
  CHECK(only(rig, EventKind::kLanMuted).silence == kLength);
  rig.run(Duration::ms(300));
  CHECK(only(rig, EventKind::kLanUnmuted).at == cut + kLength);
  CHECK(rig.all_up());
}

TEST_CASE("what would be sent is not, but for a goodbye") {
  Rig rig(2);
  prepare(rig);
  CHECK(refusal(rig, mute(false, true)) == 0);
  const uint64_t sent = sent_on(rig, 0), elsewhere = sent_on(rig, 1);
  rig.run(Duration::ms(100));
  CHECK(sent_on(rig, 0) == sent);
  CHECK(sent_on(rig, 1) > elsewhere);
  CHECK(rig.path(2, 0).state == PathState::kUp);  // as long as the peer does not complain
  rig.peers[0].hears[0] = false;
  rig.run(Duration::ms(20));
  CHECK(rig.path(2, 0).reason == Reason::kNotHeard);
  Command bye;
  bye.kind = Command::Kind::kBye;
  rig.command(bye);
  CHECK(sent_on(rig, 0) == sent + 1);
  CHECK(rig.count(EventKind::kLanUnmuted) == 1);
}

TEST_CASE("what had arrived before is read") {
  Rig rig(2);
  prepare(rig);
  CHECK(refusal(rig, mute(true, false)) == 0);
  Heartbeat beat = rig.beat_of(rig.peers[0], 0, MessageType::kInq);
  beat.sequence = ++rig.peers[0].sequence[0];
  std::array<uint8_t, kMaxHeartbeatBytes> bytes{};
  const size_t size = encode(beat, bytes);
  PacketIn packet;
  packet.from = rig::ip("10.1.99.99");
  packet.payload = {bytes.data(), size};
  packet.arrived = rig.now - Duration::ns(1);
  const uint64_t received = rig.path(2, 0).received;
  rig.engine->on_packet(rig.now, packet, *rig.effects);
  CHECK(rig.path(2, 0).received == received + 1);
  packet.arrived = rig.now;
  rig.engine->on_packet(rig.now, packet, *rig.effects);
  CHECK(rig.drops(Drop::kMuted) == 1);
}

TEST_CASE("on command it ends before its time; one LAN at a time") {
  Rig rig(3);
  prepare(rig);
  CHECK(refusal(rig, unmute(0)) == ENOENT);
  CHECK(refusal(rig, mute(true, true)) == 0);
  CHECK(refusal(rig, mute(true, true)) == EBUSY);
  CHECK(refusal(rig, mute(true, true, 1)) == EBUSY);
  CHECK(refusal(rig, unmute(1)) == ENOENT);
  rig.run(Duration::ms(10));
  CHECK(refusal(rig, unmute(0)) == 0);
  CHECK(only(rig, EventKind::kLanUnmuted).silence == Duration::ms(10));
  CHECK(only(rig, EventKind::kLanUnmuted).count == (kMutedIn | kMutedOut));
  rig.run(Duration::ms(500));
  CHECK(rig.count(EventKind::kPathDown) == 0);
  CHECK(rig.count(EventKind::kLanUnmuted) == 1);
}

TEST_CASE("nobody is left without a way") {
  Rig rig(2);
  SUBCASE("a peer that is up nowhere else") {
    prepare(rig, 2);
    rig.peers[1].speaks[1] = false;
    rig.run(Duration::ms(100));
    CHECK(refusal(rig, mute(true, true, 0)) == EHOSTUNREACH);
    CHECK(refusal(rig, mute(true, true, 1)) == 0);
  }
  SUBCASE("nobody is there") {
    rig.begin();
    CHECK(refusal(rig, mute(true, true)) == EHOSTUNREACH);
  }
  SUBCASE("another LAN loses a path meanwhile") {
    prepare(rig);
    CHECK(refusal(rig, mute(true, false, 0, Duration::seconds(60))) == 0);
    rig.run(Duration::ms(50));
    CHECK(rig.path(2, 0).state == PathState::kDown);
    rig.peers[0].speaks[1] = false;
    rig.run(Duration::ms(200));
    CHECK(rig.path(2, 1).state == PathState::kDown);
    CHECK(rig.count(EventKind::kLanUnmuted) == 1);
    CHECK(rig.path(2, 0).state == PathState::kUp);
  }
  SUBCASE("another LAN loses its carrier meanwhile") {
    prepare(rig);
    CHECK(refusal(rig, mute(true, false, 0, Duration::seconds(60))) == 0);
    rig.engine->on_link(rig.now, {LanIndex{1}, false}, *rig.effects);
    rig.finish();
    CHECK(rig.count(EventKind::kLanUnmuted) == 1);
  }
}

TEST_CASE("an order that makes no sense is refused") {
  Rig rig(2);
  prepare(rig);
  CHECK(refusal(rig, mute(false, false)) == EINVAL);
  CHECK(refusal(rig, mute(true, true, 2)) == EINVAL);
  CHECK(refusal(rig, mute(true, true, 0, Duration())) == EINVAL);
  CHECK(refusal(rig, mute(true, true, 0, Duration::seconds(61))) == EINVAL);
}

}  // namespace
}  // namespace faild
