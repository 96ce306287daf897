#include "artifacts/fsck/leftovers.hpp"

#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <optional>
#include <system_error>

#include "artifacts/store/flat_names.hpp"
#include "artifacts/store/journal.hpp"
#include "artifacts/store/pins.hpp"
#include "core/error.hpp"

namespace imgforge::artifacts {
namespace {

namespace fs = std::filesystem;

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/// The process in a name that ends in ".<process>.<digits of random>"; 0 for any other name.
pid_t process_in(std::string_view name, std::size_t random) {
  if (name.size() < random + 4) return 0;
  const std::string_view tail = name.substr(name.size() - random);
  if (!std::all_of(tail.begin(), tail.end(), is_hex) || name[name.size() - random - 1] != '.') return 0;
  const std::string_view rest = name.substr(0, name.size() - random - 1);
  const std::size_t dot = rest.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return 0;
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(rest.data() + dot + 1, rest.data() + rest.size(), pid);
  return error == std::errc() && end == rest.data() + rest.size() && pid > 0 ? pid : 0;
}

bool is_alive(pid_t pid) {
  return ::kill(pid, 0) == 0 || errno != ESRCH;
}

std::uint64_t stored_below(const fs::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return 0;
  auto sum = static_cast<std::uint64_t>(status.st_blocks) * 512;
  if (!S_ISDIR(status.st_mode)) return sum;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(path, error)) {
    if (::lstat(entry.path().c_str(), &status) == 0)
      sum += static_cast<std::uint64_t>(status.st_blocks) * 512;
  }
  return sum;
}

/// Under the lock no temporary name is in use but those of processes that write without it.
std::vector<fs::path> temporary_names(const Store& store) {
  std::vector<fs::path> folders{store.root(), store.root() / kPinsFolder};
  for (const std::string& folder : flat_folders()) folders.push_back(store.root() / folder);
  for (const std::string& line : store.lines()) folders.push_back(store.line_directory(line));
  std::vector<fs::path> found;
  for (const fs::path& folder : folders) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      const std::string name = entry.path().filename().native();
      std::error_code ignored;
      const auto type = entry.symlink_status(ignored).type();
      const bool plain = type == fs::file_type::regular || type == fs::file_type::symlink;
      if (plain && is_temporary_name(name) && (folder != store.root() || !is_alive(process_in(name, 8))))
        found.push_back(entry.path());
    }
  }
  return found;
}

/// Staging folders of dead processes; of unknown names none.
std::vector<fs::path> dead_staging(const Store& store) {
  std::vector<fs::path> found;
  for (const char* folder : {".staging", "archive/.staging"}) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(store.root() / folder, error)) {
      const pid_t pid = process_in(entry.path().filename().native(), 12);
      if (pid != 0 && !is_alive(pid)) found.push_back(entry.path());
    }
  }
  return found;
}

std::vector<fs::path> earlier_folders(const Store& store) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(store.root(), error)) {
    std::error_code ignored;
    const bool folder = entry.symlink_status(ignored).type() == fs::file_type::directory;
    if (folder && entry.path().filename().native().find("-build-") != std::string::npos)
      found.push_back(entry.path());
  }
  return found;
}

}  // namespace

bool is_temporary_name(std::string_view name) {
  return name.starts_with('.') && process_in(name, 8) != 0;
}

CleanResult clean(const Store& store, const CleanOptions& options) {
  std::optional<StoreLock> lock;  // looking needs none
  if (!options.dry_run) lock.emplace(store.root(), options.change.lock_timeout, options.change.cancel);
  std::vector<fs::path> paths = temporary_names(store);
  for (fs::path& path : dead_staging(store)) paths.push_back(std::move(path));
  if (options.earlier_tools) {
    for (fs::path& path : earlier_folders(store)) paths.push_back(std::move(path));
  }
  std::sort(paths.begin(), paths.end());
  CleanResult result;
  for (const fs::path& path : paths) {
    options.change.cancel.check();
    const Leftover leftover{path, stored_below(path)};
    std::error_code error;
    if (!options.dry_run) fs::remove_all(path, error);
    if (error) {
      result.warnings.push_back("cannot remove " + path.native() + ": " + error.message());
    } else {
      result.removed.push_back(leftover);
    }
  }
  if (!options.dry_run && !result.removed.empty()) {
    JournalEntry entry;
    entry.command = "clean";
    entry.outcome = "done";
    entry.detail = std::to_string(result.removed.size()) + " leftovers removed";
    if (std::string warning = append_journal(store.root(), std::move(entry)); !warning.empty())
      result.warnings.push_back(std::move(warning));
  }
  return result;
}

}  // namespace imgforge::artifacts
