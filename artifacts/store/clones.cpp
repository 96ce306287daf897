#include "artifacts/store/clones.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <system_error>

#include "artifacts/check/release_check.hpp"
#include "artifacts/check/verify.hpp"
#include "artifacts/manifest/formats.hpp"
#include "artifacts/store/flat_names.hpp"
#include "artifacts/store/journal.hpp"
#include "artifacts/store/yanks.hpp"
#include "core/atomic_file.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::uint64_t kMaxRecord = 64 << 10;
constexpr const char* kCloneFile = "clone.json";
constexpr std::string_view kStagingPrefix = ".imgforge-clone";

/// A folder inside the store is noted relative to it, so that the store can be moved.
std::string print_clone(const fs::path& root, const Clone& clone) {
  const fs::path inside = clone.directory.lexically_relative(root);
  const bool outside = inside.empty() || *inside.begin() == "..";
  return core::print_json({{"schema", 1},
                           {"name", clone.name},
                           {"line", clone.line},
                           {"version", clone.version},
                           {"directory", outside ? clone.directory.native() : inside.native()},
                           {"backing", clone.backing},
                           {"sha256", clone.sha256.hex()},
                           {"created", clone.created}});
}

Clone read_record(const fs::path& root, const fs::path& file) {
  Clone clone;
  clone.name = file.filename();
  try {
    const core::Json json =
        core::parse_json(core::read_text_file(file, kMaxRecord), "the record of the clone");
    const auto word = [&](const char* member) { return json.at(member).get<std::string>(); };
    if (json.at("schema").get<unsigned>() != 1)
      throw Error(Kind::kIntegrity, "the record is not of schema 1");
    clone.line = word("line");
    clone.version = word("version");
    clone.directory = root / word("directory");  // an absolute one stays as it is
    clone.backing = word("backing");
    clone.sha256 = core::Digest::from_hex(core::HashAlgorithm::kSha256, word("sha256"));
    clone.created = word("created");
  } catch (const Error& error) {
    clone.problem = error.message();
  } catch (const core::Json::exception&) {
    clone.problem = "the record of the clone lacks a member";
  }
  return clone;
}

std::string note(const Store& store, const char* command, const Clone& clone) {
  JournalEntry entry;
  entry.command = command;
  entry.line = clone.line;
  entry.version = clone.version;
  entry.outcome = "done";
  entry.detail = "clone " + clone.name;
  return append_journal(store.root(), std::move(entry));
}

fs::file_type type_of(const fs::path& path) {
  std::error_code error;
  const auto type = fs::symlink_status(path, error).type();
  if (type == fs::file_type::none) throw core::system_error(error.value(), "cannot examine", path.native());
  return type;
}

/// Makes one clone under the store's lock.
class Cloning {
 public:
  Cloning(const Store& store, const CloneRequest& request) : store_(store), request_(request) {}

  CloneResult run() {
    check_name();
    CloneResult result;
    Clone& clone = result.clone;
    const fs::path root = fs::canonical(store_.root());
    const fs::path release = root / "releases" / request_.line / request_.version;
    refuse_yanked(root, request_.line + "@" + request_.version);
    const ManifestArtifact artifact = choose(release);
    clone = {request_.name,
             request_.line,
             request_.version,
             {},
             artifact.file,
             artifact.sha256,
             core::iso_time(core::system_clock().now()),
             ""};
    if (request_.folder.empty()) make_folder(root / "clones");
    const fs::path folder = fs::canonical(request_.folder.empty() ? root / "clones" : request_.folder);
    clone.directory = folder / request_.name;
    if (const auto before = read_clone(root, request_.name)) {
      if (before->line != clone.line || before->version != clone.version ||
          before->directory.lexically_normal() != clone.directory || before->backing != clone.backing) {
        throw Error(Kind::kUsage, "there is a clone " + request_.name + " already, of " + before->line + "@" +
                                      before->version)
            .hint("choose another name, or imgforge remove " + request_.name);
      }
      clone.created = before->created;
    }
    remove_leftovers(folder);
    check_backing(release / artifact.file, artifact);
    write_record(root, clone);
    if (type_of(clone.directory) != fs::file_type::not_found) {
      if (type_of(clone.directory / kCloneDisk) != fs::file_type::regular ||
          type_of(clone.directory / kCloneFile) != fs::file_type::regular)
        throw Error(Kind::kStore, clone.directory.native() + " is in the way").hint("move it elsewhere");
      result.existed = true;
      return result;
    }
    make(root, folder, clone, release / artifact.file, artifact.format);
    std::string warning = note(store_, "clone", clone);
    if (!warning.empty()) result.warnings.push_back(std::move(warning));
    return result;
  }

 private:
  void check_name() const {
    if (!is_file_name(request_.name)) {
      throw Error(Kind::kUsage, "\"" + core::escaped(request_.name, 120) + "\" cannot be the name of a clone")
          .hint("use letters, digits, '.', '_', '+' and '-', beginning with a letter or digit");
    }
    if (type_of(store_.line_directory(request_.name)) != fs::file_type::not_found)
      throw Error(Kind::kUsage, request_.name + " is the name of a line of releases").hint("choose another");
  }

  ManifestArtifact choose(const fs::path& release) const {
    const Manifest manifest = trusted_manifest(release, request_.change.signature);
    for (const std::string& format : machine_disk_names()) {
      if (!request_.format.empty() && request_.format != format) continue;
      for (const ManifestArtifact& artifact : manifest.artifacts)
        if (artifact.format == format) return artifact;
    }
    throw Error(Kind::kStore, manifest.stem() + " has no disk" +
                                  (request_.format.empty() ? "" : " of the format " + request_.format) +
                                  " to stand on")
        .hint("clones stand on qcow2 and raw disks");
  }

  void check_backing(const fs::path& file, const ManifestArtifact& artifact) const {
    if (request_.memory != nullptr) {
      const auto identity = identity_of(file);
      if (identity && request_.memory->recall(*identity) == artifact.sha256) return;
    }
    const CheckRow row = check_file(file, artifact.size, artifact.sha256, artifact.sha512);
    if (!row.ok) throw Error(Kind::kIntegrity, file.native() + ": " + row.detail);
  }

  /// Unfinished folders of dead processes. Nothing else there is ours.
  static void remove_leftovers(const fs::path& folder) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      const std::string name = entry.path().filename();
      if (!name.starts_with(std::string(kStagingPrefix) + ".")) continue;
      pid_t pid = 0;
      std::from_chars(name.data() + kStagingPrefix.size() + 1, name.data() + name.size(), pid);
      std::error_code ignored;
      if (pid > 0 && ::kill(pid, 0) != 0 && errno == ESRCH) fs::remove_all(entry.path(), ignored);
    }
  }

  /// The record comes first: from then on the release stays.
  static void write_record(const fs::path& root, const Clone& clone) {
    make_folder(root / kClonesFolder);
    core::write_file_atomically(root / kClonesFolder / clone.name, print_clone(root, clone));
  }

  void make(const fs::path& root, const fs::path& folder, const Clone& clone, const fs::path& backing,
            const std::string& format) const {
    // As deep as the final place is, so that the path of the backing file is right in both.
    const fs::path relative = backing.lexically_relative(clone.directory);
    const core::TempDir staging(folder, kStagingPrefix);
    const fs::path disk = staging / kCloneDisk;
    request_.make_overlay(disk, relative, format);
    const core::Fd fd = core::open_file(disk, O_RDWR | O_NOFOLLOW);
    core::sync_fd(fd.get(), disk.native());
    core::write_file_atomically(staging / kCloneFile, print_clone(root, clone));
    const fs::path final_folder = staging / "clone";
    if (::mkdir(final_folder.c_str(), 0755) != 0)
      throw core::system_error(errno, "cannot create", final_folder.native());
    for (const char* file : {kCloneDisk, kCloneFile}) {
      if (::rename((staging / file).c_str(), (final_folder / file).c_str()) != 0)
        throw core::system_error(errno, "cannot move", (staging / file).native());
    }
    core::sync_directory(final_folder);
    if (::renameat2(AT_FDCWD, final_folder.c_str(), AT_FDCWD, clone.directory.c_str(), RENAME_NOREPLACE) != 0)
      throw core::system_error(errno, "cannot create", clone.directory.native());
    core::sync_directory(folder);
  }

  const Store& store_;
  const CloneRequest& request_;
};

}  // namespace

std::vector<Clone> read_clones(const fs::path& root) {
  std::vector<Clone> clones;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root / kClonesFolder, error)) {
    if (is_file_name(entry.path().filename().native())) clones.push_back(read_record(root, entry.path()));
  }
  if (error && error != std::errc::no_such_file_or_directory)
    throw core::system_error(error.value(), "cannot list", (root / kClonesFolder).native());
  std::sort(clones.begin(), clones.end(), [](const Clone& a, const Clone& b) { return a.name < b.name; });
  return clones;
}

std::optional<Clone> read_clone(const fs::path& root, const std::string& name) {
  const fs::path file = root / kClonesFolder / name;
  std::error_code error;
  if (!is_file_name(name) || !fs::exists(fs::symlink_status(file, error))) return std::nullopt;
  return read_record(root, file);
}

bool is_open_in_qemu(const fs::path& disk) {
  const core::Fd fd(::open(disk.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return false;
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return ::fcntl(fd.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

CloneResult make_clone(const Store& store, const CloneRequest& request) {
  return core::while_doing("cloning " + request.line + "@" + request.version, [&] {
    const StoreLock lock(store.root(), request.change.lock_timeout, request.change.cancel);
    return Cloning(store, request).run();
  });
}

std::vector<std::string> remove_clone(const Store& store, const std::string& name,
                                      const ChangeOptions& options) {
  const StoreLock lock(store.root(), options.lock_timeout, options.cancel);
  const std::optional<Clone> clone = read_clone(store.root(), name);
  if (!clone) throw Error(Kind::kUsage, "there is no clone \"" + core::escaped(name, 200) + "\"");
  if (!clone->problem.empty()) {
    throw Error(Kind::kStore, clone->problem)
        .hint("look at " + (store.root() / kClonesFolder / name).native() + " and remove it by hand");
  }
  const fs::path disk = clone->directory / kCloneDisk;
  if (is_open_in_qemu(disk)) {
    throw Error(Kind::kLocked, disk.native() + " is open in a running machine")
        .hint("stop the machine first");
  }
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(clone->directory, error)) {
    const std::string file = entry.path().filename();
    if (file != kCloneDisk && file != kCloneFile)
      throw Error(Kind::kStore, entry.path().native() + " is not of the clone").hint("move it elsewhere");
  }
  // The disk goes first: a clone without disk is gone, and the record still says where the rest is.
  for (const char* file : {kCloneDisk, kCloneFile}) {
    const fs::path path = clone->directory / file;
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
      throw core::system_error(errno, "cannot remove", path.native());
  }
  if (::rmdir(clone->directory.c_str()) != 0 && errno != ENOENT)
    throw core::system_error(errno, "cannot remove", clone->directory.native());
  const fs::path record = store.root() / kClonesFolder / name;
  if (::unlink(record.c_str()) != 0 && errno != ENOENT)
    throw core::system_error(errno, "cannot remove", record.native());
  core::sync_directory(record.parent_path());
  std::string warning = note(store, "remove", *clone);
  return warning.empty() ? std::vector<std::string>{} : std::vector{std::move(warning)};
}

}  // namespace imgforge::artifacts
