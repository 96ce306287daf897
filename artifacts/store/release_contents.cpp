#include "artifacts/store/release_contents.hpp"

#include "core/fd.hpp"

namespace imgforge::artifacts {
namespace {

namespace fs = std::filesystem;

class Contents {
 public:
  Contents(const fs::path& directory, const fs::path& place, DigestMemory* memory, bool is_new)
      : directory_(directory), place_(place), memory_(memory), is_new_(is_new) {}

  std::optional<CheckRow> first_damage(const Manifest& manifest) const {
    for (const ManifestArtifact& file : manifest.artifacts) {
      if (auto row = damage(file)) return row;
    }
    for (const ManifestDocument& file : manifest.documents) {
      if (auto row = damage(file)) return row;
    }
    return std::nullopt;
  }

 private:
  template <class File>
  std::optional<CheckRow> damage(const File& file) const {
    const fs::path path = directory_ / file.file;
    if (is_new_ && memory_ != nullptr) seal(core::open_regular(path, core::FollowLinks::kNo).get());
    const std::optional<FileIdentity> identity = identity_of(path);
    if (identity && !is_new_ && is_known(*identity, file.size, file.sha256)) return std::nullopt;
    const Sighting before = now_seen(identity.value_or(FileIdentity()));
    CheckRow row = check_stored_file(directory_, file.file, file.size, file.sha256, file.sha512);
    if (!row.ok) return row;
    const std::optional<FileIdentity> after = identity_of(path);
    if (memory_ != nullptr && identity && after)
      memory_->remember({place_ / file.file, before, *after, file.sha256, is_new_, is_new_ || synced(path)});
    return std::nullopt;
  }

  bool is_known(const FileIdentity& identity, std::uint64_t size, const core::Digest& sha256) const {
    return memory_ != nullptr && identity.size == size && memory_->recall(identity) == sha256;
  }

  /// New files were synced when they were written; somebody may have put back an older one just now.
  bool synced(const fs::path& path) const {
    try {
      core::sync_fd(core::open_regular(path, core::FollowLinks::kNo).get(), path.native());
      return true;
    } catch (const core::Error&) {
      return false;
    }
  }

  const fs::path& directory_;
  const fs::path& place_;
  DigestMemory* memory_;
  bool is_new_;
};

}  // namespace

std::optional<CheckRow> find_damage(const fs::path& directory, const Manifest& manifest,
                                    DigestMemory* memory) {
  return Contents(directory, directory, memory, false).first_damage(manifest);
}

std::optional<CheckRow> find_damage_of_new(const fs::path& directory, const fs::path& place,
                                           const Manifest& manifest, DigestMemory* memory) {
  return Contents(directory, place, memory, true).first_damage(manifest);
}

}  // namespace imgforge::artifacts
