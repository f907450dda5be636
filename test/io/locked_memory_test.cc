// The engine's memory: in RAM and locked when it is sealed, what was freed is taken again, and
// asking for more ends the process.
#include "io/locked_memory.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "core/engine.h"

namespace faild {
namespace {

// The sanitizers replace mlock() by a function that does nothing and says that it did.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kLockingIsReal = false;
#else
constexpr bool kLockingIsReal = true;
#endif

// "VmLck:     776 kB"
size_t locked_kb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmLck:")) return std::strtoul(line.c_str() + 6, nullptr, 10);
  }
  return 0;
}

EngineConfig two_lans(size_t max_peers) {
  EngineConfig config;
  config.host = HostId{1};
  config.incarnation = Incarnation{1};
  config.max_peers = max_peers;
  for (int i = 0; i < 2; i++) REQUIRE(config.lans.push(LanConfig()));
  return config;
}

}  // namespace

TEST_CASE("sealed memory is resident as a whole, and locked where that is permitted") {
  const size_t locked_before = locked_kb();
  {
    LockedMemory memory;
    REQUIRE(memory.open() == 0);
    auto* block = static_cast<uint8_t*>(memory.allocate(3 << 20, 64));
    CHECK(reinterpret_cast<uintptr_t>(block) % 64 == 0);
    const int error = memory.seal();
    std::vector<unsigned char> pages((3 << 20) / 4096);
    auto* first_page =
        reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(block) & ~uintptr_t{4095});
    REQUIRE(mincore(first_page, pages.size() * 4096, pages.data()) == 0);
    for (const unsigned char page : pages) REQUIRE((page & 1) == 1);
    const bool locked = locked_kb() >= locked_before + 3072;
    CHECK((!kLockingIsReal || (error == 0) == locked));
  }
  CHECK(locked_kb() == locked_before);
}

TEST_CASE("after the seal a block may be taken again, and nothing else") {
  LockedMemory memory;
  REQUIRE(memory.open() == 0);
  void* first = memory.allocate(1000, 8);
  void* second = memory.allocate(2000, 8);
  (void)memory.seal();
  memory.deallocate(first, 1000, 8);
  memory.deallocate(second, 2000, 8);
  CHECK(memory.allocate(2000, 8) == second);
  CHECK(memory.allocate(1000, 8) == first);
  const pid_t child = fork();
  if (child == 0) {
    (void)!freopen("/dev/null", "w", stderr);  // what the check says is meant for people
    signal(SIGABRT, SIG_DFL);                  // doctest's handler would tell of a failed test
    (void)memory.allocate(500, 8);
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGABRT);
}

TEST_CASE("an engine takes at most 2 KB a path, all tables included") {
  constexpr size_t kPeers = 4096;
  LockedMemory memory;
  REQUIRE(memory.open() == 0);
  const EngineConfig config = two_lans(kPeers);
  const auto engine = make_owned<Engine>(&memory, config, Instant::from_ns(1), &memory);
  // What the runtime takes beside it for its dumps.
  const std::pmr::vector<KernelEntry> dump(route_places(config), &memory);
  (void)memory.seal();
  const size_t bytes_a_path = memory.used() / (kPeers * config.lans.size());
  MESSAGE(bytes_a_path, " bytes a path, ", memory.used(), " in all");
  CHECK(bytes_a_path <= 2048);
}

}  // namespace faild
