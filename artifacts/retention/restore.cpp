// Releases back out of the archive.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "artifacts/check/release_check.hpp"
#include "artifacts/check/release_files.hpp"
#include "artifacts/retention/archive.hpp"
#include "artifacts/retention/removal.hpp"
#include "artifacts/store/flat_names.hpp"
#include "artifacts/store/release_reference.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

class Restoring {
 public:
  Restoring(const Store& store, const RestoreOptions& options) : store_(store), options_(options) {}

  RestoreResult run(const std::string& reference) {
    const StoreLock lock(store_.root(), options_.change.lock_timeout, options_.change.cancel);
    finish_interrupted(store_);
    const ReleaseLocation location = find_release(store_, reference);
    const Inventory inventory = read_inventory(store_, {location.line});
    const InventoryLine* line = inventory.find(location.line);
    const InventoryRelease* release = line == nullptr ? nullptr : line->find(location.version);
    if (release == nullptr) throw Error(Kind::kStore, location.reference() + " has just gone");
    RestoreResult result{
        location.line, location.version, store_.line_directory(location.line) / location.version, false, {}};
    const bool archived = release->state == ReleaseState::kArchived;
    const fs::path copy = archived ? release->directory : release->archived_copy;
    if (archived) {
      unpack(copy, result);
      result.changed = true;
    } else {
      const Manifest manifest = read_release_manifest(result.directory, result.line, result.version);
      require_intact(result.directory, manifest);
      result.changed = name_version(store_, manifest);
    }
    if (!copy.empty()) {
      take_out(store_, *release, copy);
      result.changed = true;
    }
    if (result.changed) note_change(store_, "restore", *release, "from the archive", result.warnings);
    return result;
  }

 private:
  void unpack(const fs::path& archived, const RestoreResult& result) const {
    const Manifest manifest = read_release_manifest(archived, result.line, result.version);
    for (const FlatLink& link : version_links(store_, manifest)) check_flat_link(link);
    const core::TempDir staging(store_.root() / ".staging", "restore");
    const fs::path fresh = staging / "release";
    if (::mkdir(fresh.c_str(), 0755) != 0) throw core::system_error(errno, "cannot create", fresh.native());
    const std::vector<std::string> small = signed_files(archived);
    for (const std::string& file : small) copy_sealed(archived / file, fresh / file);
    for (const ManifestDocument& row : manifest.documents) bring(archived, fresh, row.file, row.size);
    for (const ManifestArtifact& row : manifest.artifacts) {
      bring(archived, fresh, row.file, row.size);
      if (::symlink(row.file.c_str(), (fresh / plain_name(manifest, row)).c_str()) != 0)
        throw core::system_error(errno, "cannot link", (fresh / row.file).native());
    }
    compare_small(archived, fresh, small);
    check_signed(fresh);
    core::sync_directory(fresh);
    make_folder(store_.releases());
    make_folder(store_.line_directory(result.line));
    move_into_place(fresh, result.directory);
    name_version(store_, manifest);
  }

  void bring(const fs::path& archived, const fs::path& fresh, const std::string& file,
             std::uint64_t size) const {
    options_.change.cancel.check();
    const fs::path stored = stored_path(archived, file);
    if (!is_packed(stored, file)) return copy_sealed(stored, fresh / file);
    unpack_file(stored, fresh / file, size, options_.change.cancel);
    seal_file(fresh / file);
  }

  /// Everything that `verify` looks at but image formats; who signed counts only when it can be checked.
  void check_signed(const fs::path& fresh) const {
    VerifyOptions options;
    options.signature = options_.signature;
    const VerifyReport report = verify_release(fresh, options);
    const bool is_unsigned = report.unsigned_manifest.has_value();
    for (const CheckRow& row : report.rows) {
      const bool waived = row.check == "signature" && (is_unsigned || !options_.signature);
      if (row.ok || waived) continue;
      throw Error(row.kind.value_or(Kind::kIntegrity), "the archived " + row.subject + ": " + row.detail)
          .hint("imgforge verify --all says what else is damaged");
    }
  }

  const Store& store_;
  const RestoreOptions& options_;
};

}  // namespace

RestoreResult restore(const Store& store, const std::string& reference, const RestoreOptions& options) {
  return core::while_doing("restoring " + reference,
                           [&] { return Restoring(store, options).run(reference); });
}

}  // namespace imgforge::artifacts
