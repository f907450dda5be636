// A word to the service manager: one datagram to the socket that systemd names in $NOTIFY_SOCKET.
// Node can neither make nor write to a datagram socket of the Unix domain, so this is here.
//
// Called by addon/module.cc for lib/daemon/service.ts, on JavaScript's thread. What may be said:
// sd_notify(3).
#pragma once

#include <string_view>

namespace faild {

// `path` as in $NOTIFY_SOCKET: absolute, or '@' and a name in the abstract namespace. Returns 0 or
// an errno. A manager that does not read is waited for no longer than a second (EAGAIN).
[[nodiscard]] int notify_service(std::string_view path, std::string_view message);

}  // namespace faild
