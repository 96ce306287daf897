#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <set>
#include <system_error>

#include "artifacts/formats.hpp"
#include "artifacts/release_check.hpp"
#include "artifacts/store.hpp"
#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::string_view kStagingPrefix = "publish";

/// Creates one folder whose parent exists, durably. An existing folder (or link to one) is fine.
void make_folder(const fs::path& folder) {
  if (::mkdir(folder.c_str(), 0755) == 0) {
    core::sync_directory(folder.parent_path());
  } else if (errno != EEXIST || !fs::is_directory(folder)) {
    throw core::system_error(errno == EEXIST ? ENOTDIR : errno, "cannot create", folder.native());
  }
}

fs::file_type type_of(const fs::path& path) {
  std::error_code error;
  const auto type = fs::symlink_status(path, error).type();
  if (type == fs::file_type::none) throw core::system_error(error.value(), "cannot examine", path.native());
  return type;
}

/// A flat name beside others: `out/<folder>/<name>` and what the link there says.
struct FlatLink {
  fs::path path;
  std::string target;
};

/// Where links may point that imgforge has made itself; anything else under a flat name is somebody's.
constexpr std::string_view kReleases = "../releases/";

void check_flat_link(const FlatLink& link) {
  const auto type = type_of(link.path);
  if (type == fs::file_type::not_found) return;
  if (type == fs::file_type::symlink && fs::read_symlink(link.path).native().starts_with(kReleases)) return;
  throw Error(Kind::kStore, link.path.native() + " is in the way: it is not a link made by imgforge")
      .hint("move it elsewhere");
}

void make_flat_link(const FlatLink& link) {
  check_flat_link(link);
  make_folder(link.path.parent_path());
  if (type_of(link.path) == fs::file_type::symlink && fs::read_symlink(link.path) == link.target) return;
  core::replace_symlink(link.path, link.target);
}

/// The unversioned name of an artifact inside a release directory.
std::string plain_name(const Manifest& manifest, const ManifestArtifact& artifact) {
  return manifest.line() + artifact.file.substr(manifest.stem().size());
}

std::vector<FlatLink> flat_links(const Store& store, const Manifest& manifest) {
  std::vector<FlatLink> links;
  for (const ManifestArtifact& artifact : manifest.artifacts) {
    const fs::path folder = store.root() / Store::flat_folder(artifact.format);
    const std::string line = std::string(kReleases) + manifest.line() + "/";
    const std::string plain = plain_name(manifest, artifact);
    links.push_back({folder / plain, line + "current/" + plain});
    links.push_back({folder / artifact.file, line + manifest.version + "/" + artifact.file});
  }
  return links;
}

/// Removes flat names through `current` that lead nowhere since it was turned (a format no longer made).
void drop_dangling_links(const Store& store, const std::string& line) {
  const std::string prefix = std::string(kReleases) + line + "/current/";
  std::set<std::string_view> folders;
  for (const Format& format : formats()) folders.insert(format.folder);
  for (const std::string_view folder : folders) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(store.root() / folder, error)) {
      if (!entry.is_symlink(error) || fs::exists(entry.path(), error)) continue;
      if (fs::read_symlink(entry.path(), error).native().starts_with(prefix)) ::unlink(entry.path().c_str());
    }
  }
}

/// Makes the flat names, then turns `current`: the commit point. What is right already is left alone.
void point_at(const Store& store, const Manifest& manifest) {
  for (const FlatLink& link : flat_links(store, manifest)) make_flat_link(link);
  const std::optional<Version> before = store.current(manifest.line());
  if (!before || before->to_string() != manifest.version) {
    core::replace_symlink(store.line_directory(manifest.line()) / "current", manifest.version);
  }
  drop_dangling_links(store, manifest.line());
}

Manifest read_manifest(const fs::path& directory) {
  return parse_manifest(core::read_text_file(directory / kManifestFile, kMaxManifestBytes));
}

/// One release on its way into the store.
class Publication {
 public:
  Publication(const Store& store, const PublishRequest& request) : store_(store), request_(request) {
    manifest_.name = request.name;
    manifest_.profile = request.profile;
    manifest_.is_unsigned = !request.sign;
  }

  PublishResult run() {
    check_request();
    const StoreLock lock(store_.root(), request_.lock_timeout, request_.cancel);
    reclaim_staging();
    make_folder(store_.releases());
    make_folder(line_directory());
    remove_leftover_links();
    store_.current(manifest_.line());  // refuses before anything is written
    hash_sources();
    if (std::optional<PublishResult> same = identical_release()) return *same;
    choose_version();
    for (const FlatLink& link : flat_links(store_, manifest_)) check_flat_link(link);
    check_space();
    const core::TempDir temporary(staging(), kStagingPrefix);
    const fs::path directory = temporary / "release";
    stage(directory);
    request_.cancel.check();
    move_into_place(directory);
    point_at(store_, manifest_);
    return {PublishOutcome::kPublished, version_, store_.release_directory(manifest_.line(), version_),
            manifest_};
  }

 private:
  fs::path staging() const { return store_.root() / ".staging"; }
  fs::path line_directory() const { return store_.line_directory(manifest_.line()); }

  void check_request() const {
    if (!is_file_name(request_.name) || (!request_.profile.empty() && !is_file_name(request_.profile))) {
      throw Error(Kind::kUsage,
                  "\"" + core::escaped(manifest_.line(), 120) + "\" cannot be used as a name of files")
          .hint("use letters, digits, '.', '_', '+' and '-', beginning with a letter or digit");
    }
    if (Version::parse(request_.version.to_string()) != request_.version || request_.artifacts.empty() ||
        !request_.finalise) {
      throw Error(Kind::kInternal, "incomplete publish request");
    }
    std::set<std::string> suffixes;
    for (const StagedArtifact& artifact : request_.artifacts) {
      Store::flat_folder(artifact.format);
      if (!suffixes.insert(artifact.suffix).second) {
        throw Error(Kind::kInternal, "two artifacts end in " + artifact.suffix);
      }
    }
  }

  /// TempDir leaves alone what has no owner file: a run killed while it made or removed the folder. Under the
  /// lock such a folder of ours belongs to nobody.
  void reclaim_staging() const {
    core::TempDir::reclaim(staging());
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(staging(), error)) {
      const bool ours = entry.path().filename().native().starts_with(std::string(kStagingPrefix) + ".");
      if (ours && type_of(entry.path() / ".owner") == fs::file_type::not_found)
        fs::remove_all(entry.path(), error);
    }
  }

  /// A killed run may have left the temporary link of a rename behind; under the lock it is nobody's.
  void remove_leftover_links() const {
    for (const fs::path& folder :
         {line_directory(), store_.root() / "images", store_.root() / "isos", store_.root() / "usb"}) {
      std::error_code error;
      for (const auto& entry : fs::directory_iterator(folder, error)) {
        if (!entry.is_symlink(error) || !entry.path().filename().native().starts_with('.')) continue;
        const std::string target = fs::read_symlink(entry.path(), error).native();
        if (target.starts_with(kReleases) || Version::parse(target)) ::unlink(entry.path().c_str());
      }
    }
  }

  void hash_sources() {
    for (const StagedArtifact& artifact : request_.artifacts) {
      request_.cancel.check();
      sources_.push_back(core::file_digests(artifact.path));
    }
  }

  /// A dated version stands for all of its day.
  bool is_candidate(const Version& version) const {
    return version.chosen == request_.version.chosen && version.date == request_.version.date;
  }

  /// The latest release of the day (or the one of the chosen version) if its files, hashed again from disk,
  /// are those of this request. A run that was killed between the two renames is completed here: `current` is
  /// turned to it.
  std::optional<PublishResult> identical_release() {
    const std::vector<Version> versions = store_.versions(manifest_.line());
    const auto latest = std::find_if(versions.rbegin(), versions.rend(),
                                     [&](const Version& version) { return is_candidate(version); });
    if (latest == versions.rend()) return std::nullopt;
    const fs::path directory = store_.release_directory(manifest_.line(), *latest);
    Manifest existing;
    try {
      existing = read_manifest(directory);
    } catch (const Error&) {
      return std::nullopt;  // damaged: no reason to reuse it; `verify` tells
    }
    if (existing.version != latest->to_string() || existing.line() != manifest_.line() ||
        !same_content(existing)) {
      return std::nullopt;
    }
    for (const CheckRow& row : check_files(directory, existing)) {
      if (!row.ok) return std::nullopt;
    }
    point_at(store_, existing);
    return PublishResult{PublishOutcome::kIdentical, *latest, directory, existing};
  }

  bool same_content(const Manifest& existing) const {
    if (existing.is_unsigned != manifest_.is_unsigned) return false;
    std::map<std::string, core::Digest> published;
    for (const ManifestArtifact& artifact : existing.artifacts) {
      published[artifact.file.substr(existing.stem().size())] = artifact.sha256;
    }
    std::map<std::string, core::Digest> wanted;
    for (std::size_t i = 0; i < sources_.size(); ++i)
      wanted[request_.artifacts[i].suffix] = sources_[i].sha256;
    return published == wanted;
  }

  bool is_taken(const Version& version) const {
    if (type_of(store_.release_directory(manifest_.line(), version)) != fs::file_type::not_found) return true;
    std::error_code error;
    for (const auto& month : fs::directory_iterator(store_.root() / "archive", error)) {
      const fs::path archived = month.path() / (manifest_.line() + "-" + version.to_string());
      if (type_of(archived) != fs::file_type::not_found) return true;
    }
    return false;
  }

  void choose_version() {
    version_ = request_.version;
    if (!version_.chosen.empty() && is_taken(version_)) {
      throw Error(Kind::kStore,
                  manifest_.line() + " " + version_.to_string() +
                      " was published already with different content; releases are never replaced")
          .hint("raise `version` in the recipe");
    }
    for (const Version& version : store_.versions(manifest_.line())) {
      if (is_candidate(version)) version_.revision = version.revision + 1;
    }
    while (is_taken(version_)) ++version_.revision;
    manifest_.version = version_.to_string();
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      const StagedArtifact& staged = request_.artifacts[i];
      ManifestArtifact artifact;
      artifact.file = manifest_.stem() + staged.suffix;
      artifact.format = staged.format;
      artifact.size = sources_[i].size;
      artifact.virtual_size = staged.virtual_size;
      artifact.sha256 = sources_[i].sha256;
      artifact.sha512 = sources_[i].sha512;
      artifact.media = staged.media;
      manifest_.artifacts.push_back(std::move(artifact));
    }
  }

  /// Only data counts, holes are kept. Where files can be cloned this asks for more than is needed.
  void check_space() const {
    std::uint64_t needed = 1 << 20;
    for (const StagedArtifact& artifact : request_.artifacts) {
      struct stat status {};
      if (::stat(artifact.path.c_str(), &status) == 0)
        needed += static_cast<std::uint64_t>(status.st_blocks) * 512;
    }
    needed += needed / 20;
    struct statvfs space {};
    if (::statvfs(store_.root().c_str(), &space) != 0) return;
    const std::uint64_t free = static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize;
    if (free < needed) {
      throw Error(Kind::kNoSpace, "not enough space: publishing needs " + core::Bytes{needed}.human() +
                                      " in " + store_.root().native() + ", there are " +
                                      core::Bytes{free}.human());
    }
    if (space.f_files != 0 && space.f_favail < 16 + 2 * request_.artifacts.size()) {
      throw Error(Kind::kNoSpace, "no inodes left in " + store_.root().native());
    }
  }

  void stage(const fs::path& directory) {
    if (::mkdir(directory.c_str(), 0755) != 0)
      throw core::system_error(errno, "cannot create", directory.native());
    for (std::size_t i = 0; i < sources_.size(); ++i) stage_artifact(directory, i);
    for (const Document& document : request_.finalise(manifest_)) {
      ManifestDocument row;
      row.file = document.file;
      row.size = document.content.size();
      row.sha256 = core::digest_of(core::HashAlgorithm::kSha256, document.content);
      row.sha512 = core::digest_of(core::HashAlgorithm::kSha512, document.content);
      manifest_.documents.push_back(row);
      documents_[document.file] = document.content;
    }
    const std::string manifest = print_manifest(manifest_);  // checks all names before they become files
    for (const auto& [file, content] : documents_) write_synced(directory / file, content);
    write_signed(directory, kManifestFile, manifest);
    write_signed(directory, kSumsFile,
                 print_sums(manifest_, core::digest_of(core::HashAlgorithm::kSha256, manifest)));
    for (const CheckRow& row : check_files(directory, manifest_)) {
      if (!row.ok)
        throw Error(row.kind.value_or(Kind::kIntegrity), "staged file " + row.subject + ": " + row.detail);
    }
    core::sync_directory(directory);
  }

  void stage_artifact(const fs::path& directory, std::size_t index) {
    request_.cancel.check();
    const ManifestArtifact& artifact = manifest_.artifacts[index];
    const fs::path target = directory / artifact.file;
    core::clone_file(request_.artifacts[index].path, target, 0644);
    const core::Fd fd = core::open_file(target, O_RDWR | O_NOFOLLOW);
    if (::fchmod(fd.get(), 0444) != 0)
      throw core::system_error(errno, "cannot set the mode of", target.native());
    core::sync_fd(fd.get(), target.native());
    if (::symlink(artifact.file.c_str(), (directory / plain_name(manifest_, artifact)).c_str()) != 0) {
      throw core::system_error(errno, "cannot link", target.native());
    }
  }

  static void write_synced(const fs::path& path, std::string_view content) {
    core::Fd fd = core::open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644);
    core::write_all(fd.get(), content, path.native());
    if (::fchmod(fd.get(), 0444) != 0)
      throw core::system_error(errno, "cannot set the mode of", path.native());
    core::sync_fd(fd.get(), path.native());
    fd.close(path.native());
  }

  void write_signed(const fs::path& directory, const std::string& file, const std::string& content) {
    write_synced(directory / file, content);
    if (core::read_text_file(directory / file, kMaxManifestBytes) != content) {
      throw Error(Kind::kIo, (directory / file).native() + " was not stored as it was written");
    }
    if (request_.sign) write_synced(directory / (file + kSignatureSuffix), request_.sign(file, content));
  }

  void move_into_place(const fs::path& directory) const {
    const fs::path target = store_.release_directory(manifest_.line(), version_);
    if (::renameat2(AT_FDCWD, directory.c_str(), AT_FDCWD, target.c_str(), RENAME_NOREPLACE) != 0) {
      if (errno == EEXIST)
        throw Error(Kind::kStore, target.native() + " exists already; releases are never replaced");
      throw core::system_error(errno, "cannot move the release to", target.native());
    }
    core::sync_directory(line_directory());
    core::sync_directory(directory.parent_path());
  }

  const Store& store_;
  const PublishRequest& request_;
  std::vector<core::FileDigests> sources_;
  Version version_;
  Manifest manifest_;
  std::map<std::string, std::string> documents_;
};

}  // namespace

PublishResult Store::publish(const PublishRequest& request) {
  return core::while_doing("publishing " + request.name, [&] { return Publication(*this, request).run(); });
}

void Store::promote(std::string_view line, const Version& version, std::chrono::milliseconds lock_timeout,
                    const core::CancelToken& cancel) {
  const StoreLock lock(root_, lock_timeout, cancel);
  const fs::path directory = release_directory(line, version);
  if (!is_file_name(line) || type_of(directory) != fs::file_type::directory) {
    throw Error(Kind::kStore, directory.native() + " is not a release");
  }
  const Manifest manifest = read_manifest(directory);
  if (manifest.line() != line || manifest.version != version.to_string()) {
    throw Error(Kind::kIntegrity, directory.native() + " holds the manifest of " + manifest.stem());
  }
  for (const CheckRow& row : check_files(directory, manifest)) {
    if (!row.ok) {
      throw Error(row.kind.value_or(Kind::kIntegrity),
                  (directory / row.subject).native() + ": " + row.detail);
    }
  }
  point_at(*this, manifest);
}

}  // namespace imgforge::artifacts
