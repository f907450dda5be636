// Words and hashes that others rely on: logs, metrics, status and the wire.
#include <doctest/doctest.h>

#include <set>
#include <string>

#include "core/config.h"
#include "core/events.h"
#include "core/flight_recorder.h"

namespace faild {
namespace {

// Every value from `first` on has a word of its own; the one after the last has none.
template <typename Enum>
void check_words(unsigned first, unsigned count) {
  std::set<std::string> words;
  for (unsigned i = first; i < first + count; i++) {
    const std::string word = to_string(static_cast<Enum>(i));
    CHECK(word != "invalid");
    CHECK(word.find_first_not_of("abcdefghijklmnopqrstuvwxyz-") == std::string::npos);
    words.insert(word);
  }
  CHECK(words.size() == count);
  CHECK(std::string(to_string(static_cast<Enum>(first + count))) == "invalid");
}

}  // namespace

TEST_CASE("every state, reason, event and drop has a word") {
  check_words<PathState>(0, kPathStates);
  check_words<Reason>(0, kReasons);
  check_words<EventKind>(1, static_cast<unsigned>(EventKind::kAnswer));
  check_words<Drop>(0, kDrops);
  check_words<ProbeKind>(0, kProbeKinds);
}

TEST_CASE("the cluster's hash is FNV-1a") {
  CHECK(cluster_hash("") == 0x811c9dc5);  // the algorithm's published test values
  CHECK(cluster_hash("a") == 0xe40c292c);
  CHECK(cluster_hash("foobar") == 0xbf9cf968);
}

}  // namespace faild
