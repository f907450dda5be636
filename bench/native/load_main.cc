// faild-bench-load: what makes life hard for a daemon (bench/stress.ts), and what a daemon's cost
// is held against (bench/scenarios/cost.ts), one kind a process. It works until its standard input
// ends, and answers each line there with what it did until when.
//
//   spin PRIORITY BUSY-US IDLE-US      a thread a core that computes; priority 0 is ordinary
//   memory FILE MEGABYTES              a thread a core that takes, touches and gives back memory,
//                                      and one that reads a file over and over
//   flood NETNS INTERFACE PORT RATE    broadcasts junk by UDP, RATE a second, half of it to PORT
//   count                              a thread a core, pinned, that reckons at ordinary priority
//   beat NETNS PERIOD-US INTERFACE...  a datagram to all on each interface every PERIOD-US, and the
//                                      others' are read: the least that any such program does
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
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

// Over memory that lies in the core's second cache: what another program displaces there counts,
// too.
void count(int core) {
  constexpr size_t kWords = size_t{128 << 10} / sizeof(uint64_t);
  constexpr int kSteps = 4096;  // some microseconds
  set_up_thread("load-count", 0, core);
  std::vector<uint64_t> words(kWords, 1);
  uint64_t state = 1;
  while (true) {
    for (int i = 0; i < kSteps; i++) {
      state = state * 6364136223846793005U + words[(state >> 40) % kWords];
      words[(state >> 40) % kWords] = state;
    }
    done++;
  }
}

Failure start_count() {
  for (int core = 0; core < cores(); core++) std::thread(count, core).detach();
  return std::nullopt;
}

constexpr uint16_t kBeatPort = 5100;
constexpr size_t kBeatBytes = 175;  // a heartbeat of a pair on two LANs

void beat(std::vector<pollfd> sockets, Nanoseconds period) {
  set_up_thread("load-beat", kDaemonPriority);
  std::array<char, kBeatBytes> bytes{};
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(kBeatPort);
  to.sin_addr.s_addr = htonl(INADDR_BROADCAST);
  for (Nanoseconds due = now();;) {
    const Nanoseconds left = std::max<Nanoseconds>(due - now(), 0);
    const timespec timeout{left / kSecond, left % kSecond};
    ppoll(sockets.data(), sockets.size(), &timeout, nullptr);
    for (const pollfd& socket : sockets) {
      while (recv(socket.fd, bytes.data(), bytes.size(), MSG_DONTWAIT) > 0) continue;
    }
    if (now() < due) continue;
    due += period;
    for (const pollfd& socket : sockets) {
      const auto* where = reinterpret_cast<const sockaddr*>(&to);
      if (sendto(socket.fd, bytes.data(), bytes.size(), 0, where, sizeof to) > 0) done++;
    }
  }
}

Failure start_beat(const Arguments& words) {
  const NamespaceVisit visit(words[0]);
  if (visit.failure()) return visit.failure();
  std::vector<pollfd> sockets;
  for (size_t i = 2; i < words.size(); i++) {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &yes, sizeof yes);
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_port = htons(kBeatPort);
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, words[i].c_str(),
                   static_cast<socklen_t>(words[i].size())) != 0 ||
        bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) {
      return errno_sentence("cannot beat on " + words[i]);
    }
    sockets.push_back({fd, POLLIN, 0});
  }
  std::thread(beat, std::move(sockets), number(words[1]) * kMicrosecond).detach();
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
  if (kind == "count" && words.empty()) return start_count();
  if (kind == "beat" && words.size() > 2) return start_beat(words);
  return "spin PRIORITY BUSY-US IDLE-US | memory FILE MEGABYTES | flood NETNS INTERFACE PORT RATE "
         "| "
         "count | beat NETNS PERIOD-US INTERFACE...";
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
    const Nanoseconds at = now();
    std::cout << R"({"done":)" << done << R"(,"atUs":)" << at / kMicrosecond << "}" << std::endl;
  }
  _exit(0);  // without waiting for threads that never end
}
