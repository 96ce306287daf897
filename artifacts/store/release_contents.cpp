#include "artifacts/store/release_contents.hpp"

#include "core/fd.hpp"

namespace imgforge::artifacts {
namespace {

namespace fs = std::filesystem;

/// New files were synced when they were written; somebody may have put back an older one just now.
bool synced(const fs::path& path) {
  try {
    core::sync_fd(core::open_regular(path, core::FollowLinks::kNo).get(), path.native());
    return true;
  } catch (const core::Error&) {
    return false;
  }
}

class Contents {
 public:
  Contents(const fs::path& directory, DigestMemory* memory) : directory_(directory), memory_(memory) {}

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
    const std::optional<FileIdentity> identity = identity_of(path);
    if (identity && is_known(*identity, file.size, file.sha256)) return std::nullopt;
    const Sighting before = now_seen(identity.value_or(FileIdentity()));
    CheckRow row = check_stored_file(directory_, file.file, file.size, file.sha256, file.sha512);
    if (!row.ok) return row;
    const std::optional<FileIdentity> after = identity_of(path);
    if (memory_ != nullptr && identity && after)
      memory_->remember({path, before, *after, file.sha256, false, synced(path)});
    return std::nullopt;
  }

  bool is_known(const FileIdentity& identity, std::uint64_t size, const core::Digest& sha256) const {
    return memory_ != nullptr && identity.size == size && memory_->recall(identity) == sha256;
  }

  const fs::path& directory_;
  DigestMemory* memory_;
};

}  // namespace

std::optional<CheckRow> find_damage(const fs::path& directory, const Manifest& manifest,
                                    DigestMemory* memory) {
  return Contents(directory, memory).first_damage(manifest);
}

core::FileDigests digests_of_new(const fs::path& file, const fs::path& place, DigestMemory* memory) {
  const core::Fd fd = core::open_regular(file, core::FollowLinks::kNo);
  if (memory != nullptr) seal(fd.get());
  const Sighting before = now_seen(identity_of(fd.get(), file));
  core::FileDigests found = core::file_digests(file);
  if (memory != nullptr)
    memory->remember({place, before, identity_of(fd.get(), file), found.sha256, true, true});
  return found;
}

}  // namespace imgforge::artifacts
