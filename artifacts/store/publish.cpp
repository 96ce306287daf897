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

#include "artifacts/check/release_check.hpp"
#include "artifacts/check/release_files.hpp"
#include "artifacts/check/verify.hpp"
#include "artifacts/manifest/companions.hpp"
#include "artifacts/store/flat_names.hpp"
#include "artifacts/store/journal.hpp"
#include "artifacts/store/release_contents.hpp"
#include "artifacts/store/store.hpp"
#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/new_file.hpp"
#include "core/parallel.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

/// Takes what was published and is not whole any more.
constexpr const char* kDamagedFolder = ".damaged";
constexpr std::string_view kStagingPrefix = "publish";

fs::file_type type_of(const fs::path& path) {
  std::error_code error;
  const auto type = fs::symlink_status(path, error).type();
  if (type == fs::file_type::none) throw core::system_error(error.value(), "cannot examine", path.native());
  return type;
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
    manifest_.is_unsigned = !request.signer;
    manifest_.derived_from = request.derived_from;
    manifest_.is_draft = request_.is_draft;
  }

  PublishResult run() {
    check_request();
    const StoreLock lock(store_.root(), request_.lock_timeout, request_.cancel);
    reclaim_staging();
    make_folder(store_.releases());
    make_folder(line_directory());
    remove_leftover_links(store_, manifest_.line());
    before_ = store_.current(manifest_.line());  // refuses before anything is written
    name_sources();
    if (std::optional<PublishResult> same = identical_release()) return *same;
    choose_version();
    for (const FlatLink& link : turns() ? flat_links(store_, manifest_) : version_links(store_, manifest_))
      check_flat_link(link);
    check_space();
    const core::TempDir temporary(staging(), kStagingPrefix);
    const fs::path directory = temporary / "release";
    stage(directory);
    request_.cancel.check();
    move_into_place(directory);
    if (turns()) {
      point_at(store_, manifest_);
    } else {
      name_version(store_, manifest_);
    }
    return {PublishOutcome::kPublished, version_, store_.release_directory(manifest_.line(), version_),
            manifest_, noted()};
  }

 private:
  bool turns() const { return request_.current == Current::kTurn && !request_.is_draft; }
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

  /// Finds out as much as a comparison with what is there needs.
  void name_sources() {
    for (const StagedArtifact& artifact : request_.artifacts) {
      request_.cancel.check();
      sources_.push_back(artifact.sha256 ? *artifact.sha256
                                         : core::digest_of_file(core::HashAlgorithm::kSha256, artifact.path));
    }
  }

  /// A dated version stands for all of its day, a chosen one with revisions for all of these.
  bool is_candidate(const Version& version) const {
    if (request_.numbering == Numbering::kNextRevision && !request_.version.chosen.empty())
      return version.chosen.starts_with(request_.version.chosen + ".");
    return version.chosen == request_.version.chosen && version.date == request_.version.date;
  }

  /// The latest release of the day (or the one of the chosen version) that was made from the same; none when
  /// a damaged one comes first, which is no reason to reuse anything: `verify` tells.
  std::optional<std::pair<Version, Manifest>> latest_alike() const {
    const std::vector<Version> versions = store_.versions(manifest_.line());
    for (auto version = versions.rbegin(); version != versions.rend(); ++version) {
      if (!is_candidate(*version)) continue;
      try {
        Manifest existing = read_manifest(store_.release_directory(manifest_.line(), *version));
        if (existing.is_draft && !request_.is_draft) continue;
        if (existing.derived_from == request_.derived_from) return std::pair(*version, std::move(existing));
      } catch (const Error&) {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }

  /// That release if its files on disk are those of this request. A run that was killed
  /// between the two renames is completed here: `current` is turned to it.
  std::optional<PublishResult> identical_release() {
    const auto latest = latest_alike();
    if (!latest) return std::nullopt;
    const auto& [version, existing] = *latest;
    const fs::path directory = store_.release_directory(manifest_.line(), version);
    if (existing.version != version.to_string() || existing.line() != manifest_.line() ||
        !same_content(existing)) {
      return std::nullopt;
    }
    if (find_damage(directory, existing, request_.memory)) return std::nullopt;
    require_trust(directory, existing);
    manifest_.version = existing.version;
    std::vector<std::string> warnings;
    if (!turns()) {
      name_version(store_, existing);
    } else if (point_at(store_, existing)) {
      warnings = note("was published already, made current");
    }
    return PublishResult{PublishOutcome::kIdentical, version, directory, existing, std::move(warnings)};
  }

  /// The same files under a manifest that anybody could have written are no release to answer with.
  void require_trust(const fs::path& directory, const Manifest& existing) const {
    try {
      if (trusted_manifest(directory, request_.signature) == existing) return;
    } catch (const Error& error) {
      throw Error(
          Kind::kSignature,
          directory.native() +
              " holds the same files, but nobody trusted vouches for its manifest: " + error.message())
          .hint("trust the key that signed it (imgforge key trust), or imgforge remove " + existing.line() +
                "@" + existing.version + "; nothing was published");
    }
    throw Error(Kind::kIntegrity, directory.native() + " changed while it was compared");
  }

  /// Into the journal; returns what has to be warned of.
  std::vector<std::string> note(std::string outcome) const {
    JournalEntry entry;
    entry.command = request_.command;
    entry.line = manifest_.line();
    entry.version = manifest_.version;
    entry.outcome = std::move(outcome);
    if (request_.derived_from) entry.detail = "from " + request_.derived_from->release;
    if (!request_.derived_from && before_) entry.detail = before_->to_string() + " -> " + manifest_.version;
    std::string warning = append_journal(store_.root(), std::move(entry));
    return warning.empty() ? std::vector<std::string>{} : std::vector{std::move(warning)};
  }

  std::vector<std::string> noted() const {
    if (!replaces_wreck_) return note("done");
    std::vector<std::string> warnings = note("done, in place of a damaged release");
    warnings.push_back("the damaged release of that version was put aside, in " +
                       (store_.root() / kDamagedFolder).native());
    return warnings;
  }

  bool same_content(const Manifest& existing) const {
    if (existing.is_unsigned != manifest_.is_unsigned) return false;
    std::map<std::string, core::Digest> published;
    for (const ManifestArtifact& artifact : existing.artifacts) {
      published[artifact.file.substr(existing.stem().size())] = artifact.sha256;
    }
    std::map<std::string, core::Digest> wanted;
    for (std::size_t i = 0; i < sources_.size(); ++i) wanted[request_.artifacts[i].suffix] = sources_[i];
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

  /// Whether the release folder of that version is what a power cut leaves: names without their bytes. Its
  /// manifest cannot be read, or promises just what is published now, and files are not as it says.
  bool is_wreck(const Version& version) const {
    const fs::path directory = store_.release_directory(manifest_.line(), version);
    if (type_of(directory) != fs::file_type::directory) return false;
    try {
      const Manifest existing = read_manifest(directory);
      return same_content(existing) && find_damage(directory, existing, request_.memory);
    } catch (const Error& error) {
      return error.kind() == Kind::kIntegrity || error.kind() == Kind::kIo;
    }
  }

  Error taken() const {
    const std::string release = manifest_.line() + "@" + version_.to_string();
    return std::move(
        Error(Kind::kStore, manifest_.line() + " " + version_.to_string() +
                                " was published already with different content; releases are never replaced")
            .hint((request_.derived_from ? "choose another --version" : "raise `version` in the recipe") +
                  std::string("; imgforge verify ") + release +
                  " tells whether it is whole, imgforge remove " + release + " makes room"));
  }

  void choose_version() {
    version_ = request_.version;
    if (request_.numbering == Numbering::kNextRevision && !version_.chosen.empty()) {
      for (unsigned revision = 1; is_taken(version_); ++revision)
        version_.chosen = request_.version.chosen + "." + std::to_string(revision);
    }
    if (!version_.chosen.empty() && is_taken(version_)) {
      replaces_wreck_ = is_wreck(version_);
      if (!replaces_wreck_) throw taken();
    }
    for (const Version& version : store_.versions(manifest_.line())) {
      if (version_.chosen.empty() && is_candidate(version)) version_.revision = version.revision + 1;
    }
    while (!replaces_wreck_ && is_taken(version_)) ++version_.revision;
    manifest_.version = version_.to_string();
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      const StagedArtifact& staged = request_.artifacts[i];
      ManifestArtifact artifact;
      artifact.file = manifest_.stem() + staged.suffix;
      artifact.format = staged.format;
      artifact.virtual_size = staged.virtual_size;
      artifact.sha256 = sources_[i];
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
    staged_.resize(sources_.size());
    core::for_each_parallel(sources_.size(), core::kOneACore,
                            [&](std::size_t i) { promise_artifact(directory, i); });
    for (const ManifestArtifact& artifact : manifest_.artifacts) sync_file(directory / artifact.file);
    const std::vector<Document> documents = request_.finalise(manifest_);
    require_promises();
    if (std::vector<std::string>& flags = manifest_.insecure;
        manifest_.is_unsigned && std::find(flags.begin(), flags.end(), kUnsignedFlag) == flags.end())
      flags.emplace_back(kUnsignedFlag);
    for (const Document& document : documents) {
      ManifestDocument row;
      row.file = document.file;
      row.size = document.content.size();
      row.sha256 = core::digest_of(core::HashAlgorithm::kSha256, document.content);
      row.sha512 = core::digest_of(core::HashAlgorithm::kSha512, document.content);
      manifest_.documents.push_back(row);
      documents_[document.file] = document.content;
    }
    const std::string manifest = print_manifest(manifest_);  // checks all names before they become files
    for (const auto& [file, content] : documents_) {
      write_synced(directory / file, content);
      write_further(directory, file, content);
    }
    write_signed(directory, kManifestFile, manifest);
    write_signed(directory, kSumsFile,
                 print_sums(manifest_, core::digest_of(core::HashAlgorithm::kSha256, manifest)));
    for (const ManifestDocument& document : manifest_.documents) {
      if (digests_of_staged(directory, document.file).sha512 != document.sha512)
        throw Error(Kind::kIo, (directory / document.file).native() + " was not stored as it was written");
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
    // The disk writes while the processor hashes; whether it could is what the sync says.
    ::sync_file_range(fd.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
    if (::symlink(artifact.file.c_str(), (directory / plain_name(manifest_, artifact)).c_str()) != 0) {
      throw core::system_error(errno, "cannot link", target.native());
    }
  }

  core::FileDigests digests_of_staged(const fs::path& directory, const std::string& file) const {
    const fs::path place = store_.release_directory(manifest_.line(), version_);
    return digests_of_new(directory / file, place / file, request_.memory);
  }

  /// A new release promises what is in its own files, whoever knew the digests of the sources before.
  void promise_artifact(const fs::path& directory, std::size_t index) {
    request_.cancel.check();
    ManifestArtifact& artifact = manifest_.artifacts[index];
    const core::FileDigests found = digests_of_staged(directory, artifact.file);
    if (found.sha256 != sources_[index]) {
      throw Error(Kind::kIntegrity, "the copy of " + request_.artifacts[index].path.native() + " has " +
                                        found.sha256.to_string() + ", expected " +
                                        sources_[index].to_string())
          .hint("--rehash finds out what else has changed");
    }
    artifact.size = found.size;
    artifact.sha512 = found.sha512;
    staged_[index] = found;
  }

  /// Whoever completed the manifest may have changed a promise.
  void require_promises() const {
    for (std::size_t i = 0; i < staged_.size(); ++i) {
      const ManifestArtifact& artifact = manifest_.artifacts.at(i);
      const core::FileDigests& found = staged_[i];
      if (artifact.size == found.size && artifact.sha256 == found.sha256 && artifact.sha512 == found.sha512)
        continue;
      throw Error(Kind::kIntegrity,
                  artifact.file + " has " + found.sha256.to_string() + ", the manifest says otherwise");
    }
  }

  static void sync_file(const fs::path& path) {
    core::sync_fd(core::open_file(path, O_RDONLY | O_NOFOLLOW).get(), path.native());
  }

  static void write_synced(const fs::path& path, std::string_view content) {
    core::NewFile file(path);
    file.write(content);
    file.set_mode(0444);
    file.commit(core::Sync::kYes);
  }

  void write_signed(const fs::path& directory, const std::string& file, const std::string& content) {
    write_synced(directory / file, content);
    if (core::read_text_file(directory / file, kMaxManifestBytes) != content) {
      throw Error(Kind::kIo, (directory / file).native() + " was not stored as it was written");
    }
    if (request_.signer)
      write_synced(directory / (file + kSignatureSuffix), request_.signer.sign(file, content));
    write_further(directory, file, content);
  }

  void write_further(const fs::path& directory, const std::string& file, const std::string& content) {
    for (const signing::Signer::Further& further : request_.signer.further(file, content)) {
      if (!is_companion(further.file))
        throw Error(Kind::kInternal, further.file + " does not belong beside a manifest");
      write_synced(directory / further.file, further.text);
    }
  }

  void put_aside(const fs::path& wreck) const {
    make_folder(store_.root() / kDamagedFolder);
    fs::path aside = store_.root() / kDamagedFolder / manifest_.stem();
    for (int number = 2; type_of(aside) != fs::file_type::not_found; ++number)
      aside = store_.root() / kDamagedFolder / (manifest_.stem() + "." + std::to_string(number));
    fs::rename(wreck, aside);
  }

  void move_into_place(const fs::path& directory) const {
    const fs::path target = store_.release_directory(manifest_.line(), version_);
    if (replaces_wreck_) {
      change_places(directory, target);
      return put_aside(directory);
    }
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
  std::vector<core::Digest> sources_;      ///< sha256 of each
  std::vector<core::FileDigests> staged_;  ///< what is in the copies
  Version version_;
  bool replaces_wreck_ = false;
  Manifest manifest_;
  std::map<std::string, std::string> documents_;
  std::optional<Version> before_;  ///< current until now
};

}  // namespace

PublishResult Store::publish(const PublishRequest& request) {
  return core::while_doing("publishing " + request.name, [&] { return Publication(*this, request).run(); });
}

}  // namespace imgforge::artifacts
