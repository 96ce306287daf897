// Changes that move no data: `current` turned forwards and backwards, pins set and taken away.
#include <algorithm>
#include <system_error>

#include "artifacts/check/release_check.hpp"
#include "artifacts/check/verify.hpp"
#include "artifacts/store/flat_names.hpp"
#include "artifacts/store/inventory.hpp"
#include "artifacts/store/journal.hpp"
#include "artifacts/store/pins.hpp"
#include "artifacts/store/store.hpp"
#include "artifacts/store/yanks.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

/// Notes a change; what comes back has to be warned of.
std::vector<std::string> note(const Store& store, const char* command, std::string_view line,
                              const std::string& version, std::string detail) {
  JournalEntry entry;
  entry.command = command;
  entry.line = line;
  entry.version = version;
  entry.outcome = "done";
  entry.detail = std::move(detail);
  std::string warning = append_journal(store.root(), std::move(entry));
  return warning.empty() ? std::vector<std::string>{} : std::vector{std::move(warning)};
}

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::symlink_status(path, error).type() == fs::file_type::directory;
}

/// The manifest of a release that somebody vouches for and whose files are all as it says.
Manifest intact_release(const Store& store, std::string_view line, const Version& version,
                        const SignatureCheck& signature) {
  const fs::path directory = store.release_directory(line, version);
  if (!is_file_name(line) || !is_folder(directory)) {
    throw Error(Kind::kStore, directory.native() + " is not a release")
        .hint("imgforge list " + std::string(line));
  }
  refuse_yanked(store.root(), std::string(line) + "@" + version.to_string());
  const Manifest manifest = trusted_manifest(directory, signature);
  if (manifest.line() != line || manifest.version != version.to_string()) {
    throw Error(Kind::kIntegrity, directory.native() + " holds the manifest of " + manifest.stem());
  }
  if (manifest.is_draft) {
    throw Error(Kind::kUsage,
                manifest.line() + " " + manifest.version + " is a draft and does not become current")
        .hint("build it without --draft");
  }
  for (const CheckRow& row : check_files(directory, manifest)) {
    if (row.ok) continue;
    throw Error(row.kind.value_or(Kind::kIntegrity), (directory / row.subject).native() + ": " + row.detail)
        .hint("a damaged release does not become current; imgforge repair says whether it can be mended");
  }
  return manifest;
}

/// Under the lock: all checks, then one rename.
Turn turn(const Store& store, const char* command, std::string_view line, const Version& version,
          const SignatureCheck& signature) {
  Turn result{std::string(line), "", version.to_string(), false, {}};
  if (const auto before = store.current(line)) result.from = before->to_string();
  const Manifest manifest = intact_release(store, line, version, signature);
  for (const FlatLink& link : flat_links(store, manifest)) check_flat_link(link);
  remove_leftover_links(store, result.line);
  result.changed = point_at(store, manifest);
  if (result.changed) {
    result.warnings =
        note(store, command, line, result.to, (result.from.empty() ? "" : result.from + " -> ") + result.to);
  }
  return result;
}

/// What was current before the current one, going by the times of the builds.
Version before_current(const Store& store, const std::string& name) {
  const Inventory inventory = read_inventory(store, {name});
  const InventoryLine* line = inventory.find(name);
  const auto refuse = [&](const std::string& why) { return Error(Kind::kUsage, name + " " + why); };
  if (line == nullptr || line->releases.empty()) throw refuse("has no releases");
  if (!line->current)
    throw refuse("has no current release to go back from").hint("name one with --to VERSION");
  const auto current = std::find_if(line->releases.begin(), line->releases.end(),
                                    [](const auto& row) { return row.state == ReleaseState::kCurrent; });
  // What was converted from another release is gone back to only from its like: it rarely was current.
  const auto derived = [](const InventoryRelease& row) { return row.manifest && row.manifest->derived_from; };
  const auto draft = [](const InventoryRelease& row) { return row.manifest && row.manifest->is_draft; };
  const auto older = std::find_if(current, line->releases.end(), [&](const auto& row) {
    return row.state == ReleaseState::kOld && !draft(row) && (derived(*current) || !derived(row));
  });
  if (older == line->releases.end()) {
    throw refuse("has no release before " + *line->current).hint("imgforge list " + name);
  }
  return *Version::parse(older->version);
}

/// True when the release is there, in place or archived.
bool is_release(const Store& store, const std::string& line, const Version& version) {
  if (!is_file_name(line)) return false;
  if (is_folder(store.release_directory(line, version))) return true;
  std::error_code error;
  for (const auto& month : fs::directory_iterator(store.root() / "archive", error)) {
    if (is_folder(month.path() / (line + "-" + version.to_string()))) return true;
  }
  return false;
}

}  // namespace

Turn Store::promote(std::string_view line, const Version& version, const ChangeOptions& options) {
  const StoreLock lock(root_, options.lock_timeout, options.cancel);
  return turn(*this, "promote", line, version, options.signature);
}

Turn Store::rollback(std::string_view line, const std::optional<Version>& version,
                     const ChangeOptions& options) {
  const StoreLock lock(root_, options.lock_timeout, options.cancel);
  return turn(*this, "rollback", line, version ? *version : before_current(*this, std::string(line)),
              options.signature);
}

std::vector<std::string> Store::pin(std::string_view line, const Version& version, std::string_view reason,
                                    const ChangeOptions& options) {
  const StoreLock lock(root_, options.lock_timeout, options.cancel);
  const std::string name(line);
  if (!is_release(*this, name, version)) {
    throw Error(Kind::kStore, name + "@" + version.to_string() + " is not a release of " + root_.native());
  }
  const std::string reference = name + "@" + version.to_string();
  const auto pins = read_pins(root_);
  const auto before = pins.find(reference);
  if (before != pins.end() && before->second.problem.empty() && before->second.reason == reason) return {};
  write_pin(root_, reference,
            {user_name(), core::iso_time(core::system_clock().now()), std::string(reason), ""});
  return note(*this, "pin", line, version.to_string(), std::string(reason));
}

bool Store::unpin(std::string_view line, const Version& version, std::vector<std::string>& warnings,
                  const ChangeOptions& options) {
  const StoreLock lock(root_, options.lock_timeout, options.cancel);
  const std::string reference = std::string(line) + "@" + version.to_string();
  if (!is_file_name(line) || !remove_pin(root_, reference)) return false;
  warnings = note(*this, "unpin", line, version.to_string(), "");
  return true;
}

}  // namespace imgforge::artifacts
