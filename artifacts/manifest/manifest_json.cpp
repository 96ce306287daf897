#include "artifacts/manifest/manifest_json.hpp"

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {

JsonObject::JsonObject(const core::Json& value, std::string where) : value_(value), where_(std::move(where)) {
  if (!value_.is_object())
    throw core::Error(core::Kind::kIntegrity, "manifest: " + where_ + " is not an object");
}

std::string JsonObject::path_of(const std::string& member) const {
  return where_.empty() ? member : where_ + "." + member;
}

void JsonObject::refuse(const std::string& member, const std::string& why) const {
  throw core::Error(core::Kind::kIntegrity, "manifest: " + core::escaped(path_of(member), 120) + " " + why);
}

const core::Json& JsonObject::take(const char* member) {
  const auto found = value_.find(member);
  if (found == value_.end()) refuse(member, "is missing");
  taken_.insert(member);
  return *found;
}

std::string JsonObject::text(const char* member) {
  const core::Json& value = take(member);
  if (!value.is_string()) refuse(member, "is not text");
  std::string text = value.get<std::string>();
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) refuse(member, "has a control character");
  }
  return text;
}

std::uint64_t JsonObject::number(const char* member) {
  const core::Json& value = take(member);
  if (!value.is_number_unsigned()) refuse(member, "is not a whole number");
  const auto number = value.get<std::uint64_t>();
  if (number > (std::uint64_t{1} << 62)) refuse(member, "is out of range");
  return number;
}

bool JsonObject::truth(const char* member) {
  const core::Json& value = take(member);
  if (!value.is_boolean()) refuse(member, "is not true or false");
  return value.get<bool>();
}

core::Digest JsonObject::digest(const char* member, core::HashAlgorithm algorithm) {
  const std::string hex = text(member);
  const core::Digest digest = core::Digest::from_hex(algorithm, hex);
  if (digest.hex() != hex) refuse(member, "is not lower-case hex");
  return digest;
}

JsonObject JsonObject::object(const char* member) {
  return {take(member), path_of(member)};
}

const core::Json& JsonObject::array(const char* member, std::size_t limit) {
  const core::Json& value = take(member);
  if (!value.is_array()) refuse(member, "is not a list");
  if (value.size() > limit) refuse(member, "has more than " + std::to_string(limit) + " rows");
  return value;
}

std::vector<std::string> JsonObject::texts(const char* member, std::size_t limit) {
  std::vector<std::string> result;
  for (const core::Json& row : array(member, limit)) {
    if (!row.is_string()) refuse(member, "has a row that is not text");
    result.push_back(row.get<std::string>());
  }
  return result;
}

void JsonObject::finish() const {
  for (const auto& [member, value] : value_.items()) {
    if (!taken_.contains(member)) refuse(member, "is not known to this version of imgforge");
  }
}

}  // namespace imgforge::artifacts
