// What inspect and diff share: an artifact found by its name, and the folder and tools to look into it.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "artifacts/manifest/manifest.hpp"
#include "builder/cli/frame/command.hpp"
#include "builder/inspect/inspect.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::cli {

/// What a person named: a file, perhaps with the manifest of the release that it belongs to.
struct NamedArtifact {
  std::filesystem::path file;  ///< of a release that was named as a whole: the one that is easiest to read
  std::string format;
  std::optional<artifacts::Manifest> manifest;
  std::optional<artifacts::ManifestArtifact> artifact;  ///< when one file was named
  std::string signer;                                   ///< of the manifest, or why there is none to trust
};

/// A release reference, or a file in or outside the store. kUsage when it is neither.
NamedArtifact find_artifact(Context& context, const std::string& subject);

/// A private folder for what is unpacked, removed with it.
class InspectFolder {
 public:
  explicit InspectFolder(Context& context);
  const inspect::InspectTools& tools() const { return tools_; }

 private:
  core::TempDir folder_;
  inspect::InspectTools tools_;
};

}  // namespace imgforge::cli
