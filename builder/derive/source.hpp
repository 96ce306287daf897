// A published release that was verified and is now made into another one.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "artifacts/manifest/manifest.hpp"
#include "artifacts/store/store.hpp"
#include "builder/derive/derive.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"

namespace imgforge::derive {

/// A file of a release as its manifest promises it: a copy of one's own, which was hashed after it was made.
/// Nobody who may write to the store can change it between the look and the use; only a Source makes one.
class TakenFile {
 public:
  const std::filesystem::path& path() const { return path_; }
  const core::Digest& sha256() const { return sha256_; }

 private:
  friend class Source;
  TakenFile(std::filesystem::path path, core::Digest sha256)
      : path_(std::move(path)), sha256_(std::move(sha256)) {}
  std::filesystem::path path_;
  core::Digest sha256_;
};

class Source {
 public:
  /// Verifies signature and digests. Throws what the first failed check says, kUsage for an archived one.
  /// Copies of files go into `folder`, which must outlive it.
  Source(stages::Toolbox& tools, const DeriveRequest& request, std::filesystem::path folder);

  const artifacts::Manifest& manifest() const { return manifest_; }
  /// kIntegrity when the file is not what the manifest says any more.
  TakenFile take(const artifacts::ManifestArtifact& artifact) const;
  /// A document of it, as the manifest promises it; nothing when it has none of that name.
  std::optional<artifacts::Document> document(std::string_view file) const;
  /// The image of that format, or nullptr.
  const artifacts::ManifestArtifact* find(std::string_view format) const;
  /// That there is no `wanted`, and what there is.
  core::Error lacks(std::string_view wanted) const;

 private:
  std::string reference_;
  std::filesystem::path directory_;
  std::filesystem::path folder_;
  artifacts::Manifest manifest_;
};

/// kUsage, with the nearest name, for what is no format.
void check_format_name(const std::string& format);

}  // namespace imgforge::derive
