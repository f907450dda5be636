// Working in a named network namespace (`ip netns`) from a process outside of it.
//
// A socket stays in the namespace it was made in, so one thread can hold sockets in many: it
// enters, makes its socket, and leaves.
#pragma once

#include <string>

#include "outcome.h"

namespace faild::bench {

class NamespaceVisit {
 public:
  explicit NamespaceVisit(const std::string& name);
  ~NamespaceVisit();  // back to where the thread was
  NamespaceVisit(const NamespaceVisit&) = delete;
  NamespaceVisit& operator=(const NamespaceVisit&) = delete;
  [[nodiscard]] const Failure& failure() const { return failure_; }

 private:
  int home_ = -1;
  Failure failure_;
};

}  // namespace faild::bench
