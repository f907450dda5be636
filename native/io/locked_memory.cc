#include "io/locked_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "base/check.h"

namespace faild {
namespace {

// The greatest table (16,384 peers on eight LANs) takes a quarter of it.
constexpr size_t kReservedBytes = size_t{1} << 30;
constexpr size_t kPageBytes = 4096;       // the least that Linux knows: touching is never too rare
constexpr size_t kStepBytes = 256 << 10;  // a multiple of any page size

constexpr size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

}  // namespace

LockedMemory::~LockedMemory() {
  if (start_ != nullptr) munmap(start_, reserved_);
}

int LockedMemory::open() {
  void* start = mmap(nullptr, kReservedBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) return errno;
  start_ = static_cast<std::byte*>(start);
  reserved_ = kReservedBytes;
  return 0;
}

int LockedMemory::seal() {
  FAILD_CHECK(!sealed_);
  sealed_ = true;
  if (usable_ < reserved_) munmap(start_ + usable_, reserved_ - usable_);
  reserved_ = usable_;
  // Tables that are only reserved have not been touched yet. Locking would do it, where permitted.
  for (size_t at = 0; at < used_; at += kPageBytes) {
    auto* byte = reinterpret_cast<volatile std::byte*>(start_ + at);
    *byte = *byte;
  }
  return mlock(start_, used_) == 0 ? 0 : errno;
}

void* LockedMemory::do_allocate(size_t bytes, size_t alignment) {
  FAILD_CHECK(start_ != nullptr);
  bytes = std::max(bytes, sizeof(Freed));
  if (void* again = take_freed(bytes, alignment)) return again;
  FAILD_CHECK(!sealed_);
  const size_t at = round_up(used_, std::max(alignment, alignof(Freed)));
  make_usable(at + bytes);
  used_ = at + bytes;
  return start_ + at;
}

void LockedMemory::make_usable(size_t end) {
  if (end <= usable_) return;
  end = round_up(end, kStepBytes);
  FAILD_CHECK(end <= reserved_);
  FAILD_CHECK(mprotect(start_ + usable_, end - usable_, PROT_READ | PROT_WRITE) == 0);
  usable_ = end;
}

void LockedMemory::do_deallocate(void* block, size_t bytes, size_t /*alignment*/) {
  auto* freed = static_cast<Freed*>(block);
  *freed = {freed_, std::max(bytes, sizeof(Freed))};
  freed_ = freed;
}

void* LockedMemory::take_freed(size_t bytes, size_t alignment) {
  for (Freed** link = &freed_; *link != nullptr; link = &(*link)->next) {
    Freed* found = *link;
    if (found->bytes != bytes || reinterpret_cast<uintptr_t>(found) % alignment != 0) continue;
    *link = found->next;
    return found;
  }
  return nullptr;
}

}  // namespace faild
