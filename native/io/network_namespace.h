// Working in another network namespace: the engine's thread enters one for good, the owner's
// questions for a moment.
#pragma once

#include <fcntl.h>
#include <sched.h>

#include <optional>
#include <string>
#include <thread>

#include "io/errors.h"
#include "io/unique_fd.h"

namespace faild {

// This thread lives in the namespace at `path` from now on (empty: stays).
[[nodiscard]] inline std::optional<RuntimeError> enter_namespace(const std::string& path) {
  if (path.empty()) return std::nullopt;
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid() || setns(fd.get(), CLONE_NEWNET) != 0) {
    return make_error(
        "ENETNS", errno,
        "cannot enter network namespace '" + path +
            "': it must be a path such as /run/netns/NAME, and CAP_SYS_ADMIN is needed");
  }
  return std::nullopt;
}

// Does `work` in the namespace. A thread of its own, because a namespace is a property of the
// thread, and leaving the caller's in the wrong one after a failure would be worse than the cost of
// a thread.
template <typename Work>
[[nodiscard]] std::optional<RuntimeError> in_namespace(const std::string& path, Work&& work) {
  if (path.empty()) return work();
  std::optional<RuntimeError> error;
  std::thread([&] {
    error = enter_namespace(path);
    if (!error) error = work();
  }).join();
  return error;
}

}  // namespace faild
