#include "netns.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

namespace faild::bench {

NamespaceVisit::NamespaceVisit(const std::string& name) {
  home_ = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  const int there = open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC);
  if (there < 0) {
    failure_ = errno_sentence("no network namespace " + name);
    return;
  }
  if (setns(there, CLONE_NEWNET) != 0) failure_ = errno_sentence("cannot enter namespace " + name);
  close(there);
}

NamespaceVisit::~NamespaceVisit() {
  if (home_ < 0) return;
  if (setns(home_, CLONE_NEWNET) != 0)
    _exit(70);  // a thread lost in a foreign namespace must not go on
  close(home_);
}

}  // namespace faild::bench
