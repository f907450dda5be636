// Memory that the caller brings. Whoever owns an engine decides where its tables live: tests and
// simulators take the general heap, the daemon's thread memory of its own that is locked in RAM and
// refuses to grow (io/locked_memory.h). Everything of the engine is taken from here once, at the
// start.
#pragma once

#include <cstddef>
#include <memory>
#include <memory_resource>
#include <utility>

namespace faild {

using Memory = std::pmr::memory_resource;

[[nodiscard]] inline Memory* general_heap() { return std::pmr::new_delete_resource(); }

// Gives an object's memory back to where it was taken, whatever type the pointer has meanwhile.
struct Release {
  Memory* memory = nullptr;
  void* block = nullptr;
  size_t bytes = 0, alignment = 0;

  template <typename T>
  void operator()(T* object) const {
    std::destroy_at(object);
    memory->deallocate(block, bytes, alignment);
  }
};

template <typename T>
using Owned = std::unique_ptr<T, Release>;

template <typename T, typename... Arguments>
[[nodiscard]] Owned<T> make_owned(Memory* memory, Arguments&&... arguments) {
  void* block = memory->allocate(sizeof(T), alignof(T));
  T* object = std::construct_at(static_cast<T*>(block), std::forward<Arguments>(arguments)...);
  return {object, {memory, block, sizeof(T), alignof(T)}};
}

}  // namespace faild
