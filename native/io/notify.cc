#include "io/notify.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "io/unique_fd.h"

namespace faild {
namespace {

constexpr timeval kPatience{1, 0};

// 0: not an address. A file's name ends with its NUL, a name in the abstract namespace with its
// length.
socklen_t make_address(std::string_view path, sockaddr_un* address) {
  if (path.size() < 2 || path.size() >= sizeof address->sun_path) return 0;
  const bool is_abstract = path[0] == '@';
  if (!is_abstract && path[0] != '/') return 0;
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, path.data(), path.size());
  if (is_abstract) address->sun_path[0] = '\0';
  const size_t length = offsetof(sockaddr_un, sun_path) + path.size() + (is_abstract ? 0 : 1);
  return static_cast<socklen_t>(length);
}

}  // namespace

int notify_service(std::string_view path, std::string_view message) {
  sockaddr_un address{};
  const socklen_t length = make_address(path, &address);
  if (length == 0) return EINVAL;
  const UniqueFd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return errno;
  if (setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience) != 0) {
    return errno;
  }
  const ssize_t sent = sendto(fd.get(), message.data(), message.size(), MSG_NOSIGNAL,
                              reinterpret_cast<const sockaddr*>(&address), length);
  return sent < 0 ? errno : 0;
}

}  // namespace faild
