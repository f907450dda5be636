#include "io/resync.h"

#include <cerrno>

namespace faild {
namespace {

// The rules of both families, then each of faild's tables in both: never the whole of the host's
// routes, which may be a million.
constexpr std::array kRules = {DumpKind::kRulesV4, DumpKind::kRulesV6};
constexpr std::array kRoutes = {DumpKind::kRoutesV4, DumpKind::kRoutesV6};
constexpr size_t kTables = 1 + kMaxLans + 1;  // exceptions, standbys, direct: in a row
static_assert(kDirectTable == kExceptionsTable + kTables - 1);
constexpr size_t kStages = kRules.size() + kTables * kRoutes.size();

DumpKind kind_of(size_t stage) {
  return stage < kRules.size() ? kRules[stage] : kRoutes[(stage - kRules.size()) % kRoutes.size()];
}

std::optional<uint32_t> table_of(size_t stage) {
  if (stage < kRules.size()) return std::nullopt;
  return kExceptionsTable + static_cast<uint32_t>((stage - kRules.size()) / kRoutes.size());
}

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
  if (!request()) stage_ = kStages;
}

bool Resync::request() {
  const size_t size = encode_dump(kind_of(stage_), ++sequence_, buffer_, table_of(stage_));
  return socket_.send(std::span(buffer_).first(size)) == 0;
}

// The dump of this stage has ended. A table that was never filled does not exist.
Resync::Piece Resync::next_stage(int error) {
  if (error != 0 && error != ENOENT) return Piece::kFailed;
  if (++stage_ == kStages) return Piece::kDone;
  return request() ? Piece::kMore : Piece::kFailed;
}

// More than faild can have put there does not fit: those would be foreign leftovers. An old kernel
// tells every table when it is asked for one.
void Resync::take(const KernelEntry& entry) {
  const auto table = table_of(stage_);
  if (table && entry.key.table != *table) return;
  if (entries_.size() < entries_.capacity()) entries_.push_back(entry);
}

Resync::Piece Resync::read_all() {
  Piece piece = Piece::kMore;
  while (piece == Piece::kMore) piece = read_piece();
  return piece;
}

Resync::Piece Resync::read_piece() {
  if (stage_ == kStages) return Piece::kFailed;
  const auto received = socket_.receive(buffer_);
  if (received.error != 0) return Piece::kFailed;
  std::span<const uint8_t> bytes = received.bytes;
  NetlinkNotice notice;
  while (next_notice(&bytes, &notice)) {
    if (notice.sequence != sequence_) continue;
    switch (notice.kind) {
      case NetlinkNotice::Kind::kEntry: take(notice.entry.entry); break;
      case NetlinkNotice::Kind::kInterrupted: interrupted_ = true; break;
      case NetlinkNotice::Kind::kDone:
      case NetlinkNotice::Kind::kAck: return next_stage(notice.error);
      default: break;
    }
  }
  return Piece::kMore;
}

}  // namespace faild
