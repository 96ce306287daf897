// How much a root file system takes. A folder has no size of its own, so the free space of the file system
// below it is watched, and only when that has shrunk by what is allowed the folder itself is measured: others
// write there, too. Others also remove, which hides what the folder takes: after a failure it is measured
// whatever is free.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "core/bytes.hpp"
#include "core/error.hpp"

namespace imgforge::guest {

/// As in ext4 a name may be had for each so many bytes.
inline constexpr std::uint64_t kBytesPerFile = 16 << 10;

class DiskWatch {
 public:
  DiskWatch(std::filesystem::path folder, core::Bytes size);

  enum class Measure { kWhenShrunk, kAlways };
  /// kImage when the folder takes more than its size.
  std::optional<core::Error> check(Measure measure = Measure::kWhenShrunk);

 private:
  struct Free {
    std::uint64_t bytes = 0;
    std::uint64_t files = 0;
  };
  Free look() const;

  std::filesystem::path folder_;
  core::Bytes size_;
  Free enough_;  ///< while there is more, nothing is measured
};

}  // namespace imgforge::guest
