// Private working directories that never outlive their use: removed by the destructor, and reclaimed by
// the next run when the owner was killed (each holds a flocked `.owner` file for as long as it lives).
#pragma once

#include <filesystem>
#include <string_view>

#include "core/fd.hpp"

namespace imgforge::core {

class TempDir {
 public:
  /// Creates `<parent>/<prefix>.<pid>.<random>` with mode 0700; `parent` is created when missing.
  TempDir(const std::filesystem::path& parent, std::string_view prefix);
  ~TempDir();
  TempDir(TempDir&& other) noexcept;
  TempDir& operator=(TempDir&&) = delete;
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

  /// Removes what is in it, as far as that can be done; it stays, and stays owned.
  void clear() noexcept;

  /// Removes directories under `parent` that are named as TempDir names them and whose process is gone, also
  /// one that was killed before it could lock its owner file. Returns how many.
  static int reclaim(const std::filesystem::path& parent);

 private:
  std::filesystem::path path_;
  Fd owner_;
};

}  // namespace imgforge::core
