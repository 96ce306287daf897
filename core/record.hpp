// Records: value types that list their members once, for writing as JSON and for strict reading. Nothing that
// a record does not list is let pass, and nothing that it lists may be missing.
//
//   struct Made {
//     core::Digest sha256;
//     std::uint64_t size = 0;
//     template <class Self, class Visit>
//     static void members(Self& self, Visit& visit) {
//       visit("sha256", self.sha256);
//       visit("size", self.size);
//     }
//   };
//
// Members may be text, numbers, truth values, digests (as bare sha256; empty for none), optional digests,
// records, and vectors and maps (by name) of these. Only .cpp files include this header.
#pragma once

#include <concepts>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/json.hpp"

namespace imgforge::core {

struct AnyVisitor {
  template <class Member>
  void operator()(const char*, Member&&) {}
};

template <class T>
concept Record = requires(T& value, AnyVisitor& visit) {
  T::members(value, visit);
};

template <Record T>
Json write_record(const T& record);
/// Throws kIntegrity naming `where` and the member.
template <Record T>
T read_record(const Json& json, const std::string& where);

namespace record {

inline Json write(const std::string& value) {
  return value;
}
inline Json write(const Digest& value) {
  return value.hex();
}
inline Json write(const std::optional<Digest>& value) {
  return value ? Json(value->hex()) : Json(nullptr);
}
template <class T>
requires std::is_arithmetic_v<T> Json write(T value) {
  return value;
}
template <Record T>
Json write(const T& value) {
  return write_record(value);
}
template <class First, class Second>
Json write(const std::pair<First, Second>& value) {
  return Json::array({write(value.first), write(value.second)});
}
template <class T>
Json write(const std::vector<T>& values) {
  Json out = Json::array();
  for (const T& value : values) out.push_back(write(value));
  return out;
}
template <class T>
Json write(const std::map<std::string, T>& values) {
  Json out = Json::object();
  for (const auto& [name, value] : values) out[name] = write(value);
  return out;
}

[[noreturn]] void refuse(const std::string& where, const char* expected);

inline void read(const Json& json, const std::string& where, std::string& out) {
  if (!json.is_string()) refuse(where, "a text");
  out = json.get<std::string>();
}
void read(const Json& json, const std::string& where, Digest& out);
inline void read(const Json& json, const std::string& where, bool& out) {
  if (!json.is_boolean()) refuse(where, "true or false");
  out = json.get<bool>();
}
template <std::unsigned_integral T>
requires(!std::same_as<T, bool>) void read(const Json& json, const std::string& where, T& out) {
  if (!json.is_number_unsigned() || json.get<std::uint64_t>() > std::uint64_t{static_cast<T>(-1)})
    refuse(where, "a number");
  out = json.get<T>();
}
inline void read(const Json& json, const std::string& where, std::int64_t& out) {
  if (!json.is_number_integer()) refuse(where, "a number");
  out = json.get<std::int64_t>();
}
inline void read(const Json& json, const std::string& where, std::optional<Digest>& out) {
  if (json.is_null()) {
    out.reset();
  } else {
    read(json, where, out.emplace());
  }
}
template <Record T>
void read(const Json& json, const std::string& where, T& out) {
  out = read_record<T>(json, where);
}
template <class First, class Second>
void read(const Json& json, const std::string& where, std::pair<First, Second>& out) {
  if (!json.is_array() || json.size() != 2) refuse(where, "a pair");
  read(json[0], where + "[0]", out.first);
  read(json[1], where + "[1]", out.second);
}
template <class T>
void read(const Json& json, const std::string& where, std::vector<T>& out) {
  if (!json.is_array()) refuse(where, "a list");
  out.clear();
  for (std::size_t i = 0; i < json.size(); ++i)
    read(json[i], where + "[" + std::to_string(i) + "]", out.emplace_back());
}
template <class T>
void read(const Json& json, const std::string& where, std::map<std::string, T>& out) {
  if (!json.is_object()) refuse(where, "an object");
  out.clear();
  for (const auto& [name, value] : json.items()) read(value, where + "." + name, out[name]);
}

struct Writer {
  Json& out;
  template <class Member>
  void operator()(const char* name, const Member& member) {
    out[name] = write(member);
  }
};

struct Reader {
  const Json& in;
  const std::string& where;
  std::size_t taken = 0;
  template <class Member>
  void operator()(const char* name, Member& member) {
    const std::string inner = where + "." + name;
    const auto found = in.find(name);
    if (found == in.end()) refuse(inner, "there");
    read(*found, inner, member);
    ++taken;
  }
};

}  // namespace record

template <Record T>
Json write_record(const T& value) {
  Json out = Json::object();
  record::Writer writer{out};
  T::members(value, writer);
  return out;
}

template <Record T>
T read_record(const Json& json, const std::string& where) {
  if (!json.is_object()) record::refuse(where, "an object");
  T value;
  record::Reader reader{json, where};
  T::members(value, reader);
  if (reader.taken != json.size()) record::refuse(where, "without further members");
  return value;
}

}  // namespace imgforge::core
