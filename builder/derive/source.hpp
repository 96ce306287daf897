// A published release that was verified and is now made into another one.
#pragma once

#include <filesystem>
#include <string_view>

#include "artifacts/manifest/manifest.hpp"
#include "builder/derive/derive.hpp"
#include "core/error.hpp"

namespace imgforge::derive {

class Source {
 public:
  /// Verifies signature and digests. Throws what the first failed check says, kUsage for an archived one.
  Source(stages::Toolbox& tools, const DeriveRequest& request);

  const artifacts::Manifest& manifest() const { return manifest_; }
  std::filesystem::path file_of(const artifacts::ManifestArtifact& artifact) const {
    return directory_ / artifact.file;
  }
  /// The image of that format, or nullptr.
  const artifacts::ManifestArtifact* find(std::string_view format) const;
  /// That there is no `wanted`, and what there is.
  core::Error lacks(std::string_view wanted) const;

 private:
  std::filesystem::path directory_;
  artifacts::Manifest manifest_;
};

/// kUsage, with the nearest name, for what is no format.
void check_format_name(const std::string& format);

}  // namespace imgforge::derive
