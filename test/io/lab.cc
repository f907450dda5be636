#include "io/lab.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace faild::lab {
namespace {

void write_file(const char* path, const std::string& text) {
  const UniqueFd fd(::open(path, O_WRONLY | O_CLOEXEC));
  (void)!::write(fd.get(), text.data(), text.size());
}

// Before main, while there is only one thread: the kernel asks for that.
const bool kEntered = [] {
  const std::string uid = std::to_string(getuid()), gid = std::to_string(getgid());
  if (getuid() == 0 || unshare(CLONE_NEWUSER) != 0) return false;
  write_file("/proc/self/setgroups", "deny");
  write_file("/proc/self/uid_map", "0 " + uid + " 1");
  write_file("/proc/self/gid_map", "0 " + gid + " 1");
  return true;
}();

}  // namespace

Namespace::Namespace() {
  (void)kEntered;
  std::thread([this] {
    if (unshare(CLONE_NEWNET) == 0)
      fd_ = UniqueFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  }).join();
  REQUIRE_MESSAGE(fd_.valid(),
                  "cannot make a network namespace: run as root or allow user namespaces");
  path_ = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd_.get());
  run("ip link set lo up");
}

void Namespace::run(const std::string& command) const {
  const std::string line = "nsenter --net=" + path_ + " sh -c '" + command + "'";
  const int status = std::system(line.c_str());
  REQUIRE_MESSAGE(status == 0, command);
}

std::string Namespace::output(const std::string& command) const {
  const std::string line = "nsenter --net=" + path_ + " sh -c '" + command + "'";
  std::string out;
  FILE* pipe = popen(line.c_str(), "r");
  REQUIRE(pipe != nullptr);
  char buffer[4096];
  while (const size_t size = fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, size);
  pclose(pipe);
  return out;
}

void connect(const Namespace& a, const std::string& a_name, const Namespace& b,
             const std::string& b_name) {
  a.run("ip link add " + a_name + " type veth peer name " + b_name + " netns " + b.path());
  a.run("echo 0 > /proc/sys/net/ipv6/conf/" + a_name + "/accept_dad; ip link set " + a_name +
        " up");
  b.run("echo 0 > /proc/sys/net/ipv6/conf/" + b_name + "/accept_dad; ip link set " + b_name +
        " up");
}

}  // namespace faild::lab
