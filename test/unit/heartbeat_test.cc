// The heartbeat's codec: every refusal, the golden bytes, and what arbitrary damage does (nothing
// but a named error).
#include "wire/heartbeat.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "base/random.h"
#include "unit/vectors.h"

namespace faild {
namespace {

using Bytes = std::vector<uint8_t>;

MessageType type_of(const std::string& text) {
  if (text == "inq") return MessageType::kInq;
  return text == "ack" ? MessageType::kAck : MessageType::kBye;
}

LanAdvert lan_of(const std::string& text) {
  LanAdvert lan;
  const auto words = test::words(text);
  lan.mac = *parse_mac(words.at(0));
  for (size_t i = 1; i < words.size(); i++) REQUIRE(lan.addresses.push(*parse_prefix(words[i])));
  return lan;
}

void fill_lists(const test::Vector& v, Heartbeat* beat) {
  for (const std::string& lan : v.all("lan")) REQUIRE(beat->lans.push(lan_of(lan)));
  for (const std::string& id : v.all("missing")) {
    REQUIRE(beat->missing.push({std::strtoull(id.c_str(), nullptr, 16)}));
  }
}

Heartbeat beat_of(const test::Vector& v) {
  Heartbeat beat;
  beat.type = type_of(v.text("type"));
  beat.requestor = v.flag("requestor");
  beat.solicit = v.flag("solicit");
  beat.ack_by_broadcast = v.flag("ackByBroadcast");
  beat.hears_you = v.flag("hearsYou");
  beat.missing_is_partial = v.flag("missingIsPartial");
  beat.urgent = v.flag("urgent");
  beat.drained = v.flag("drained");
  beat.cluster = static_cast<uint32_t>(v.number("cluster"));
  beat.host = {v.hex_number("host")};
  beat.incarnation = {v.hex_number("incarnation")};
  beat.sequence = static_cast<uint32_t>(v.number("sequence"));
  beat.interval = Duration::us(static_cast<int64_t>(v.number("intervalUs")));
  beat.advert_version = static_cast<uint32_t>(v.number("advertVersion"));
  beat.arrival_lan = static_cast<uint8_t>(v.number("arrivalLan"));
  beat.to = {v.hex_number("to")};
  beat.to_incarnation = {v.hex_number("toIncarnation")};
  beat.echo_sequence = static_cast<uint32_t>(v.number("echoSequence"));
  beat.echo_hold = Duration::us(static_cast<int64_t>(v.number("echoHoldUs")));
  beat.name.assign(v.text("name"));
  fill_lists(v, &beat);
  return beat;
}

Bytes encoded(const Heartbeat& beat) {
  Bytes out(kMaxHeartbeatBytes);
  out.resize(encode(beat, out));
  return out;
}

std::string refusal(const Bytes& bytes) {
  // Exactly as large as the message, so that AddressSanitizer sees a read beyond it.
  const Bytes copy(bytes.begin(), bytes.end());
  Heartbeat beat;
  const auto error = decode(copy, &beat);
  return error ? to_string(*error) : "none";
}

// Whatever decodes must encode to bytes that decode to the same bytes again.
void check_stable(const Bytes& bytes) {
  Heartbeat beat;
  if (decode(bytes, &beat)) return;
  const Bytes once = encoded(beat);
  Heartbeat again;
  REQUIRE(!decode(once, &again));
  REQUIRE(encoded(again) == once);
}

}  // namespace

TEST_CASE("every refusal has a vector and its own word") {
  std::set<std::string> seen;
  for (const auto& v : test::read_vectors("heartbeat.txt")) {
    if (!v.has("error")) continue;
    INFO(v.text("vector"));
    CHECK(refusal(v.bytes()) == v.text("error"));
    seen.insert(v.text("error"));
  }
  CHECK(seen.size() == kDecodeErrors);
}

TEST_CASE("golden heartbeats decode to their fields and encode to their bytes") {
  for (const auto& v : test::read_vectors("heartbeat.txt")) {
    if (v.has("error")) continue;
    INFO(v.text("vector"));
    const Bytes expected = encoded(beat_of(v));
    Heartbeat beat;
    CHECK(refusal(v.bytes()) == "none");
    REQUIRE(!decode(v.bytes(), &beat));
    CHECK(encoded(beat) ==
          expected);  // every field is on the wire, so equal bytes are equal fields
    CHECK((v.bytes() == expected) == (v.text("reencodes") != "false"));
  }
}

TEST_CASE("a heartbeat cut anywhere is too short") {
  for (const auto& v : test::read_vectors("heartbeat.txt")) {
    if (v.has("error")) continue;
    const Bytes whole = v.bytes();
    for (size_t size = 0; size < whole.size(); size++) {
      Bytes cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
      REQUIRE(refusal(cut) == "too-short");
      REQUIRE((glance_at_host(cut) == HostId{}) == (size < 72));
      if (size < 72) continue;
      // With a length field that agrees, a list ends early; only the extensions may be cut
      // unnoticed.
      cut[8] = static_cast<uint8_t>(size >> 8);
      cut[9] = static_cast<uint8_t>(size);
      REQUIRE((refusal(cut) == "too-short" || v.text("reencodes") == "false"));
    }
  }
}

TEST_CASE("flipped bits never do worse than a named error") {
  Random random(1);
  for (const auto& v : test::read_vectors("heartbeat.txt")) {
    const Bytes whole = v.bytes();
    for (size_t bit = 0; bit < whole.size() * 8; bit++) {
      Bytes bytes = whole;
      bytes[bit / 8] ^= static_cast<uint8_t>(1U << (bit % 8));
      check_stable(bytes);
    }
    for (int round = 0; round < 2000 && !whole.empty(); round++) {
      Bytes bytes = whole;
      for (int i = 0; i < 4; i++)
        bytes[random.below(bytes.size())] = static_cast<uint8_t>(random.next());
      check_stable(bytes);
    }
  }
}

TEST_CASE("a reused heartbeat keeps nothing of the packet before") {
  const auto vectors = test::read_vectors("heartbeat.txt");
  Heartbeat reused;
  for (const auto& v : vectors) {
    Heartbeat fresh;
    if (decode(v.bytes(), &fresh)) {
      (void)decode(v.bytes(), &reused);
      continue;
    }
    REQUIRE(!decode(v.bytes(), &reused));
    CHECK(encoded(reused) == encoded(fresh));
  }
}

TEST_CASE("what is not printable in a name is not let through") {
  Heartbeat beat = beat_of(test::read_vectors("heartbeat.txt").front());
  beat.name.assign("a\x1b[31m\n\x7f\xc3z");
  Heartbeat read;
  REQUIRE(!decode(encoded(beat), &read));
  CHECK(read.name.view() == "a?[31m???z");
}

TEST_CASE("missing peers are found in the list") {
  Heartbeat beat;
  REQUIRE(beat.missing.push({7}));
  CHECK(beat.misses({7}));
  CHECK(!beat.misses({8}));
}

}  // namespace faild
