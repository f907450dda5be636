// faild-bench-load: what makes life hard for a daemon, one kind a process. bench/stress.ts starts
// it; it works until its standard input ends, and answers each line there with what it did.
//
//   spin PRIORITY BUSY-US IDLE-US      a thread a core that computes; priority 0 is ordinary
//   memory FILE MEGABYTES              a thread a core that takes, touches and gives back memory,
//                                      and one that reads a file over and over
//   flood NETNS INTERFACE PORT RATE    broadcasts junk by UDP, RATE a second, half of it to PORT
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <thread>
#include <vector>

#include "clock.h"
#include "netns.h"
#include "outcome.h"
#include "threads.h"

namespace faild::bench {
namespace {

using Arguments = std::vector<std::string>;

std::atomic<int64_t> done = 0;  // rounds or packets

int64_t number(const std::string& text) { return std::strtoll(text.c_str(), nullptr, 10); }

int cores() { return static_cast<int>(std::thread::hardware_concurrency()); }

void spin(int core, int priority, Nanoseconds busy, Nanoseconds idle) {
  if (priority > 0) set_up_thread("load-spin", priority, core);
  while (true) {
    spin_until(now() + busy);
    done++;
    if (idle > 0) sleep_until(now() + idle);
  }
}

void churn() {
  constexpr size_t kBytes = 32 << 20;
  while (true) {
    void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) continue;
    munmap(memory, kBytes);
    done++;
  }
}

void read_over_and_over(int file) {
  std::vector<char> chunk(1 << 20);
  for (off_t at = 0;; at += static_cast<off_t>(chunk.size())) {
    if (pread(file, chunk.data(), chunk.size(), at) <= 0) at = -static_cast<off_t>(chunk.size());
  }
}

Failure start_memory(const Arguments& words) {
  const int file = open(words[0].c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return errno_sentence("cannot write " + words[0]);
  unlink(words[0].c_str());
  const std::vector<char> chunk(1 << 20, 'x');
  for (int64_t i = number(words[1]); i > 0; i--) {
    if (write(file, chunk.data(), chunk.size()) < 0) return errno_sentence("cannot fill a file");
  }
  for (int core = 0; core < cores(); core++) std::thread(churn).detach();
  std::thread(read_over_and_over, file).detach();
  return std::nullopt;
}

void flood(int fd, uint16_t port, int64_t rate) {
  constexpr int kBatch = 32;
  constexpr uint16_t kDiscard = 9;
  const std::array<char, 64> junk{};
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_BROADCAST);
  Nanoseconds due = now();
  while (true) {
    for (int i = 0; i < kBatch; i++) {
      to.sin_port = htons(i % 2 == 0 ? port : kDiscard);
      const auto* where = reinterpret_cast<const sockaddr*>(&to);
      if (sendto(fd, junk.data(), junk.size(), 0, where, sizeof to) > 0) done++;
    }
    due = std::max(due + kBatch * kSecond / rate, now() - 10 * kMillisecond);
    sleep_until(due);
  }
}

Failure start_flood(const Arguments& words) {
  const NamespaceVisit visit(words[0]);
  if (visit.failure()) return visit.failure();
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &yes, sizeof yes);
  if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, words[1].c_str(),
                 static_cast<socklen_t>(words[1].size())) != 0) {
    return errno_sentence("cannot flood " + words[1]);
  }
  std::thread(flood, fd, static_cast<uint16_t>(number(words[2])), number(words[3])).detach();
  return std::nullopt;
}

Failure start_spin(const Arguments& words) {
  for (int core = 0; core < cores(); core++) {
    std::thread(spin, core, static_cast<int>(number(words[0])), number(words[1]) * kMicrosecond,
                number(words[2]) * kMicrosecond)
        .detach();
  }
  return std::nullopt;
}

Failure start(const std::string& kind, const Arguments& words) {
  if (kind == "spin" && words.size() == 3) return start_spin(words);
  if (kind == "memory" && words.size() == 2) return start_memory(words);
  if (kind == "flood" && words.size() == 4) return start_flood(words);
  return "spin PRIORITY BUSY-US IDLE-US | memory FILE MEGABYTES | flood NETNS INTERFACE PORT RATE";
}

}  // namespace
}  // namespace faild::bench

int main(int argc, char** argv) {
  using namespace faild::bench;
  const std::string kind = argc > 1 ? argv[1] : "";
  if (const Failure failure = start(kind, Arguments(argv + std::min(argc, 2), argv + argc))) {
    std::cout << R"({"error":")" << *failure << R"("})" << std::endl;
    return 1;
  }
  set_up_thread("load", kCommandPriority);  // heard through its own load
  std::cout << "{}" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << R"({"done":)" << done << "}" << std::endl;
  }
  _exit(0);  // without waiting for threads that never end
}
