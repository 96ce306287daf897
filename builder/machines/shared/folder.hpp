// A folder of the host into which a machine may write anything: links, FIFOs, devices, names of all kinds.
// Its files are called by fixed names and resolved by the kernel below the folder without links (openat2(2),
// RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS); what is no regular file with one name is refused before it is
// opened for anything.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "core/fd.hpp"

namespace imgforge::machines {

inline constexpr const char* kOrdersFile = "host-to-vm.txt";
inline constexpr const char* kReportFile = "vm-to-host.txt";

class SharedFolder {
 public:
  /// Throws a system_error when it is not there.
  explicit SharedFolder(const std::filesystem::path& folder);

  /// Opens a file to be read; nothing when it is not there. Throws kUnsafe for what is no plain file.
  std::optional<core::Fd> open(const char* name) const;
  /// Adds a line with its end in one write. A file of more than `largest` bytes is renamed to NAME.1 before,
  /// in place of the last one. Throws likewise.
  void append(const char* name, const std::string& line, std::uint64_t largest) const;
  /// When a plain file of that name was last written, in nanoseconds since 1970; nothing when there is none.
  std::optional<std::int64_t> written(const char* name) const;

 private:
  core::Fd fd_;
};

/// New bytes of vm-to-host.txt, also when the machine begins it anew.
class Follower {
 public:
  enum class From { kBeginning, kEnd };
  static constexpr std::uint64_t kMostBehind = 1 << 20;

  /// The folder must outlive it.
  Follower(const SharedFolder& folder, From from);
  /// At most 64 KiB of what is new; empty when nothing is. More than 1 MiB behind, all but the last 1 MiB is
  /// passed over. Throws as SharedFolder does.
  std::string read();
  /// How many bytes were passed over since this was last asked.
  std::uint64_t passed_over();

 private:
  bool turn_to_newer();

  const SharedFolder& folder_;
  core::Fd fd_;
  std::uint64_t at_ = 0;
  std::uint64_t passed_over_ = 0;
};

}  // namespace imgforge::machines
