// The database of a file of apk 3: a tree of values, each a tag of 32 bits with 4 bits of type and 28 that
// are a small number or the place of what is larger. Objects and arrays are a count of slots and the slots.
// Format: apk-v3(5).
//
// Nothing is followed that the reader does not ask for, so the tree is as deep as what it asks, whatever
// refers to what. As values may share their parts, a small file can mean a very large tree: reading costs
// budgets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace imgforge::fetch {

class AdbObject;

class Adb {
 public:
  /// `block` is the database's block, which must outlive this and all that is read of it. Throws kPackage for
  /// a version of the format that cannot be read; `what` names the file in messages.
  Adb(std::string_view block, std::string what);
  Adb(const Adb&) = delete;
  Adb& operator=(const Adb&) = delete;

  AdbObject root() const;

 private:
  friend class AdbObject;
  AdbObject object_of(std::uint32_t tag) const;
  std::string_view blob_of(std::uint32_t tag) const;
  std::uint64_t number_of(std::uint32_t tag) const;
  /// `size` bytes at `at`; throws kPackage when they are not all in the block.
  std::string_view bytes(std::uint64_t at, std::uint64_t size) const;
  void spend(std::uint64_t values, std::uint64_t size) const;

  std::string_view block_;
  std::string what_;
  mutable std::uint64_t values_left_;
  mutable std::uint64_t bytes_left_;
};

/// An object or an array (the two look the same). Its slots count from 1; those that it does not have, and 0,
/// are absent. Values of another type than asked for, or outside the file, throw kPackage; beyond the budget
/// kUnsafe.
class AdbObject {
 public:
  /// Number of the last slot.
  std::uint32_t size() const { return slots_ == 0 ? 0 : slots_ - 1; }
  bool has(std::uint32_t slot) const;
  /// False when a slot holds an error: apk writes one in place of what it could not convert.
  bool is_whole() const;
  /// Absent: 0.
  std::uint64_t number(std::uint32_t slot) const;
  /// Absent: empty.
  std::string_view blob(std::uint32_t slot) const;
  /// Absent: an object without slots.
  AdbObject object(std::uint32_t slot) const;
  /// Where the slot's blob lies in the block.
  std::size_t blob_offset(std::uint32_t slot) const;

 private:
  friend class Adb;
  AdbObject(const Adb& adb, std::string_view tags, std::uint32_t slots)
      : adb_(&adb), tags_(tags), slots_(slots) {}
  std::uint32_t tag(std::uint32_t slot) const;

  const Adb* adb_;
  std::string_view tags_;
  std::uint32_t slots_;  ///< with the one that holds the count; 0: absent
};

}  // namespace imgforge::fetch
