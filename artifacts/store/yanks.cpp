#include "artifacts/store/yanks.hpp"

#include "artifacts/manifest/version.hpp"
#include "artifacts/store/journal.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;

std::vector<std::string> note(const Store& store, const char* command, std::string_view line,
                              const Version& version, std::string_view reason) {
  JournalEntry entry;
  entry.command = command;
  entry.line = line;
  entry.version = version.to_string();
  entry.outcome = "done";
  entry.detail = reason;
  std::string warning = append_journal(store.root(), std::move(entry));
  return warning.empty() ? std::vector<std::string>{} : std::vector{std::move(warning)};
}

}  // namespace

std::vector<std::string> yank(const Store& store, std::string_view line, const Version& version,
                              std::string_view reason, const ChangeOptions& options) {
  const StoreLock lock(store.root(), options.lock_timeout, options.cancel);
  const std::string reference = std::string(line) + "@" + version.to_string();
  if (reason.empty())
    throw Error(Kind::kUsage, "say why " + reference + " is withdrawn").hint("--reason TEXT");
  if (!is_file_name(line) || !std::filesystem::is_directory(store.release_directory(line, version)))
    throw Error(Kind::kStore, reference + " is not a release of " + store.root().native());
  write_pin(store.root(), reference,
            {user_name(), core::iso_time(core::system_clock().now()), std::string(reason), ""},
            kYankedFolder);
  return note(store, "yank", line, version, reason);
}

bool unyank(const Store& store, std::string_view line, const Version& version,
            std::vector<std::string>& warnings, const ChangeOptions& options) {
  const StoreLock lock(store.root(), options.lock_timeout, options.cancel);
  const std::string reference = std::string(line) + "@" + version.to_string();
  if (!is_file_name(line) || !remove_pin(store.root(), reference, kYankedFolder)) return false;
  warnings = note(store, "unyank", line, version, "");
  return true;
}

void refuse_yanked(const std::filesystem::path& root, const std::string& reference) {
  const auto yanked = read_pins(root, kYankedFolder);
  const auto found = yanked.find(reference);
  if (found == yanked.end()) return;
  throw Error(
      Kind::kIntegrity,
      reference + " was withdrawn: " +
          core::escaped(found->second.problem.empty() ? found->second.reason : found->second.problem, 300))
      .hint("take another release; imgforge unyank " + reference + " if it is good after all")
      .reason(core::Reason::kYanked);
}

}  // namespace imgforge::artifacts
