#include "io/route_writer.h"

#include <linux/rtnetlink.h>

#include "io/clock.h"

namespace faild {
namespace {

// Until the kernel says otherwise. Not a value of its own: the engine tries again after any error.
constexpr int kNoAnswer = EIO;

}  // namespace

std::optional<RuntimeError> RouteWriter::open() {
  if (auto error = socket_.open(NetlinkUse::kRequests)) return error;
  // An RTM_DELROUTE of no family: the kernel asks for the capability before it looks at the
  // request, and finds nothing to do. (Shorter by its one byte of body, it would not even ask.)
  struct {
    nlmsghdr header{};
    rtgenmsg body{};
  } probe;
  probe.header.nlmsg_len = NLMSG_LENGTH(sizeof probe.body);
  probe.header.nlmsg_type = RTM_DELROUTE;
  probe.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  if (const int error = socket_.send({reinterpret_cast<const uint8_t*>(&probe), sizeof probe})) {
    return make_error("ESYSTEM", error, "writing to the kernel's routing socket failed");
  }
  const auto answer = socket_.receive(in_);
  std::span<const uint8_t> bytes = answer.bytes;
  NetlinkNotice notice;
  if (next_notice(&bytes, &notice) && notice.error == EPERM) {
    return make_error("EPERM_NET_ADMIN", EPERM,
                      std::string("changing routes needs CAP_NET_ADMIN: ") + kHowToGrant);
  }
  return std::nullopt;
}

void RouteWriter::submit(std::span<const RouteOp> ops, std::span<RouteResult> results) {
  FAILD_CHECK(ops.size() == results.size());
  for (size_t at = 0; at < ops.size(); at += kBatch) {
    const size_t count = std::min(kBatch, ops.size() - at);
    submit_batch(ops.subspan(at, count), results.subspan(at, count));
  }
}

void RouteWriter::submit_batch(std::span<const RouteOp> ops, std::span<RouteResult> results) {
  size_t size = 0;
  for (size_t i = 0; i < ops.size(); i++) {
    results[i] = {ops[i].id, kNoAnswer};
    size += encode_route_op(ops[i], std::span(out_).subspan(size, kMaxRouteMessageBytes));
  }
  const Instant asked = monotonic_now();
  if (const int error = socket_.send(std::span(out_).first(size))) {
    for (RouteResult& result : results) result.error = error;
    return;
  }
  read_answers(ops, results);
  round_trips_.add(monotonic_now() - asked);
}

void RouteWriter::read_answers(std::span<const RouteOp> ops, std::span<RouteResult> results) {
  size_t next = 0;  // answers come in the order of the operations
  while (next < results.size()) {
    const auto received = socket_.receive(in_);
    if (received.error == ENOBUFS) continue;  // some ACKs are lost; theirs stay kNoAnswer
    if (received.error != 0) return;
    std::span<const uint8_t> bytes = received.bytes;
    NetlinkNotice notice;
    while (next_notice(&bytes, &notice)) {
      if (notice.kind != NetlinkNotice::Kind::kAck) continue;
      size_t i = next;
      while (i < results.size() && results[i].id != notice.sequence) i++;
      if (i == results.size()) continue;  // an earlier batch's
      results[i].error = notice.error;
      next = i + 1;
      if (reaches_aim(is_removal(ops[i]), notice.error)) continue;
      last_refusal_ = {notice.sequence, notice.error, notice.message, ops[i]};
    }
  }
}

}  // namespace faild
