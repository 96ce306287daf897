// The files that the database of a package of apk 3 names, in its order, under the rules for archives.
#pragma once

#include <cstdint>
#include <string>

#include "artifacts/tar/tar.hpp"
#include "artifacts/tar/tar_names.hpp"
#include "builder/fetch/adb/adb_values.hpp"
#include "core/digest.hpp"

namespace imgforge::fetch {

class V3Files {
 public:
  /// `paths`: the list of folders. `what` names the package in messages.
  V3Files(const AdbObject& paths, std::string what);

  struct File {
    artifacts::TarEntry entry;
    core::Digest digest;       ///< of the content of a regular file
    std::uint32_t folder = 0;  ///< number in the list of folders
    std::uint32_t number = 0;  ///< in the folder; 0: the folder itself
  };
  /// Goes on to the next; false at the end. Throws kPackage (malformed), kArchive (named twice), kUnsafe
  /// (names that lead elsewhere, devices, budgets).
  bool next(File& file);

 private:
  void take_folder(File& file, const AdbObject& object);
  void take_file(File& file);
  void take_target(File& file, std::string_view target);
  void take_content(File& file, const AdbObject& object);
  std::string path_of(std::string_view name) const;
  void add(const File& file);

  AdbObject paths_;
  AdbObject files_;  ///< of the folder
  std::string what_;
  std::uint32_t folder_ = 0;
  std::uint32_t number_ = 0;
  std::string folder_name_;
  std::uint64_t entries_ = 0;
  std::uint64_t bytes_ = 0;
  artifacts::TarNames names_;
};

}  // namespace imgforge::fetch
