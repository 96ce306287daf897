// Artifacts looked into: one value that says what a file is and what system is in it, and the list of files
// of a root file system.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "artifacts/manifest/manifest.hpp"
#include "builder/inspect/root_source.hpp"
#include "core/digest.hpp"

namespace imgforge::inspect {

struct Inspection {
  std::uint64_t size = 0;
  std::optional<core::Digest> sha256;  ///< when it was asked for
  FoundArtifact artifact;
  RootFacts root;
};

/// Format of a file by its content, for archives and packed disks by the end of its name: a format of the
/// table, "squashfs" for a bare one. kUsage for anything else.
std::string format_of(const std::filesystem::path& file);
/// Whether all of a file is read for its digest: holes take as long as data.
enum class Checksum { kNo, kYes };

/// Reads the file itself. A packed disk (`.zst`) is unpacked into `tools.work` first.
Inspection inspect_file(const std::filesystem::path& file, const std::string& format,
                        const InspectTools& tools, Checksum checksum = Checksum::kNo);

/// Every path of the root file system in `file` with a text that tells type, mode, owner, size and content:
/// "file 0644 0:0 1234 sha256:...". Equal texts, equal files; times are not in it.
std::map<std::string, std::string> list_files(const std::filesystem::path& file, const std::string& format,
                                              const InspectTools& tools);
/// The artifact of a release whose root file system is read with the least effort, or nullptr.
const artifacts::ManifestArtifact* easiest_root(const artifacts::Manifest& manifest);

}  // namespace imgforge::inspect
