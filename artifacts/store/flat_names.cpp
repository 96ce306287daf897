#include "artifacts/store/flat_names.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>

#include "artifacts/manifest/formats.hpp"
#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

fs::file_type type_of(const fs::path& path) {
  std::error_code error;
  const auto type = fs::symlink_status(path, error).type();
  if (type == fs::file_type::none) throw core::system_error(error.value(), "cannot examine", path.native());
  return type;
}

/// True for a link of imgforge into a release of `line` (of any line when it is empty) that is not there, or
/// through a `current` that no longer has the file.
bool leads_nowhere(const Store& store, const fs::path& link, const std::string& line) {
  std::error_code error;
  const std::string target = fs::read_symlink(link, error).native();
  if (!is_flat_link(link) || !target.starts_with(std::string(kFlatTarget) + line + (line.empty() ? "" : "/")))
    return false;
  if (fs::exists(link, error)) return false;
  const std::string inside = target.substr(kFlatTarget.size());
  const std::size_t slash = inside.find('/');
  const std::size_t end = inside.find('/', slash + 1);
  if (slash == std::string::npos || end == std::string::npos) return false;
  const std::string version = inside.substr(slash + 1, end - slash - 1);
  if (version == "current") return !line.empty();
  return type_of(store.releases() / inside.substr(0, slash) / version) == fs::file_type::not_found;
}

}  // namespace

bool is_flat_link(const fs::path& link) {
  std::error_code error;
  const fs::path target = fs::read_symlink(link, error);
  return !error && target.native().starts_with(kFlatTarget) && target.filename() == link.filename();
}

void make_folder(const fs::path& folder) {
  if (::mkdir(folder.c_str(), 0755) == 0) {
    core::sync_directory(folder.parent_path());
  } else if (errno != EEXIST || !fs::is_directory(folder)) {
    throw core::system_error(errno == EEXIST ? ENOTDIR : errno, "cannot create", folder.native());
  }
}

std::vector<std::string> flat_folders() {
  std::vector<std::string> folders;
  for (const Format& format : formats()) {
    if (std::find(folders.begin(), folders.end(), format.folder) == folders.end())
      folders.emplace_back(format.folder);
  }
  return folders;
}

std::string plain_name(const Manifest& manifest, const ManifestArtifact& artifact) {
  return manifest.line() + artifact.file.substr(manifest.stem().size());
}

std::vector<FlatLink> version_links(const Store& store, const Manifest& manifest) {
  std::vector<FlatLink> links;
  for (const ManifestArtifact& artifact : manifest.artifacts) {
    links.push_back(
        {store.root() / Store::flat_folder(artifact.format) / artifact.file,
         std::string(kFlatTarget) + manifest.line() + "/" + manifest.version + "/" + artifact.file});
  }
  return links;
}

std::vector<FlatLink> flat_links(const Store& store, const Manifest& manifest) {
  std::vector<FlatLink> links;
  for (const ManifestArtifact& artifact : manifest.artifacts) {
    const fs::path folder = store.root() / Store::flat_folder(artifact.format);
    const std::string line = std::string(kFlatTarget) + manifest.line() + "/";
    const std::string plain = plain_name(manifest, artifact);
    links.push_back({folder / plain, line + "current/" + plain});
    links.push_back({folder / artifact.file, line + manifest.version + "/" + artifact.file});
  }
  return links;
}

void check_flat_link(const FlatLink& link) {
  const auto type = type_of(link.path);
  if (type == fs::file_type::not_found) return;
  if (type == fs::file_type::symlink && fs::read_symlink(link.path).native().starts_with(kFlatTarget)) return;
  throw Error(Kind::kStore, link.path.native() + " is in the way: it is not a link made by imgforge")
      .hint("move it elsewhere");
}

bool make_flat_link(const FlatLink& link) {
  check_flat_link(link);
  make_folder(link.path.parent_path());
  if (type_of(link.path) == fs::file_type::symlink && fs::read_symlink(link.path) == link.target)
    return false;
  core::replace_symlink(link.path, link.target);
  return true;
}

void drop_dangling_links(const Store& store, const std::string& line) {
  for (const std::string& folder : flat_folders()) {
    bool changed = false;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(store.root() / folder, error)) {
      std::error_code ignored;
      if (!entry.is_symlink(ignored) || !leads_nowhere(store, entry.path(), line)) continue;
      changed = ::unlink(entry.path().c_str()) == 0 || changed;
    }
    if (changed) core::sync_directory(store.root() / folder);
  }
}

bool point_at(const Store& store, const Manifest& manifest) {
  for (const FlatLink& link : flat_links(store, manifest)) make_flat_link(link);
  const std::optional<Version> before = store.current(manifest.line());
  const bool turn = !before || before->to_string() != manifest.version;
  if (turn) core::replace_symlink(store.line_directory(manifest.line()) / "current", manifest.version);
  drop_dangling_links(store, manifest.line());
  return turn;
}

bool name_version(const Store& store, const Manifest& manifest) {
  bool changed = false;
  for (const FlatLink& link : version_links(store, manifest)) changed = make_flat_link(link) || changed;
  return changed;
}

void remove_leftover_links(const Store& store, const std::string& line) {
  std::vector<fs::path> folders{store.line_directory(line)};
  for (const std::string& folder : flat_folders()) folders.push_back(store.root() / folder);
  for (const fs::path& folder : folders) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      if (!entry.is_symlink(error) || !entry.path().filename().native().starts_with('.')) continue;
      const std::string target = fs::read_symlink(entry.path(), error).native();
      if (target.starts_with(kFlatTarget) || Version::parse(target)) ::unlink(entry.path().c_str());
    }
  }
}

}  // namespace imgforge::artifacts
