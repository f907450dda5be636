// Network namespaces for the tests of io/: made by threads, held by descriptors, gone with the
// process, so that nothing is left behind. Not root? Then in a user namespace of our own.
#pragma once

#include <cstdint>
#include <string>

#include "io/unique_fd.h"

namespace faild::lab {

class Namespace {
 public:
  Namespace();
  // A path that setns, nsenter and ip understand.
  [[nodiscard]] const std::string& path() const { return path_; }
  // Runs a shell command inside; the test fails when it does.
  void run(const std::string& command) const;
  [[nodiscard]] std::string output(const std::string& command) const;

 private:
  UniqueFd fd_;
  std::string path_;
};

// A thread of the test's own in a namespace, for as long as `work` takes.
template <typename Work>
void inside(const Namespace& where, Work&& work);

// veth `a_name` in `a` <-> `b_name` in `b`, both up, without waiting for duplicate address
// detection.
void connect(const Namespace& a, const std::string& a_name, const Namespace& b,
             const std::string& b_name);

}  // namespace faild::lab

#include <fcntl.h>
#include <sched.h>

#include <thread>

namespace faild::lab {

template <typename Work>
void inside(const Namespace& where, Work&& work) {
  std::thread([&] {
    const UniqueFd fd(::open(where.path().c_str(), O_RDONLY | O_CLOEXEC));
    if (setns(fd.get(), CLONE_NEWNET) == 0) work();
  }).join();
}

}  // namespace faild::lab
