// One round trip on demand (Command::kProbe): measured by an ordinary solicit, answered once, no
// more often than a peer may be asked, and without any effect on the path.
#include <doctest/doctest.h>

#include <cerrno>

#include "unit/core_rig.h"

namespace faild {
namespace {

using rig::Rig;

void settle(Rig& rig) {
  rig::settle(rig, 2);
  rig.events.clear();
}

Command probe(uint64_t host, uint8_t lan, uint32_t id) {
  Command command;
  command.kind = Command::Kind::kProbe;
  command.id = id;
  command.host = HostId{host};
  command.lan = LanIndex{lan};
  return command;
}

// The answers so far, in order.
std::vector<Event> answers(const Rig& rig) {
  std::vector<Event> found;
  std::copy_if(rig.events.begin(), rig.events.end(), std::back_inserter(found),
               [](const Event& event) { return event.kind == EventKind::kAnswer; });
  return found;
}

TEST_CASE("a probe is answered by the peer's own answer, with that one round trip") {
  Rig rig(2);
  settle(rig);
  rig.round_trip[1] = Duration::us(70);
  rig.command(probe(3, 1, 41));
  CHECK(answers(rig).empty());  // not before the peer has spoken
  rig.run(Duration::ms(1));
  const auto all = answers(rig);
  REQUIRE(all.size() == 1);
  CHECK(all[0].id == 41);
  CHECK(all[0].error == 0);
  CHECK(all[0].host == HostId{3});
  CHECK(all[0].lan == LanIndex{1});
  CHECK(all[0].round_trip == Duration::us(70));
  CHECK(rig.path(3, 1).state == PathState::kUp);
}

TEST_CASE("a peer is asked once in 20 ms at most, whoever wants to know") {
  Rig rig(2);
  settle(rig);
  const uint64_t before = rig.engine->counters().solicits_sent;
  rig.command(probe(2, 0, 1));
  rig.run(Duration::ms(1));
  rig.command(probe(2, 0, 2));
  rig.run(Duration::ms(20));
  rig.command(probe(2, 0, 3));
  rig.run(Duration::ms(1));
  const auto all = answers(rig);
  REQUIRE(all.size() == 3);
  CHECK(all[0].error == 0);
  CHECK(all[1].id == 2);
  CHECK(all[1].error == EAGAIN);
  CHECK(all[2].error == 0);
  CHECK(rig.engine->counters().solicits_sent == before + 2);
}

TEST_CASE("one probe a LAN; one that is lost gives way, and its late answer is not another's") {
  Rig rig(2);
  settle(rig);
  rig.silent = true;
  rig.command(probe(2, 0, 1));
  rig.run(Duration::ms(10));
  rig.command(probe(3, 0, 2));
  rig.command(probe(3, 1, 3));  // another LAN
  auto all = answers(rig);
  REQUIRE(all.size() == 1);
  CHECK(all[0].id == 2);
  CHECK(all[0].error == EBUSY);
  rig.run(Duration::ms(600));
  rig.silent = false;
  rig.command(probe(3, 0, 4));
  rig.run(Duration::ms(1));
  all = answers(rig);
  REQUIRE(all.size() == 2);
  CHECK(all[1].id == 4);
  CHECK(all[1].host == HostId{3});
}

TEST_CASE("nobody to ask") {
  Rig rig(2);
  settle(rig);
  rig.command(probe(9, 0, 1));
  rig.command(probe(2, 7, 2));
  rig.peers[0].speaks[0] = false;
  rig.run(Duration::ms(100));
  rig.command(probe(2, 0, 3));
  const auto all = answers(rig);
  REQUIRE(all.size() == 3);
  CHECK(all[0].error == ENOENT);
  CHECK(all[1].error == EINVAL);
  CHECK(all[2].error == EHOSTUNREACH);
}

}  // namespace
}  // namespace faild
