// Reads the golden vectors of test/vectors: blocks of `name = value`, the same files that the
// TypeScript tests read.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace faild::test {

struct Vector {
  std::vector<std::pair<std::string, std::string>> fields;  // in the file's order; names may repeat

  [[nodiscard]] bool has(const std::string& name) const;
  [[nodiscard]] std::string text(const std::string& name) const;  // the first; empty when absent
  [[nodiscard]] std::vector<std::string> all(const std::string& name) const;
  [[nodiscard]] uint64_t number(const std::string& name) const;  // decimal, 0 when absent
  [[nodiscard]] uint64_t hex_number(const std::string& name) const;
  [[nodiscard]] bool flag(const std::string& name) const { return text(name) == "true"; }
  [[nodiscard]] std::vector<uint8_t> bytes() const;  // every `hex`, joined
};

// All blocks of `<vectors>/<file>`; fails the test when there are none.
[[nodiscard]] std::vector<Vector> read_vectors(const std::string& file);

[[nodiscard]] std::vector<uint8_t> from_hex(const std::string& hex);
[[nodiscard]] std::vector<std::string> words(const std::string& text);

}  // namespace faild::test
