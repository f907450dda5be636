// Writing JSON lines: just enough for the bench's records, which are numbers, short names and lists
// of them.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

namespace faild::bench {

class Json {
 public:
  Json& open(char bracket) { return comma().raw(bracket); }
  Json& close(char bracket) {
    text_ += bracket;
    return *this;
  }
  Json& key(const std::string& name) { return string(name).raw(':'); }
  Json& number(int64_t value) {
    comma();
    text_ += std::to_string(value);
    return *this;
  }
  // Names here come from the bench's own commands; quotes and control characters become spaces.
  Json& string(const std::string& value) {
    comma();
    text_ += '"';
    for (const char c : value) text_ += c == '"' || c == '\\' || c < ' ' ? ' ' : c;
    text_ += '"';
    return *this;
  }
  Json& field(const std::string& name, int64_t value) { return key(name).number(value); }
  Json& row(std::initializer_list<int64_t> values) {
    open('[');
    for (const int64_t value : values) number(value);
    return close(']');
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  Json& comma() {
    if (!text_.empty() && text_.back() != '{' && text_.back() != '[' && text_.back() != ':')
      text_ += ',';
    return *this;
  }
  Json& raw(char c) {
    text_ += c;
    return *this;
  }
  std::string text_;
};

}  // namespace faild::bench
