// A word to the service manager arrives whole, at a socket in the file system and at an abstract
// one; where nobody listens, the kernel's reason comes back and nothing waits for ever.
#include "io/notify.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

#include "io/unique_fd.h"

namespace faild {
namespace {

// What systemd has at its end.
class Manager {
 public:
  explicit Manager(const std::string& path)
      : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(path.size() < sizeof address.sun_path);
    memcpy(address.sun_path, path.data(), path.size());
    if (path[0] == '@') address.sun_path[0] = '\0';
    const size_t length = offsetof(sockaddr_un, sun_path) + path.size() + (path[0] == '/' ? 1 : 0);
    REQUIRE(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address),
                 static_cast<socklen_t>(length)) == 0);
  }

  // The next datagram; "nothing" when there is none.
  [[nodiscard]] std::string heard() const {
    std::array<char, 4096> bytes;
    const ssize_t size = recv(fd_.get(), bytes.data(), bytes.size(), 0);
    return size < 0 ? "nothing" : std::string(bytes.data(), static_cast<size_t>(size));
  }

 private:
  UniqueFd fd_;
};

class Directory {
 public:
  Directory() { REQUIRE(mkdtemp(path_.data()) != nullptr); }
  ~Directory() {
    (void)unlink((path_ + "/notify").c_str());
    (void)rmdir(path_.c_str());
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  [[nodiscard]] std::string socket() const { return path_ + "/notify"; }

 private:
  std::string path_ = "/tmp/faild-notify-XXXXXX";
};

}  // namespace

TEST_CASE("a word arrives whole at a socket in the file system") {
  const Directory directory;
  const Manager manager(directory.socket());
  CHECK(notify_service(directory.socket(), "READY=1\nSTATUS=two LANs") == 0);
  CHECK(notify_service(directory.socket(), "WATCHDOG=1") == 0);
  CHECK(manager.heard() == "READY=1\nSTATUS=two LANs");
  CHECK(manager.heard() == "WATCHDOG=1");
  CHECK(manager.heard() == "nothing");
}

TEST_CASE("and at an abstract one") {
  const std::string path = "@faild-test-" + std::to_string(getpid());
  const Manager manager(path);
  CHECK(notify_service(path, "STOPPING=1") == 0);
  CHECK(manager.heard() == "STOPPING=1");
  CHECK(notify_service(path + "x", "STOPPING=1") == ECONNREFUSED);
}

TEST_CASE("what is no address, and where nobody listens") {
  const Directory directory;
  CHECK(notify_service(directory.socket(), "READY=1") == ENOENT);
  { const Manager gone(directory.socket()); }
  CHECK(notify_service(directory.socket(), "READY=1") == ECONNREFUSED);
  for (const std::string& path : {std::string(), std::string("@"), std::string("relative"),
                                  std::string("vsock:2:1"), "/" + std::string(200, 'x')}) {
    CHECK(notify_service(path, "READY=1") == EINVAL);
  }
}

TEST_CASE("a manager that does not read is not waited for for ever") {
  const Directory directory;
  const Manager manager(directory.socket());
  const auto start = std::chrono::steady_clock::now();
  int error = 0;
  for (int i = 0; i < 10'000 && error == 0; i++) {
    error = notify_service(directory.socket(), "WATCHDOG=1");
  }
  CHECK(error == EAGAIN);
  const auto took = std::chrono::steady_clock::now() - start;
  CHECK(took >= std::chrono::milliseconds(900));
  CHECK(took < std::chrono::seconds(30));
}

}  // namespace faild
