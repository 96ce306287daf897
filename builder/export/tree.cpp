#include "builder/export/tree.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <system_error>

#include "artifacts/catalogue/publisher.hpp"
#include "artifacts/check/release_check.hpp"
#include "artifacts/check/verify.hpp"
#include "artifacts/manifest/companions.hpp"
#include "builder/export/choose.hpp"
#include "builder/export/incus_metadata.hpp"
#include "builder/export/latest_releases.hpp"
#include "builder/export/page.hpp"
#include "builder/export/simplestreams.hpp"
#include "builder/export/target.hpp"
#include "builder/export/virt_builder_index.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/new_file.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::exports {
namespace {

using artifacts::Manifest;
using core::Error;
using core::Kind;
namespace fs = std::filesystem;

/// One tree on its way to the target.
class Tree {
 public:
  Tree(fs::path root, const ExportRequest& request) : root_(std::move(root)), request_(request) {
    make_folder(root_);
  }

  /// Brings the files of a release in and verifies them there.
  Release add_release(const Candidate& candidate);
  void add_incus_metadata(Release& release);
  void add_catalogue(const artifacts::Store& store);
  void write_indexes(const Catalogue& catalogue);
  /// Sums over all files so far, their signatures and the marker.
  void write_sums(const Catalogue& catalogue);
  void sync_folders() const;

  const LinkCounts& links() const { return links_; }
  std::size_t files() const { return files_.size(); }
  std::uint64_t bytes() const { return bytes_; }

 private:
  void make_folder(const fs::path& folder);
  void write(const std::string& name, std::string_view content);
  void write_clear_signed(const std::string& name, std::string_view content);
  void bring(const fs::path& source, const std::string& name);
  bool share(const fs::path& source, const fs::path& target);
  Release verify(const Candidate& candidate, const std::string& folder);

  fs::path root_;
  const ExportRequest& request_;
  LinkCounts links_;
  std::set<std::string> files_;
  std::set<fs::path> folders_;
  std::map<std::string, core::Digest> sums_;
  std::uint64_t bytes_ = 0;
};

void Tree::make_folder(const fs::path& folder) {
  if (folders_.contains(folder)) return;
  if (folder != root_) make_folder(folder.parent_path());
  if (::mkdir(folder.c_str(), 0755) != 0 || ::chmod(folder.c_str(), 0755) != 0)
    throw core::system_error(errno, "cannot create", folder.native());
  folders_.insert(folder);
}

void Tree::write(const std::string& name, std::string_view content) {
  const fs::path path = root_ / name;
  make_folder(path.parent_path());
  core::NewFile file(path);
  file.write(content);
  file.set_mode(0644);
  file.commit(core::Sync::kYes);
  files_.insert(name);
  bytes_ += content.size();
}

/// A file that the sums cover, which those that only sign another one are not.
void Tree::write_clear_signed(const std::string& name, std::string_view content) {
  if (request_.gpg) write(name, request_.gpg->clear_sign(content));
}

bool Tree::share(const fs::path& source, const fs::path& target) {
  const core::Fd from = core::open_regular(source, core::FollowLinks::kNo);
  core::NewFile to(target);
  if (::ioctl(to.fd(), FICLONE, from.get()) != 0 || ::fchmod(to.fd(), 0444) != 0) return false;
  to.commit(core::Sync::kYes);
  return true;
}

void Tree::bring(const fs::path& source, const std::string& name) {
  request_.cancel.check();
  const fs::path target = root_ / name;
  make_folder(target.parent_path());
  if (fs::symlink_status(source).type() != fs::file_type::regular)
    throw Error(Kind::kIntegrity, core::escaped(source.native()) + " is not a regular file");
  if (request_.link == LinkMode::kAuto && share(source, target)) {
    ++links_.shared;
  } else if (request_.link == LinkMode::kAuto && ::link(source.c_str(), target.c_str()) == 0) {
    ++links_.linked;
  } else {
    core::clone_file(source, target, 0644);
    const core::Fd fd = core::open_file(target, O_RDONLY | O_NOFOLLOW);
    if (::fchmod(fd.get(), 0444) != 0)
      throw core::system_error(errno, "cannot set the mode of", target.native());
    core::sync_fd(fd.get(), target.native());
    ++links_.copied;
  }
  files_.insert(name);
  bytes_ += fs::file_size(target);
}

/// What the release directory in the tree is, now that nobody else writes there.
Release Tree::verify(const Candidate& candidate, const std::string& folder) {
  Release release;
  release.folder = folder;
  artifacts::VerifyOptions options;
  if (!candidate.is_unsigned) {
    options.signature = [&](std::string_view data, const artifacts::Signatures& signatures) {
      const SignedBy signer = request_.verify(data, signatures);
      release.signer = signer.name;
      release.public_key = signer.public_key;
      return signer.name;
    };
  }
  options.extras = artifacts::Extras::kRefuse;
  const artifacts::VerifyReport report = artifacts::verify_release(root_ / folder, options);
  for (const artifacts::CheckRow& row : report.rows) {
    if (row.ok || (candidate.is_unsigned && row.check == "signature")) continue;
    throw Error(row.kind.value_or(Kind::kIntegrity),
                fmt::format("{} {} does not verify: {} ({}): {}", candidate.line, candidate.version,
                            row.subject, row.check, row.detail))
        .hint("imgforge verify " + candidate.directory.native());
  }
  const std::string text =
      core::read_text_file(root_ / folder / artifacts::kManifestFile, artifacts::kMaxManifestBytes);
  release.manifest = report.manifest ? report.manifest->manifest() : artifacts::parse_manifest(text);
  if (release.manifest.is_unsigned != candidate.is_unsigned)
    throw Error(Kind::kIntegrity, candidate.directory.native() + " changed while it was exported");
  sums_[folder + "/" + artifacts::kManifestFile] = core::digest_of(core::HashAlgorithm::kSha256, text);
  return release;
}

Release Tree::add_release(const Candidate& candidate) {
  const std::string folder = "releases/" + candidate.line + "/" + candidate.version;
  const Manifest manifest = artifacts::parse_manifest(
      core::read_text_file(candidate.directory / artifacts::kManifestFile, artifacts::kMaxManifestBytes));
  std::vector<std::string> names{artifacts::kManifestFile, artifacts::kSumsFile};
  if (!candidate.is_unsigned) {
    names.push_back(std::string(artifacts::kManifestFile) + artifacts::kSignatureSuffix);
    names.push_back(std::string(artifacts::kSumsFile) + artifacts::kSignatureSuffix);
  }
  const std::vector<std::string> companions = artifacts::companions_in(candidate.directory);
  names.insert(names.end(), companions.begin(), companions.end());
  for (const auto& artifact : manifest.artifacts) names.push_back(artifact.file);
  for (const auto& document : manifest.documents) names.push_back(document.file);
  for (const std::string& name : names) bring(candidate.directory / name, folder + "/" + name);
  Release release = verify(candidate, folder);
  for (const auto& artifact : release.manifest.artifacts)
    sums_[release.path_of(artifact.file)] = artifact.sha256;
  for (const auto& document : release.manifest.documents)
    sums_[release.path_of(document.file)] = document.sha256;
  sums_[folder + "/" + artifacts::kSumsFile] =
      core::digest_of_file(core::HashAlgorithm::kSha256, root_ / folder / artifacts::kSumsFile);
  for (const std::string& name : companions) {
    if (name.ends_with(artifacts::kSignatureSuffix) || name.ends_with(".asc")) continue;
    const std::string path = folder + "/" + name;
    sums_[path] = core::digest_of_file(core::HashAlgorithm::kSha256, root_ / path);
  }
  add_incus_metadata(release);
  return release;
}

void Tree::add_incus_metadata(Release& release) {
  const artifacts::ManifestArtifact* disk = find_disk(release);
  if (disk == nullptr) return;
  const std::string metadata = make_incus_metadata(release.manifest);
  IncusMetadata incus;
  incus.path = "streams/incus/" + release.manifest.stem() + ".incus.tar.xz";
  incus.size = metadata.size();
  incus.sha256 = core::digest_of(core::HashAlgorithm::kSha256, metadata);
  incus.combined_sha256 = combined_sha256(metadata, root_ / release.path_of(disk->file));
  write(incus.path, metadata);
  sums_[incus.path] = incus.sha256;
  release.incus = incus;
}

void Tree::write_indexes(const Catalogue& catalogue) {
  PageSigners signers;
  signers.public_key = request_.signer.public_key_line();
  if (request_.gpg) signers.gpg_fingerprint = request_.gpg->fingerprint;
  const std::string index = print_virt_builder_index(catalogue);
  const std::string images = print_streams_images(catalogue);
  std::map<std::string, std::string> texts{
      {"index", index},
      {std::string(kStreamsIndex) + ".json", print_streams_index(catalogue, StreamForm::kPlain)},
      {std::string(kStreamsImages) + ".json", images},
      {"latest-releases.yaml", print_latest_releases(catalogue)},
      {"index.html", print_page(catalogue, signers)}};
  if (request_.signer) texts["signing-key.pub"] = request_.signer.public_key();
  if (request_.gpg) texts["signing-key.asc"] = request_.gpg->public_key;
  for (const auto& [name, text] : texts) {
    write(name, text);
    sums_[name] = core::digest_of(core::HashAlgorithm::kSha256, text);
  }
  write_clear_signed("index.asc", index);
  write_clear_signed(std::string(kStreamsIndex) + ".sjson",
                     print_streams_index(catalogue, StreamForm::kSigned));
  write_clear_signed(std::string(kStreamsImages) + ".sjson", images);
}

/// The store's catalogue as it is: it has the paths of the tree, and signatures of its own.
void Tree::add_catalogue(const artifacts::Store& store) {
  const fs::path folder = store.root() / catalogue::kFolder;
  if (!fs::is_regular_file(folder / "timestamp.json")) return;
  const artifacts::StoreLock lock(store.root(), std::chrono::seconds(60), request_.cancel);
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (!name.ends_with(".json") || entry.symlink_status().type() != fs::file_type::regular) continue;
    const std::string text = core::read_text_file(entry.path(), catalogue::kMaxTargets);
    write(std::string(catalogue::kFolder) + "/" + name, text);
    sums_[std::string(catalogue::kFolder) + "/" + name] = core::digest_of(core::HashAlgorithm::kSha256, text);
  }
}

void Tree::write_sums(const Catalogue& catalogue) {
  std::string sums;
  for (const auto& [name, digest] : sums_) sums += digest.hex() + "  " + name + "\n";
  const std::string name = artifacts::kSumsFile;
  write(name, sums);
  if (request_.signer) {
    const core::UnixTime time{std::chrono::seconds(unix_time(newest_time(catalogue)))};
    write(name + artifacts::kSignatureSuffix, request_.signer.at(time).sign(name, sums));
  }
  if (request_.gpg) write(name + ".asc", request_.gpg->detach_sign(sums));
  const std::set<std::string> listed = files_;
  write(kMarkerFile, print_marker(listed));
}

void Tree::sync_folders() const {
  for (const fs::path& folder : folders_) core::sync_directory(folder);
}

/// The folder itself, through links, so that the exchange does not replace a link to it.
fs::path resolve_target(const fs::path& target) {
  std::error_code error;
  fs::path path = fs::weakly_canonical(fs::absolute(target), error);
  if (error) throw core::system_error(error.value(), "cannot examine", target.native());
  if (!path.has_filename()) path = path.parent_path();
  if (!path.has_relative_path()) throw Error(Kind::kUsage, "the root folder cannot be exported to");
  return path;
}

bool is_inside(const fs::path& inner, const fs::path& outer) {
  const auto [left, right] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  return left == outer.end();
}

/// The folder beside the target in which trees are made, so that both are on one file system. What killed
/// runs left in it is removed first; the folder goes with the last run that works in it.
class Workshop {
 public:
  explicit Workshop(const fs::path& target)
      : path_(target.parent_path() / ("." + target.filename().native() + ".export")) {
    core::TempDir::reclaim(path_);
  }
  ~Workshop() { ::rmdir(path_.c_str()); }
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

Catalogue collect(const artifacts::Store& store, const ExportRequest& request, Tree& tree,
                  std::vector<std::string>& left_out, core::Progress& progress) {
  Catalogue catalogue{request.title, {}};
  for (const Candidate& candidate : choose_releases(store, request.keep_last)) {
    request.cancel.check();
    const std::string name = candidate.line + " " + candidate.version;
    if (candidate.is_unsigned && request.unsigned_releases == Unsigned::kLeaveOut) {
      left_out.push_back(name);
      progress.warn(name + " is not signed and left out (--include-unsigned takes it)");
      continue;
    }
    core::Activity activity = progress.begin(name);
    Release release = tree.add_release(candidate);
    activity.done(release.signer.empty() ? "unsigned" : "verified");
    if (catalogue.lines.empty() || catalogue.lines.back().name != candidate.line)
      catalogue.lines.push_back({candidate.line, {}});
    catalogue.lines.back().releases.push_back(std::move(release));
  }
  if (catalogue.lines.empty())
    throw Error(Kind::kStore, "there is no release in " + store.root().native() + " that could be exported");
  return catalogue;
}

}  // namespace

ExportResult export_tree(const artifacts::Store& store, const ExportRequest& request,
                         core::Progress& progress) {
  ExportResult result;
  result.target = resolve_target(request.target);
  const fs::path root = fs::canonical(store.root());
  if (is_inside(result.target, root) || is_inside(root, result.target)) {
    throw Error(Kind::kStore, result.target.native() + " and the store " + root.native() + " overlap")
        .hint("export to a folder outside the store");
  }
  check_target(result.target);
  const Workshop workshop(result.target);
  const core::TempDir temporary(workshop.path(), "tree");
  Tree tree(temporary / "tree", request);
  result.catalogue = collect(store, request, tree, result.left_out, progress);
  core::Activity indexes = progress.begin("indexes");
  tree.write_indexes(result.catalogue);
  tree.add_catalogue(store);
  tree.write_sums(result.catalogue);
  tree.sync_folders();
  indexes.done();
  request.cancel.check();
  check_target(result.target);
  swap_into_place(temporary / "tree", result.target);
  result.links = tree.links();
  result.files = tree.files();
  result.bytes = tree.bytes();
  return result;
}

}  // namespace imgforge::exports
