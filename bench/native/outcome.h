// How the bench's native parts fail: with one sentence for whoever runs the bench, or with nothing
// when all is well.
#pragma once

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

namespace faild::bench {

using Failure = std::optional<std::string>;

[[nodiscard]] inline std::string errno_sentence(const std::string& what, int error = errno) {
  return what + ": " + std::strerror(error);
}

}  // namespace faild::bench
