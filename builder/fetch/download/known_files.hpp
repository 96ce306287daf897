// Second names of cached blobs: "the package with this apk checksum" or "the file with this sha512" was once
// verified and is the blob with that sha256. Saves downloads; never weakens a check, because the blob itself
// is hashed again before use. `<cache>/known/<name>.json`.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "core/digest.hpp"

namespace imgforge::fetch {

class KnownFiles {
 public:
  /// `folder` is created when the first name is recorded.
  explicit KnownFiles(std::filesystem::path folder) : folder_(std::move(folder)) {}
  /// Nothing when the name is unknown or its record unusable. Names: lower-case letters, digits and "-" only.
  std::optional<core::Digest> find(const std::string& name) const;
  void record(const std::string& name, const core::Digest& sha256) const;

 private:
  std::filesystem::path path_of(const std::string& name) const;
  std::filesystem::path folder_;
};

}  // namespace imgforge::fetch
