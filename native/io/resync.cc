#include "io/resync.h"

namespace faild {
namespace {

constexpr std::array kStages = {DumpKind::kRulesV4, DumpKind::kRulesV6, DumpKind::kRoutesV4,
                                DumpKind::kRoutesV6};
constexpr int kPatientTries = 3;  // in pieces; the next is read in one go
constexpr Duration kRetryAfter =
    Duration::ms(100);  // the kernel refuses to dump: it may be out of memory

}  // namespace

std::optional<RuntimeError> Resync::open(size_t room) {
  entries_.reserve(room);
  return socket_.open(NetlinkUse::kDumps);
}

bool Resync::advance(Instant now, uint64_t writes) {
  if (!running_) {
    attempts_ = 0;
    wanted_ = false;
    running_ = true;
    begin(writes);
  }
  const Piece piece = attempts_ < kPatientTries ? read_piece() : read_all();
  if (piece == Piece::kMore) return false;
  if (piece == Piece::kDone && !interrupted_ && writes == writes_) {
    running_ = false;
    return true;
  }
  if (++attempts_ > kPatientTries) {
    running_ = false;
    wanted_ = true;
    not_before_ = now + kRetryAfter;
    return false;
  }
  begin(writes);
  return false;
}

// A dump that a failed one left half-read is told apart by its sequence, and ended by the kernel
// when we ask anew.
void Resync::begin(uint64_t writes) {
  writes_ = writes;
  entries_.clear();
  interrupted_ = false;
  stage_ = 0;
  if (!request()) stage_ = kStages.size();
}

bool Resync::request() {
  const size_t size = encode_dump(kStages[stage_], ++sequence_, buffer_);
  return socket_.send(std::span(buffer_).first(size)) == 0;
}

Resync::Piece Resync::read_all() {
  Piece piece = Piece::kMore;
  while (piece == Piece::kMore) piece = read_piece();
  return piece;
}

Resync::Piece Resync::read_piece() {
  if (stage_ == kStages.size()) return Piece::kFailed;
  const auto received = socket_.receive(buffer_);
  if (received.error != 0) return Piece::kFailed;
  std::span<const uint8_t> bytes = received.bytes;
  NetlinkNotice notice;
  while (next_notice(&bytes, &notice)) {
    if (notice.sequence != sequence_) continue;
    switch (notice.kind) {
      case NetlinkNotice::Kind::kEntry:
        // More than faild can have put there: what does not fit would be foreign leftovers.
        if (entries_.size() < entries_.capacity()) entries_.push_back(notice.entry.entry);
        break;
      case NetlinkNotice::Kind::kInterrupted: interrupted_ = true; break;
      case NetlinkNotice::Kind::kDone:
        if (++stage_ == kStages.size()) return Piece::kDone;
        return request() ? Piece::kMore : Piece::kFailed;
      case NetlinkNotice::Kind::kAck:
        if (notice.error != 0) return Piece::kFailed;
        break;
      default: break;
    }
  }
  return Piece::kMore;
}

}  // namespace faild
