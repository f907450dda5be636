// JavaScript values -> plain values. See read.h.
#include "addon/read.h"

#include <charconv>
#include <cmath>
#include <optional>

namespace faild {
namespace {

constexpr double kMaxExact = 9007199254740991.0;  // 2^53 - 1, Number.MAX_SAFE_INTEGER

// As it stands in a message: text in quotes, and no more of it than a line bears.
std::string shown(const Napi::Value& value) {
  if (value.IsEmpty() || value.IsUndefined()) return "undefined";
  if (value.IsNull()) return "null";
  if (value.IsBoolean()) return value.As<Napi::Boolean>().Value() ? "true" : "false";
  if (value.IsNumber()) return value.ToString().Utf8Value();
  if (!value.IsString()) return value.IsArray() ? "a list" : "an object";
  std::string text = value.As<Napi::String>().Utf8Value();
  if (text.size() > 80) text = text.substr(0, 80) + "...";
  return '"' + text + '"';
}

std::string range(double min, double max) {
  const auto text = [](double number) {
    char digits[32];
    const auto end =
        std::to_chars(digits, digits + sizeof digits, number, std::chars_format::fixed).ptr;
    return std::string(digits, end);
  };
  return "from " + text(min) + " to " + text(max);
}

// What a text is, by a parser that says nullopt when it is nothing.
template <typename T>
T parsed(const Napi::Value& value, const Where& where, std::string_view expected,
         std::optional<T> (*parse)(std::string_view)) {
  if (failed(value.Env())) return {};
  if (value.IsString()) {
    const std::string text = value.As<Napi::String>().Utf8Value();
    if (const std::optional<T> result = parse(text)) return *result;
  }
  refuse(value, where, expected);
  return {};
}

std::optional<uint64_t> parse_id(std::string_view text) {
  uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id, 16);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && text.size() == 16 ? std::optional(id) : std::nullopt;
}

}  // namespace

void raise(Napi::Env env, std::string_view code, int error, std::string_view message) {
  if (failed(env)) return;  // the first fault is the cause
  Napi::Error thrown = Napi::Error::New(env, std::string(message));
  thrown.Value().Set("code", Napi::String::New(env, code.data(), code.size()));
  if (error != 0) thrown.Value().Set("errno", Napi::Number::New(env, error));
  thrown.ThrowAsJavaScriptException();
}

std::string Where::text() const {
  std::string text(parent);
  if (!parent.empty() && !name.starts_with('[')) text += '.';
  text += name;
  return text;
}

void refuse(const Napi::Value& value, const Where& where, std::string_view expected) {
  if (failed(value.Env())) return;
  const std::string name = where.text();
  raise(value.Env(), "EINVAL", 0,
        name + ": " + shown(value) + " is not accepted; expected " + std::string(expected));
}

bool read_flag(const Napi::Value& value, const Where& where) {
  if (failed(value.Env())) return false;
  if (value.IsBoolean()) return value.As<Napi::Boolean>().Value();
  refuse(value, where, "true or false");
  return false;
}

double read_number(const Napi::Value& value, const Where& where, double min, double max) {
  if (failed(value.Env())) return min;
  if (value.IsNumber()) {
    const double number = value.As<Napi::Number>().DoubleValue();
    if (number >= min && number <= max) return number;  // false for NaN
  }
  refuse(value, where, "a number " + range(min, max));
  return min;
}

uint64_t read_whole(const Napi::Value& value, const Where& where, uint64_t min, uint64_t max) {
  if (failed(value.Env())) return min;
  const double low = static_cast<double>(min), high = static_cast<double>(max);
  if (value.IsNumber()) {
    const double number = value.As<Napi::Number>().DoubleValue();
    if (number >= low && number <= high && number <= kMaxExact && std::trunc(number) == number) {
      return static_cast<uint64_t>(number);
    }
  }
  refuse(value, where, "a whole number " + range(low, high));
  return min;
}

uint32_t read_u32(const Napi::Value& value, const Where& where) {
  return static_cast<uint32_t>(read_whole(value, where, 0, UINT32_MAX));
}

std::string read_text(const Napi::Value& value, const Where& where, size_t max_bytes) {
  if (failed(value.Env())) return {};
  if (value.IsString()) {
    std::string text = value.As<Napi::String>().Utf8Value();
    if (text.size() <= max_bytes) return text;
  }
  refuse(value, where, "text of at most " + std::to_string(max_bytes) + " bytes");
  return {};
}

uint64_t read_id(const Napi::Value& value, const Where& where, bool zero_too) {
  const uint64_t id = parsed(value, where, "16 hex digits", parse_id);
  if (id == 0 && !zero_too) refuse(value, where, "16 hex digits, not all zero");
  return id;
}

Duration read_duration_us(const Napi::Value& value, const Where& where, Duration min,
                          Duration max) {
  const double low = static_cast<double>(min.in_ns()) / 1000;
  const double high = static_cast<double>(max.in_ns()) / 1000;
  return Duration::ns(std::llround(read_number(value, where, low, high) * 1000));
}

Instant read_instant_us(const Napi::Value& value, const Where& where) {
  // Above 2^53 ns (104 days) a number would lose nanoseconds, beyond a thousandfold it is a
  // mistake.
  return Instant::from_ns(std::llround(read_number(value, where, 0, kMaxExact) * 1000));
}

IpAddress read_ip(const Napi::Value& value, const Where& where) {
  return parsed(value, where, "an IPv4 or IPv6 address", parse_ip);
}

Prefix read_prefix(const Napi::Value& value, const Where& where) {
  return parsed(value, where, "an address with its prefix length, such as 10.0.1.1/24",
                parse_prefix);
}

MacAddress read_mac(const Napi::Value& value, const Where& where) {
  return parsed(value, where, "a MAC address such as 02:00:00:00:00:01", parse_mac);
}

Prefix read_own_address(const Napi::Value& value, const Where& where) {
  const Prefix prefix = read_prefix(value, where);
  if (failed(value.Env())) return prefix;
  if (prefix.length == 0 || !prefix.address.is_host()) refuse(value, where, "a host's address");
  return prefix;
}

MacAddress read_own_mac(const Napi::Value& value, const Where& where) {
  const MacAddress mac = read_mac(value, where);
  if (!failed(value.Env()) && (mac.bytes[0] & 1) != 0) refuse(value, where, "no group's address");
  return mac;
}

std::span<const uint8_t> read_bytes(const Napi::Value& value, const Where& where) {
  if (failed(value.Env())) return {};
  const bool bytes =
      value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
  if (!bytes) {
    refuse(value, where, "a Uint8Array");
    return {};
  }
  const Napi::Uint8Array array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.ElementLength()};
}

size_t read_choice(const Napi::Value& value, const Where& where,
                   std::span<const char* const> choices) {
  if (failed(value.Env())) return 0;
  const std::string text = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  std::string expected = "one of";
  for (size_t i = 0; i < choices.size(); i++) {
    if (text == choices[i]) return i;
    expected += std::string(i == 0 ? " " : ", ") + choices[i];
  }
  refuse(value, where, expected);
  return 0;
}

uint32_t read_length(const Napi::Value& value, const Where& where, size_t min, size_t max) {
  if (failed(value.Env())) return 0;
  if (value.IsArray()) {
    const uint32_t length = value.As<Napi::Array>().Length();
    if (length >= min && length <= max) return length;
  }
  refuse(value, where, "a list of " + std::to_string(min) + " to " + std::to_string(max));
  return 0;
}

Fields::Fields(const Napi::Value& value, std::string path)
    : env_(value.Env()), path_(std::move(path)) {
  if (failed(env_)) return;
  if (value.IsObject()) {
    object_ = value.As<Napi::Object>();
  } else {
    refuse(value, {"", path_}, "an object");
  }
}

Napi::Value Fields::at(const char* name) const {
  // Under a pending error no value can be had; an empty one still knows its environment.
  if (failed(env_)) return Napi::Value(env_, nullptr);
  return object_.Get(name);
}

}  // namespace faild
