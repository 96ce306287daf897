#include "builder/stages/installed_packages.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "builder/fetch/apk/apk_identity.hpp"
#include "builder/fetch/apk/repository/apk_installed.hpp"
#include "builder/image/fs/rootfs_archive.hpp"
#include "core/bytes.hpp"
#include "core/text.hpp"

namespace imgforge::stages {
namespace {

using artifacts::ManifestPackage;

/// Whether the database, which has 20 bytes of every checksum, means the package with that one.
bool is_same(const core::Digest& installed, const std::string& checksum) {
  return fetch::installed_identity_text(installed) ==
         fetch::installed_identity_text(fetch::parse_identity(checksum));
}

ManifestPackage base_row(const fetch::IndexEntry& entry) {
  ManifestPackage row;
  row.name = entry.name;
  row.version = entry.version;
  row.arch = entry.arch;
  row.checksum = fetch::identity_text(entry.identity);
  row.licence = entry.license;
  row.origin = entry.origin;
  row.from_base = true;
  return row;
}

}  // namespace

std::vector<ManifestPackage> installed_packages(const artifacts::VerifiedFile& rootfs_tar,
                                                std::vector<ManifestPackage> chosen) {
  const image::RootfsArchive archive(rootfs_tar.path());
  std::optional<std::string> database;
  for (const std::string_view place : image::kPackageDatabases) {
    if (!database) database = archive.resolve(place);
  }
  if (!database) return chosen;
  const auto texts = archive.read({*database}, fetch::kMaxInstalledBytes);
  std::map<std::string, fetch::IndexEntry> installed;
  for (fetch::IndexEntry& entry : fetch::parse_installed(texts.at(*database), *database)) {
    std::string name = entry.name;
    installed.emplace(std::move(name), std::move(entry));
  }
  std::erase_if(chosen, [&](const ManifestPackage& package) {
    const auto found = installed.find(package.name);
    if (found == installed.end() || found->second.version != package.version ||
        !is_same(found->second.identity, package.checksum))
      return true;
    installed.erase(found);
    return false;
  });
  for (const auto& [name, entry] : installed) chosen.push_back(base_row(entry));
  return chosen;
}

}  // namespace imgforge::stages
