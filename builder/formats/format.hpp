// How formats are made and checked: one file per format in this folder, each with a record that this table
// lists. What a format is called and consists of stands in artifacts/manifest/formats.hpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "builder/formats/intermediates.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::formats {

/// A finished file of a format.
struct MadeFile {
  std::string role;  ///< of artifacts::Format::files
  std::filesystem::path path;
  std::uint64_t virtual_size = 0;  ///< bytes that a machine sees; 0: the same as the file
  std::map<std::string, std::string> media = {};
};

struct MadeFormat {
  std::vector<MadeFile> files;
  std::vector<std::string> cmdline;  ///< of the kernel, first entry; empty when the format does not boot
};

/// What a look into a finished file found.
struct FoundFile {
  std::string words;               ///< about it, a few
  std::uint64_t virtual_size = 0;  ///< bytes that a machine sees; 0: the same as the file
};

struct Format {
  std::string_view name;
  /// Programs whose version shapes the bytes, by their names in machine::tools().
  std::span<const std::string_view> tools;
  /// Members of the resolved recipe (recipe::to_json) that shape it alone; what all formats of its carrier
  /// read is said there (steps/image/artifact).
  std::span<const std::string_view> settings;
  /// Makes the files in `folder`. Formats of a profile are made at the same time, each in a folder of its
  /// own.
  MadeFormat (*make)(Intermediates& parts, const std::filesystem::path& folder);
  /// Looks into a finished file. Throws kImage for damage.
  FoundFile (*check)(const std::filesystem::path& file, std::string_view role, core::ProcessRunner& processes,
                     const core::CancelToken& cancel);
};

/// Formats that this program makes, in the order of artifacts::formats().
std::span<const Format* const> all();
/// Throws kImage when this program does not know the format.
const Format& find(std::string_view name);

}  // namespace imgforge::formats
