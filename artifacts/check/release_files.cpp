#include "artifacts/check/release_files.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "artifacts/check/release_check.hpp"
#include "artifacts/manifest/companions.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"

namespace imgforge::artifacts {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

Manifest read_release_manifest(const fs::path& directory, const std::string& line,
                               const std::string& version) {
  Manifest manifest = parse_manifest(core::read_text_file(directory / kManifestFile, kMaxManifestBytes));
  if (manifest.line() != line || manifest.version != version)
    throw Error(Kind::kIntegrity, directory.native() + " holds the manifest of " + manifest.stem());
  return manifest;
}

std::vector<std::string> signed_files(const fs::path& directory) {
  std::vector<std::string> names;
  for (const char* name : {kManifestFile, kSumsFile}) {
    for (const std::string& file : {std::string(name), std::string(name) + kSignatureSuffix}) {
      std::error_code error;
      const auto type = fs::symlink_status(directory / file, error).type();
      if (type == fs::file_type::not_found && file != kManifestFile) continue;
      if (type != fs::file_type::regular)
        throw Error(Kind::kIntegrity, (directory / file).native() + " is missing or not a regular file");
      names.push_back(file);
    }
  }
  for (std::string& name : companions_in(directory)) names.push_back(std::move(name));
  return names;
}

void seal_file(const fs::path& path) {
  const core::Fd fd = core::open_file(path, O_RDWR | O_NOFOLLOW);
  if (::fchmod(fd.get(), 0444) != 0) throw core::system_error(errno, "cannot set the mode of", path.native());
  core::sync_fd(fd.get(), path.native());
}

void copy_sealed(const fs::path& source, const fs::path& target) {
  core::clone_file(source, target, 0644);
  seal_file(target);
}

void compare_small(const fs::path& a, const fs::path& b, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (core::read_text_file(a / name, kMaxManifestBytes) !=
        core::read_text_file(b / name, kMaxManifestBytes))
      throw Error(Kind::kIntegrity, (b / name).native() + " is not the same as " + (a / name).native());
  }
}

void require_intact(const fs::path& directory, const Manifest& manifest) {
  for (const CheckRow& row : check_files(directory, manifest, Digests::kSha256, 0)) {
    if (!row.ok)
      throw Error(row.kind.value_or(Kind::kIntegrity),
                  (directory / row.subject).native() + ": " + row.detail);
  }
}

void move_into_place(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) {
    if (errno == EEXIST) throw Error(Kind::kStore, to.native() + " exists already");
    throw core::system_error(errno, "cannot move the release to", to.native());
  }
  core::sync_directory(to.parent_path());
  core::sync_directory(from.parent_path());
}

void change_places(const fs::path& from, const fs::path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) != 0)
    throw core::system_error(errno, "cannot replace", to.native());
  core::sync_directory(to.parent_path());
  core::sync_directory(from.parent_path());
}

}  // namespace imgforge::artifacts
