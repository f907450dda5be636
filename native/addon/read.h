// JavaScript values -> plain values, each checked against what is accepted.
//
// The first fault becomes a pending JS error that names the field, the value and what is accepted
// (`code` EINVAL); from then on every reader returns a default at once, because Node-API refuses to
// work under a pending error. So a caller reads all that it wants and then looks once at failed().
#pragma once

#include <napi.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/net.h"
#include "base/time.h"

namespace faild {

// Leaves a JS Error pending: `code` for programs, `errno` when the system refused (0: not set).
void raise(Napi::Env env, std::string_view code, int error, std::string_view message);
[[nodiscard]] inline bool failed(Napi::Env env) { return env.IsExceptionPending(); }

// Which value is meant. Put together as text only when something is wrong with it.
struct Where {
  std::string_view parent;
  std::string_view name;  // a field, or "[3]"
  [[nodiscard]] std::string text() const;
};

// Raises `where: <the value> is not accepted; expected <expected>`.
void refuse(const Napi::Value& value, const Where& where, std::string_view expected);

[[nodiscard]] bool read_flag(const Napi::Value& value, const Where& where);
[[nodiscard]] double read_number(const Napi::Value& value, const Where& where, double min,
                                 double max);
// Whole numbers up to 2^53.
[[nodiscard]] uint64_t read_whole(const Napi::Value& value, const Where& where, uint64_t min,
                                  uint64_t max);
[[nodiscard]] uint32_t read_u32(const Napi::Value& value, const Where& where);
[[nodiscard]] std::string read_text(const Napi::Value& value, const Where& where, size_t max_bytes);
// 16 hex digits. No BigInt: slow to read, and a number holds only 53 bits of an id.
[[nodiscard]] uint64_t read_id(const Napi::Value& value, const Where& where, bool zero_too);
[[nodiscard]] Duration read_duration_us(const Napi::Value& value, const Where& where, Duration min,
                                        Duration max);
[[nodiscard]] Instant read_instant_us(const Napi::Value& value, const Where& where);
[[nodiscard]] IpAddress read_ip(const Napi::Value& value, const Where& where);
[[nodiscard]] Prefix read_prefix(const Napi::Value& value, const Where& where);
// What an interface may have: a host's address with a prefix, or a MAC address that is not a
// group's.
[[nodiscard]] Prefix read_own_address(const Napi::Value& value, const Where& where);
[[nodiscard]] MacAddress read_own_mac(const Napi::Value& value, const Where& where);
[[nodiscard]] MacAddress read_mac(const Napi::Value& value, const Where& where);
// The bytes of a Uint8Array, in place: valid until JavaScript runs again.
[[nodiscard]] std::span<const uint8_t> read_bytes(const Napi::Value& value, const Where& where);
// The index of one of `choices`.
[[nodiscard]] size_t read_choice(const Napi::Value& value, const Where& where,
                                 std::span<const char* const> choices);

// Checks that it is a list of min .. max elements; returns how many.
[[nodiscard]] uint32_t read_length(const Napi::Value& value, const Where& where, size_t min,
                                   size_t max);
// Calls each(value, where) for every element of such a list, until one is refused.
template <typename Each>
void read_list(const Napi::Value& value, const Where& where, size_t min, size_t max, Each each) {
  const uint32_t length = read_length(value, where, min, max);
  if (failed(value.Env())) return;
  const Napi::Array array = value.As<Napi::Array>();
  const std::string parent = where.text();
  for (uint32_t i = 0; i < length && !failed(value.Env()); i++) {
    const std::string index = "[" + std::to_string(i) + "]";
    each(array.Get(i), Where{parent, index});
  }
}

// One object, read field by field.
class Fields {
 public:
  Fields(const Napi::Value& value, std::string path);

  [[nodiscard]] Napi::Value at(const char* name) const;
  [[nodiscard]] Where where(const char* name) const { return {path_, name}; }

  [[nodiscard]] bool flag(const char* name) const { return read_flag(at(name), where(name)); }
  [[nodiscard]] uint64_t whole(const char* name, uint64_t min, uint64_t max) const {
    return read_whole(at(name), where(name), min, max);
  }
  [[nodiscard]] uint32_t u32(const char* name) const { return read_u32(at(name), where(name)); }
  [[nodiscard]] std::string text(const char* name, size_t max_bytes) const {
    return read_text(at(name), where(name), max_bytes);
  }
  [[nodiscard]] uint64_t id(const char* name, bool zero_too) const {
    return read_id(at(name), where(name), zero_too);
  }
  [[nodiscard]] Duration duration_us(const char* name, Duration min, Duration max) const {
    return read_duration_us(at(name), where(name), min, max);
  }
  [[nodiscard]] MacAddress own_mac(const char* name) const {
    return read_own_mac(at(name), where(name));
  }
  [[nodiscard]] size_t choice(const char* name, std::span<const char* const> choices) const {
    return read_choice(at(name), where(name), choices);
  }

  template <typename Each>
  void list(const char* name, size_t min, size_t max, Each each) const {
    read_list(at(name), where(name), min, max, each);
  }

 private:
  Napi::Env env_;
  Napi::Object object_;
  std::string path_;
};

}  // namespace faild
