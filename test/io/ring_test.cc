// The ring between two threads, for ThreadSanitizer too: nothing is lost, nothing comes twice,
// order stays. And the two pure parts of the loop: arrival times against a clock that steps, and
// the choice between waking and polling.
#include "io/ring.h"

#include <doctest/doctest.h>

#include <memory>
#include <thread>

#include "io/clock.h"
#include "io/pace.h"

namespace faild {

TEST_CASE("a ring carries every record once and in order") {
  constexpr uint64_t kRecords = 200000;
  auto ring = std::make_unique<SpscRing<uint64_t, 64>>();
  std::thread producer([&] {
    for (uint64_t i = 0; i < kRecords;) {
      if (ring->push(i))
        i++;
      else
        std::this_thread::yield();
    }
  });
  bool ordered = true;
  for (uint64_t i = 0; i < kRecords;) {
    uint64_t value = 0;
    if (!ring->pop(&value)) {
      std::this_thread::yield();
      continue;
    }
    ordered = ordered && value == i++;
  }
  producer.join();
  CHECK(ordered);
}

TEST_CASE("a full ring says so") {
  SpscRing<int, 4> ring;
  for (int i = 0; i < 4; i++) CHECK(ring.push(i));
  CHECK_FALSE(ring.push(4));
  int value = -1;
  CHECK(ring.pop(&value));
  CHECK(value == 0);
  CHECK(ring.push(4));
}

TEST_CASE("a step of the clock moves no arrival out of its round") {
  const Instant drained = Instant::from_ns(1'000'000);
  const ClockReading reading{Instant::from_ns(2'000'000), 5'000'000'000};
  CHECK(arrival_time(reading, 5'000'000'000 - 300'000, drained) == Instant::from_ns(1'700'000));
  CHECK(arrival_time(reading, 6'000'000'000, drained) == reading.now);  // stepped back
  CHECK(arrival_time(reading, 0, drained) == drained);                  // stepped forward
  CHECK(arrival_time(reading, INT64_MIN, drained) == reading.now);
}

TEST_CASE("many packets make the loop poll, few make it wake") {
  Pace pace;
  const Duration quantum = Pace::quantum(Duration::ms(1));
  Instant now;
  for (int i = 0; i < 100; i++) pace.note(now = now + quantum, 10, quantum);
  CHECK(pace.polling());
  for (int i = 0; i < 100; i++) pace.note(now = now + quantum, 3, quantum);
  CHECK(pace.polling());  // between the limits: as before
  for (int i = 0; i < 100; i++) pace.note(now = now + quantum, 0, quantum);
  CHECK_FALSE(pace.polling());
}

TEST_CASE("a nap is a small part of the shortest interval") {
  CHECK(Pace::nap(Duration::ms(20)) == Duration::us(2500));
  CHECK(Pace::nap(Duration::us(50)) == Duration::us(50));
  CHECK(Pace::nap(Duration::seconds(3600)) == Duration::ms(5));  // the ring holds what comes
}

}  // namespace faild
