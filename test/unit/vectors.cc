// The reader of test/vectors, for every native test.
#include "unit/vectors.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace faild::test {

bool Vector::has(const std::string& name) const {
  return std::any_of(fields.begin(), fields.end(), [&](const auto& f) { return f.first == name; });
}

std::vector<std::string> Vector::all(const std::string& name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : fields) {
    if (key == name) values.push_back(value);
  }
  return values;
}

std::string Vector::text(const std::string& name) const {
  const std::vector<std::string> values = all(name);
  return values.empty() ? "" : values.front();
}

uint64_t Vector::number(const std::string& name) const {
  return std::strtoull(text(name).c_str(), nullptr, 10);
}

uint64_t Vector::hex_number(const std::string& name) const {
  return std::strtoull(text(name).c_str(), nullptr, 16);
}

std::vector<uint8_t> Vector::bytes() const {
  std::string hex;
  for (const std::string& line : all("hex")) hex += line;
  return from_hex(hex);
}

std::vector<Vector> read_vectors(const std::string& file) {
  std::ifstream in(std::string(FAILD_VECTORS) + "/" + file);
  std::vector<Vector> vectors;
  bool within = false;
  for (std::string line; std::getline(in, line);) {
    if (line.empty()) within = false;
    if (line.empty() || line[0] == '#') continue;
    if (!within) vectors.emplace_back();
    within = true;
    const size_t equals = line.find(" =");
    REQUIRE_MESSAGE(equals != std::string::npos, "not `name = value`: " << line);
    const std::string value = line.size() > equals + 3 ? line.substr(equals + 3) : "";
    vectors.back().fields.emplace_back(line.substr(0, equals), value);
  }
  REQUIRE_MESSAGE(!vectors.empty(), "no vectors in " << file);
  return vectors;
}

std::vector<uint8_t> from_hex(const std::string& hex) {
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::strtoul(hex.substr(i, 2).c_str(), nullptr, 16)));
  }
  return bytes;
}

std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> result;
  for (std::string word; in >> word;) result.push_back(word);
  return result;
}

}  // namespace faild::test
