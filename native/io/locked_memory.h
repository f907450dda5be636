// The engine thread's own memory: one anonymous mapping, brought into RAM and locked there, that
// never grows once the engine has been built. Made by Runtime, one for each start; everything that
// the thread touches afterwards lies in it (never mlockall: it aborts V8 in the same process).
//
// Address space is reserved first and costs nothing; `seal` gives back what was not used. What is
// freed later may be taken again at the same size: a LAN's socket that is opened anew takes the
// place of the old one. Anything more is a bug of ours and ends the process. One thread at a time.
#pragma once

#include <cstddef>

#include "base/memory.h"

namespace faild {

class LockedMemory final : public Memory {
 public:
  LockedMemory() = default;
  ~LockedMemory() override;
  LockedMemory(const LockedMemory&) = delete;
  LockedMemory& operator=(const LockedMemory&) = delete;

  // errno, 0 for done.
  [[nodiscard]] int open();
  // From now on nothing is taken, and what was stays in RAM. errno when it could not be locked; it
  // is in RAM all the same, but the kernel may page it out.
  [[nodiscard]] int seal();
  [[nodiscard]] size_t used() const { return used_; }

 private:
  struct Freed {
    Freed* next;
    size_t bytes;
  };

  void* do_allocate(size_t bytes, size_t alignment) override;
  void do_deallocate(void* block, size_t bytes, size_t alignment) override;
  [[nodiscard]] bool do_is_equal(const Memory& other) const noexcept override {
    return this == &other;
  }
  [[nodiscard]] void* take_freed(size_t bytes, size_t alignment);
  void make_usable(size_t end);

  std::byte* start_ = nullptr;
  size_t used_ = 0;
  size_t usable_ = 0;  // bytes that may be touched, whole pages
  size_t reserved_ = 0;
  bool sealed_ = false;
  Freed* freed_ = nullptr;
};

}  // namespace faild
