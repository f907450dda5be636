// libFuzzer: arbitrary bytes as a heartbeat. Whatever decodes encodes to bytes that are a fixpoint.
#include <cstdint>
#include <cstring>

#include "base/check.h"
#include "base/limits.h"
#include "wire/heartbeat.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace faild;
  static Heartbeat beat;  // reused, as the engine reuses its own: what is left of the last packet
                          // must not matter
  static Heartbeat again;
  const HostId host = glance_at_host({data, size});
  if (decode({data, size}, &beat)) return 0;
  FAILD_CHECK(host == beat.host);
  uint8_t once[kMaxHeartbeatBytes];
  const size_t length = encode(beat, once);
  FAILD_CHECK(length <= size);
  FAILD_CHECK(!decode({once, length}, &again));
  uint8_t twice[kMaxHeartbeatBytes];
  FAILD_CHECK(encode(again, twice) == length);
  FAILD_CHECK(std::memcmp(once, twice, length) == 0);
  return 0;
}
