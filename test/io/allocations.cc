// Stands in front of the C library's allocator, which everything ends at: operator new, the C++
// library, the C library itself. A sanitizer has taken that place already; there only operator new
// is counted.
#include "io/allocations.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

std::atomic<bool> counting{false};
std::atomic<uint64_t> allocations{0};

void note_allocation() {
  if (!counting.load(std::memory_order_relaxed)) return;
  char name[16] = {};
  prctl(PR_GET_NAME, name);
  if (std::strcmp(name, "faild-engine") == 0) allocations.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

namespace {

void* allocate(size_t size) {
  note_allocation();
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}

}  // namespace

void* operator new(size_t size) { return allocate(size); }
void* operator new[](size_t size) { return allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

#else

extern "C" {

void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

void* malloc(size_t size) {
  note_allocation();
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  note_allocation();
  return __libc_calloc(count, size);
}
void* realloc(void* memory, size_t size) {
  note_allocation();
  return __libc_realloc(memory, size);
}
void* memalign(size_t alignment, size_t size) {
  note_allocation();
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void** memory, size_t alignment, size_t size) {
  *memory = memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}
void* mmap(void* where, size_t size, int protection, int flags, int fd, off_t offset) {
  note_allocation();
  return reinterpret_cast<void*>(
      syscall(SYS_mmap, where, size, protection, flags, fd, offset));  // 64-bit machines
}

}  // extern "C"

#endif

namespace faild::lab {

void count_allocations() {
  allocations = 0;
  counting = true;
}

uint64_t allocations_of_engines() {
  counting = false;
  return allocations;
}

}  // namespace faild::lab
