// faild-bench-micro SAMPLES: what the engine's parts cost, one by one, as one line of JSON. No
// socket, no kernel, no clock of the engine's: its own code alone, on a thread that bears its
// name, so that test/io/allocations.cc counts what it allocates. That must be nothing, and a
// deliberate allocation must be seen. bench/scenarios/micro.ts runs it.
//
// Nanoseconds. What takes less than reading the clock is measured in batches, each sample the mean
// of one; "clock" is what reading it costs.
#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "base/random.h"
#include "clock.h"
#include "core/path.h"
#include "io/allocations.h"
#include "samples.h"
#include "threads.h"
#include "unit/core_rig.h"

namespace faild::bench {
namespace {

constexpr int kBatch = 32;
constexpr Duration kInterval = Duration::ms(100);
constexpr size_t kRounds = 100;  // at least: our own INQs are due but once an interval

// The optimizer must believe that somebody reads this.
template <typename T>
void use(const T& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

class Micro {
 public:
  explicit Micro(size_t samples) : samples_(samples) { json_.open('{'); }

  void prove_counter();
  void codec();
  void detector();
  void engine(uint64_t peers);
  void tell() { std::cout << json_.close('}').text() << std::endl; }

 private:
  // Each sample: how long one call of `work` takes, as the mean of a batch.
  template <typename Work>
  void batches(const std::string& name, Work work) {
    Samples each(samples_);
    lab::count_allocations();
    for (size_t i = 0; i < samples_; i++) {
      const Nanoseconds before = now();
      for (int j = 0; j < kBatch; j++) work();
      each.add((now() - before) / kBatch);
    }
    allocated_ += lab::allocations_of_engines();
    report(name, each);
  }
  void report(const std::string& name, Samples& samples) {
    json_.key(name);
    samples.report(json_);
    json_.key(name + "Allocations").number(static_cast<int64_t>(allocated_));
    allocated_ = 0;
  }

  size_t samples_;
  uint64_t allocated_ = 0;
  Json json_;
};

void Micro::prove_counter() {
  lab::count_allocations();
  void* volatile memory = std::malloc(1);
  std::free(memory);
  json_.field("counted", static_cast<int64_t>(lab::allocations_of_engines()));
  batches("clock", [] { use(now()); });
}

void Micro::codec() {
  rig::Rig rig(2);
  rig::Peer& peer = rig.add_peer(2);
  for (auto& addresses : peer.addresses) addresses.push_back("fe80::2/64");
  Heartbeat beat = rig.beat_of(peer, 0, MessageType::kInq), read;
  beat.name.assign("node-1");
  std::array<uint8_t, kMaxHeartbeatBytes> bytes;
  const size_t size = encode(beat, bytes);
  batches("encode", [&] { use(encode(beat, bytes)); });
  batches("decode", [&] { use(decode({bytes.data(), size}, &read)); });
}

void Micro::detector() {
  Path path;
  path.state = PathState::kUp;
  path.interval = kInterval;
  path.acked = true;
  path.heard_by_peer = HeardByPeer::kYes;
  const DetectorRules rules{.loss_limit = LossShare{kLossOfAll / 5},
                            .round_trip_limit = Duration::ms(5)};
  Instant at = Instant::from_ns(1'000'000'000);
  batches("evidence", [&] {
    at = at + kInterval;
    note_loss(path, 0);
    note_heard(path, rules, at, true);
    note_quality(path, rules);
    use(path);
  });
  batches("verdict", [&] { use(judge(path)); });
}

// --- the whole engine

struct Frame {
  size_t lan = 0;
  uint16_t size = 0;
  std::array<uint8_t, 256> bytes{};
};

// One INQ of every peer on every LAN, in no order that the table would like.
std::vector<Frame> round_of(rig::Rig& rig, Random& random) {
  std::vector<Frame> frames;
  std::array<uint8_t, kMaxHeartbeatBytes> bytes;
  for (rig::Peer& peer : rig.peers) {
    for (size_t lan = 0; lan < rig.config.lans.size(); lan++) {
      Heartbeat beat = rig.beat_of(peer, lan, MessageType::kInq);
      beat.sequence = ++peer.sequence[lan];
      Frame frame;
      frame.lan = lan;
      frame.size = static_cast<uint16_t>(encode(beat, bytes));
      FAILD_CHECK(frame.size <= frame.bytes.size());
      std::copy_n(bytes.begin(), frame.size, frame.bytes.begin());
      frames.push_back(frame);
      std::swap(frames.back(), frames[random.below(frames.size())]);
    }
  }
  return frames;
}

void meet(rig::Rig& rig, uint64_t peers) {
  rig.config.plan.timing.fill({kInterval, 3, 10});
  rig.quiet = true;
  for (uint64_t id = 2; id < peers + 2; id++) rig.add_peer(id).interval = kInterval;
  rig.begin();
  const Instant patience = rig.now + Duration::seconds(60);
  while (rig.engine->counters().verdicts_up < peers * rig.config.lans.size()) {
    rig.run(kInterval);
    FAILD_CHECK(rig.now < patience);
  }
}

// All peers up and nothing amiss: packets spread over the interval, deadlines as they come.
void Micro::engine(uint64_t peers) {
  rig::Rig rig(2, peers);
  meet(rig, peers);
  Random random(peers);
  const size_t rounds = std::max(kRounds, samples_ / (peers * rig.config.lans.size()));
  Samples packets(rounds * peers * 2), deadlines(rounds * peers * 2);
  const auto step = [&](Samples& into, auto work) {
    lab::count_allocations();
    const Nanoseconds before = now();
    work();
    into.add(now() - before);
    allocated_ += lab::allocations_of_engines();
    rig.effects->clear();
  };
  for (size_t round = 0; round < rounds; round++) {
    const auto frames = round_of(rig, random);
    const auto gap = kInterval / static_cast<int64_t>(frames.size());
    for (const Frame& frame : frames) {
      rig.now = rig.now + gap;
      while (rig.engine->poll_at() <= rig.now) {
        step(deadlines, [&] { rig.engine->on_deadline(rig.now, *rig.effects); });
      }
      PacketIn packet;
      packet.arrived = rig.now;
      packet.lan = LanIndex{static_cast<uint8_t>(frame.lan)};
      packet.from = {Family::kIpv4, {10, static_cast<uint8_t>(frame.lan + 1), 99, 99}};
      packet.payload = {frame.bytes.data(), frame.size};
      step(packets, [&] { rig.engine->on_packet(rig.now, packet, *rig.effects); });
    }
  }
  const Counters& counters = rig.engine->counters();
  FAILD_CHECK(counters.verdicts_down == 0 && counters.stalls == 0);
  report("packet" + std::to_string(peers), packets);
  report("deadline" + std::to_string(peers), deadlines);
}

}  // namespace
}  // namespace faild::bench

int main(int argc, char** argv) {
  const size_t samples = argc == 2 ? std::strtoul(argv[1], nullptr, 10) : 0;
  if (samples == 0) {
    std::cerr << "usage: faild-bench-micro SAMPLES\n";
    return 2;
  }
  faild::bench::set_up_thread("faild-engine", faild::bench::kGeneratorPriority);
  faild::bench::Micro micro(samples);
  micro.prove_counter();
  micro.codec();
  micro.detector();
  for (const uint64_t peers : {16, 1000, 4000}) micro.engine(peers);
  micro.tell();
  return 0;
}
