// Making a RuntimeError: a stable code, the errno, and one sentence that says what to do. Only
// start-up code fails this way; on the running thread errors are counted, because nobody is there
// to read a sentence.
#pragma once

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "io/runtime.h"

namespace faild {

inline constexpr const char* kHowToGrant =
    "run faild as root, or give the binary that runs it the capabilities: "
    "setcap cap_net_raw,cap_net_admin,cap_sys_nice,cap_ipc_lock+ep \"$(readlink -f \"$(command -v "
    "node)\")\", "
    "or in a systemd unit AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN CAP_SYS_NICE CAP_IPC_LOCK";

[[nodiscard]] inline RuntimeError make_error(std::string code, int error, std::string message) {
  if (error != 0) message += std::string(" (") + std::strerror(error) + ")";
  return RuntimeError{std::move(code), error, std::move(message)};
}

// A system call failed in a way that no flag or capability explains.
[[nodiscard]] inline RuntimeError system_error(const char* what) {
  return make_error("ESYSTEM", errno, std::string(what) + " failed");
}

}  // namespace faild
