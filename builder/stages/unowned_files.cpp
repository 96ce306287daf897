#include "builder/stages/unowned_files.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "builder/fetch/apk/repository/apk_installed.hpp"
#include "builder/image/fs/root_tree.hpp"
#include "builder/image/fs/rootfs_archive.hpp"

namespace imgforge::stages {
namespace {

using artifacts::EntryType;

struct Owner {
  std::string package;
  core::Digest content;
};

/// Owners by the path that a file really has: folders of the database may be links in the image.
std::map<std::string, Owner> owners_in(const image::RootfsArchive& archive) {
  std::optional<std::string> database;
  for (const std::string_view place : image::kPackageDatabases) {
    if (!database) database = archive.resolve(place);
  }
  std::map<std::string, Owner> out;
  if (!database) return out;
  const auto texts = archive.read({*database}, fetch::kMaxInstalledBytes);
  std::map<std::string, std::optional<std::string>> folders;
  for (fetch::InstalledFile& file : fetch::parse_installed_files(texts.at(*database), *database)) {
    std::string path = file.name;
    if (!file.folder.empty()) {
      auto [folder, is_new] = folders.try_emplace(file.folder);
      if (is_new) folder->second = archive.resolve(file.folder);
      if (!folder->second) continue;  // went with the recipe's clean-up
      path = *folder->second + "/" + file.name;
    }
    out.insert_or_assign(std::move(path), Owner{std::move(file.package), std::move(file.content)});
  }
  return out;
}

/// Whether the database's checksum, of 20 bytes of either kind or of 32, is that of the content. A row
/// without one vouches for nothing: apk writes it for every regular file.
bool is_unchanged(const core::Digest& recorded, const UnownedFile& file) {
  const std::vector<std::uint8_t>& bytes = recorded.bytes();
  return bytes == file.sha1.bytes() ||
         (!bytes.empty() && std::equal(bytes.begin(), bytes.end(), file.sha256.bytes().begin()));
}

}  // namespace

Ownership look_up_owners(const artifacts::VerifiedFile& rootfs_tar, const std::vector<core::Digest>& wanted,
                         std::size_t limit, const core::CancelToken& cancel) {
  const std::map<std::string, Owner> owners = owners_in(image::RootfsArchive(rootfs_tar.path()));
  std::map<std::string, UnownedFile> unowned;
  std::map<std::string, UnownedFile> seen;  // what hard links may name
  Ownership out;
  const auto judge = [&](UnownedFile file) {
    const auto owner = owners.find(file.path);
    if (owner != owners.end() && is_unchanged(owner->second.content, file)) {
      if (std::find(wanted.begin(), wanted.end(), file.sha256) != wanted.end())
        out.owners.emplace(file.sha256, owner->second.package);
      return;
    }
    if (owner != owners.end()) file.package = owner->second.package;
    unowned.insert_or_assign(file.path, std::move(file));
  };
  std::vector<std::byte> buffer(1 << 20);
  image::walk_root(rootfs_tar.path(), [&](const artifacts::TarEntry& entry, const image::ReadContent& read,
                                          const image::AddedMember*) {
    cancel.check();
    UnownedFile file;
    if (entry.type == EntryType::kHardlink) {
      file = seen.at(entry.link_target);
    } else if (entry.type == EntryType::kFile) {
      core::Hasher sha1(core::HashAlgorithm::kSha1);
      core::Hasher sha256(core::HashAlgorithm::kSha256);
      while (const std::size_t n = read(buffer)) {
        const auto part = std::span<const std::byte>(buffer).first(n);
        sha1.update(part);
        sha256.update(part);
      }
      file = {entry.path, "", entry.size, sha1.finish(), sha256.finish()};
      seen.insert_or_assign(entry.path, file);
    } else {
      return;
    }
    file.path = entry.path;
    judge(std::move(file));
  });
  for (auto& [path, file] : unowned) {
    if (out.unowned.size() == limit) break;
    out.unowned.push_back(std::move(file));
  }
  out.left_out = unowned.size() - out.unowned.size();
  return out;
}

}  // namespace imgforge::stages
