// The graph of one derivation: a step for each file that is made from a file of the source, and the release.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "artifacts/store/store.hpp"
#include "builder/derive/source.hpp"
#include "builder/engine/graph.hpp"
#include "builder/sbom/inventory.hpp"
#include "core/digest.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::derive {

/// A file that was made of one of the source.
struct DerivedFile {
  core::Digest sha256;
  std::uint64_t virtual_size = 0;
  std::string suffix;  ///< ".qcow2", ".img.zst"
  std::map<std::string, std::string> media;
  std::string detail;  ///< what was done, in a few words
  std::string identity() const { return sha256.hex(); }
  std::vector<core::Digest> files() const { return {sha256}; }
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("sha256", self.sha256);
    visit("virtual_size", self.virtual_size);
    visit("suffix", self.suffix);
    visit("media", self.media);
    visit("detail", self.detail);
  }
};

/// The same before it is in the cache: a file of the working folder.
struct MadeFile {
  std::filesystem::path path;
  std::uint64_t virtual_size = 0;
  std::string suffix;
  std::map<std::string, std::string> media;
  std::string detail;
};

class Derivation {
 public:
  /// Verifies the source. All references must outlive it.
  Derivation(stages::Toolbox& tools, const DeriveRequest& request);

  const Source& source() const { return source_; }

  /// A step that makes a file of `format` from `origin`; `parameters` is JSON of what else decides its bytes,
  /// `programs` are those of the tool table that write it.
  void add(const artifacts::ManifestArtifact& origin, const std::string& format,
           const std::string& parameters, std::vector<std::string_view> programs,
           std::function<MadeFile(const std::filesystem::path& folder)> make);
  /// A file of the source that goes along, as it is, with the one that was added last.
  void carry(const artifacts::ManifestArtifact& artifact) { made_.back().companions.push_back(&artifact); }

  /// Makes the files that are not known, and the release. `operation` stands in its manifest: "convert to
  /// raw"; `command` in the journal.
  artifacts::PublishResult run(artifacts::Store& store, const std::string& command,
                               const std::string& operation);

  /// The disk of `artifact` as a new raw file.
  void unpack(const artifacts::ManifestArtifact& artifact, const std::filesystem::path& raw) const;
  /// The raw disk, which came from `origin`, in the wanted format.
  MadeFile pack(const std::filesystem::path& raw, const std::string& format,
                const artifacts::ManifestArtifact& origin, const std::filesystem::path& folder) const;

  stages::Toolbox& tools() const { return tools_; }

 private:
  struct Made {
    engine::Ref<DerivedFile> step;
    std::string format;
    core::Digest origin;
    std::vector<const artifacts::ManifestArtifact*> companions = {};
  };
  artifacts::PublishRequest publish_request(engine::Context& context, const std::string& command,
                                            const std::string& operation) const;
  void complete(artifacts::Manifest& manifest) const;
  sbom::Inventory inventory() const;

  stages::Toolbox& tools_;
  const DeriveRequest& request_;
  core::TempDir work_;
  Source source_;
  engine::Graph graph_;
  std::vector<Made> made_;
};

/// `media` of a file without what tells of its encoding.
std::map<std::string, std::string> carried_media(const artifacts::ManifestArtifact& artifact);

inline constexpr const char* kCompressionKey = "compression";
inline constexpr const char* kZstd = "zstd";

}  // namespace imgforge::derive
