// libFuzzer: arbitrary bytes as netlink messages, and as Ethernet frames. Nothing is read beyond
// them (ASan watches), no reader loops for ever, and what is called an address is one.
#include <cstdint>

#include "base/check.h"
#include "wire/frame.h"
#include "wire/rtnetlink.h"

namespace faild {
namespace {

void read_notices(std::span<const uint8_t> bytes) {
  NetlinkNotice notice;
  for (size_t before = bytes.size(); next_notice(&bytes, &notice); before = bytes.size()) {
    FAILD_CHECK(bytes.size() < before);
    FAILD_CHECK(notice.error >= 0);
    if (notice.kind != NetlinkNotice::Kind::kEntry) continue;
    const Prefix& destination = notice.entry.entry.key.destination;
    FAILD_CHECK(destination.address.family != Family::kNone);
    FAILD_CHECK(destination.length <= destination.address.size() * 8);
  }
}

void read_frame(std::span<const uint8_t> bytes) {
  constexpr uint16_t kPort = 9311;
  const auto glance = glance_at_payload(bytes);
  FAILD_CHECK(glance.empty() || &glance.back() == &bytes.back());
  for (const bool verify : {false, true}) {
    ParsedFrame frame;
    if (parse_frame(bytes, kPort, verify, &frame)) continue;
    FAILD_CHECK(frame.from.family == frame.to.family && frame.from.family != Family::kNone);
    FAILD_CHECK(frame.payload.data() >= bytes.data());
    FAILD_CHECK(frame.payload.data() + frame.payload.size() <= bytes.data() + bytes.size());
  }
}

}  // namespace
}  // namespace faild

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  faild::read_notices({data, size});
  faild::read_frame({data, size});
  return 0;
}
