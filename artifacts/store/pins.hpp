// Pins: a person's word that a release stays, whatever retention says. One small file a pin,
// `.pins/<line>@<version>`, JSON with who, when and why; it appears and goes by one rename or unlink.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.hpp"

namespace imgforge::artifacts {

struct Pin {
  std::string who;     ///< name of the user
  std::string when;    ///< "2026-11-20T01:02:03Z"
  std::string reason;  ///< may be empty
  /// Why the file cannot be read. A damaged pin still holds its release: nothing is guessed.
  std::string problem;
  bool operator==(const Pin&) const = default;
};

constexpr const char* kPinsFolder = ".pins";
/// A release that was withdrawn (yanks.hpp) has the same kind of file in another folder.
constexpr const char* kYankedFolder = ".yanked";
constexpr std::size_t kMaxPinReason = 1000;

/// All pins of a store by "<line>@<version>". Needs no lock. Throws kIo and kPermission when the folder is
/// there but cannot be listed.
std::map<std::string, Pin> read_pins(const std::filesystem::path& root, const char* folder = kPinsFolder);
/// Writes one pin durably. The caller holds the store's lock. Throws kUsage for a reason that is not one line
/// of at most kMaxPinReason bytes of UTF-8.
void write_pin(const std::filesystem::path& root, const std::string& reference, const Pin& pin,
               const char* folder = kPinsFolder);
/// Removes one pin durably; false when there is none. The caller holds the store's lock.
bool remove_pin(const std::filesystem::path& root, const std::string& reference,
                const char* folder = kPinsFolder);

/// Who runs this process: the user's name, or the number of one without a name.
std::string user_name();

}  // namespace imgforge::artifacts
