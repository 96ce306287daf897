#include "builder/fetch/adb/adb_values.hpp"

#include <fmt/format.h>

#include <utility>

#include "builder/fetch/adb/adb_words.hpp"
#include "core/error.hpp"

namespace imgforge::fetch {
namespace {

/// What may be read of one file: Alpine's largest index takes 2 million values and 8 MB.
constexpr std::uint64_t kMaxValues = 16'000'000;
constexpr std::uint64_t kMaxBytes = std::uint64_t{128} << 20;
constexpr std::size_t kHeader = 8;  ///< two versions, two bytes reserved, the tag of the root

enum class Type : std::uint32_t {
  kSpecial = 0x0,
  kNumber = 0x1,  ///< in the tag itself
  kNumber32 = 0x2,
  kNumber64 = 0x3,
  kBlob8 = 0x8,  ///< by the bits of its length
  kBlob16 = 0x9,
  kBlob32 = 0xa,
  kArray = 0xd,
  kObject = 0xe,
  kError = 0xf,
};

Type type_of(std::uint32_t tag) {
  return static_cast<Type>(tag >> 28);
}
std::uint32_t value_of(std::uint32_t tag) {
  return tag & 0x0fffffff;
}
/// Null is a special value of 0.
bool is_absent(std::uint32_t tag) {
  return tag == 0;
}

std::size_t length_size(Type type) {
  return type == Type::kBlob8 ? 1 : type == Type::kBlob16 ? 2 : type == Type::kBlob32 ? 4 : 0;
}

core::Error broken(const std::string& what, const std::string& why) {
  return core::Error(core::Kind::kPackage, fmt::format("{}: {}", what, why));
}

}  // namespace

Adb::Adb(std::string_view block, std::string what)
    : block_(block), what_(std::move(what)), values_left_(kMaxValues), bytes_left_(kMaxBytes) {
  const auto compatible = static_cast<unsigned char>(bytes(0, kHeader)[0]);
  if (compatible != 0)
    throw broken(what_, fmt::format("version {} of the database is not known", compatible));
}

AdbObject Adb::root() const {
  return object_of(little_endian_32(block_, kHeader - 4));
}

std::string_view Adb::bytes(std::uint64_t at, std::uint64_t size) const {
  if (at > block_.size() || size > block_.size() - at)
    throw broken(what_, "a value lies outside the database");
  return block_.substr(static_cast<std::size_t>(at), static_cast<std::size_t>(size));
}

void Adb::spend(std::uint64_t values, std::uint64_t size) const {
  if (values > values_left_ || size > bytes_left_) {
    throw core::Error(core::Kind::kUnsafe, fmt::format("{}: it means more than {} values or {} MiB of text",
                                                       what_, kMaxValues, kMaxBytes >> 20));
  }
  values_left_ -= values;
  bytes_left_ -= size;
}

AdbObject Adb::object_of(std::uint32_t tag) const {
  if (is_absent(tag)) return {*this, {}, 0};
  if (type_of(tag) != Type::kObject && type_of(tag) != Type::kArray)
    throw broken(what_, "a value is no object");
  const std::uint32_t slots = little_endian_32(bytes(value_of(tag), 4), 0);
  if (slots == 0) throw broken(what_, "an object without the slot of its count");
  const std::string_view tags = bytes(value_of(tag), std::uint64_t{slots} * 4);
  spend(slots, 0);
  return {*this, tags, slots};
}

std::string_view Adb::blob_of(std::uint32_t tag) const {
  if (is_absent(tag)) return {};
  const std::size_t length = length_size(type_of(tag));
  if (length == 0) throw broken(what_, "a value is no text");
  const std::uint64_t size = little_endian(bytes(value_of(tag), length), 0, length);
  spend(0, size);
  return bytes(std::uint64_t{value_of(tag)} + length, size);
}

std::uint64_t Adb::number_of(std::uint32_t tag) const {
  switch (type_of(tag)) {
    case Type::kNumber:
      return value_of(tag);
    case Type::kNumber32:
      return little_endian(bytes(value_of(tag), 4), 0, 4);
    case Type::kNumber64:
      return little_endian(bytes(value_of(tag), 8), 0, 8);
    default:
      if (is_absent(tag)) return 0;
      throw broken(what_, "a value is no number");
  }
}

std::uint32_t AdbObject::tag(std::uint32_t slot) const {
  return slot == 0 || slot >= slots_ ? 0 : little_endian_32(tags_, std::size_t{slot} * 4);
}

bool AdbObject::has(std::uint32_t slot) const {
  return !is_absent(tag(slot));
}

bool AdbObject::is_whole() const {
  for (std::uint32_t slot = 1; slot < slots_; ++slot) {
    if (type_of(tag(slot)) == Type::kError) return false;
  }
  return true;
}

std::uint64_t AdbObject::number(std::uint32_t slot) const {
  return adb_->number_of(tag(slot));
}

std::string_view AdbObject::blob(std::uint32_t slot) const {
  return adb_->blob_of(tag(slot));
}

AdbObject AdbObject::object(std::uint32_t slot) const {
  return adb_->object_of(tag(slot));
}

std::size_t AdbObject::blob_offset(std::uint32_t slot) const {
  return static_cast<std::size_t>(blob(slot).data() - adb_->block_.data());
}

}  // namespace imgforge::fetch
