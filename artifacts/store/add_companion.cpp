#include "artifacts/store/add_companion.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "artifacts/manifest/companions.hpp"
#include "artifacts/store/journal.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/new_file.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

/// True when the same text is there; false when nothing is.
bool is_there(const fs::path& target, std::string_view text) {
  std::error_code error;
  const auto type = fs::symlink_status(target, error).type();
  if (type == fs::file_type::not_found) return false;
  if (type == fs::file_type::regular && core::read_text_file(target, text.size() + 1) == text) return true;
  throw Error(Kind::kStore, target.native() + " is there already and says something else")
      .hint("imgforge verify tells whether it is good; remove it to put another one there");
}

}  // namespace

fs::path add_companion(const Store& store, const ReleaseLocation& release, const std::string& name,
                       std::string_view text, const std::string& command, const ChangeOptions& options) {
  if (!is_companion(name)) throw Error(Kind::kInternal, name + " does not belong beside a manifest");
  const fs::path target = release.directory / name;
  const StoreLock lock(store.root(), options.lock_timeout, options.cancel);
  if (is_there(target, text)) return target;
  core::TempDir::reclaim(store.root() / ".staging");
  const core::TempDir staging(store.root() / ".staging", "companion");
  {
    core::NewFile file(staging / "file");
    file.write(text);
    file.set_mode(0444);
    file.commit(core::Sync::kYes);
  }
  if (::renameat2(AT_FDCWD, (staging / "file").c_str(), AT_FDCWD, target.c_str(), RENAME_NOREPLACE) != 0)
    throw core::system_error(errno, "cannot move a file to", target.native());
  core::sync_directory(release.directory);
  JournalEntry entry;
  entry.command = command;
  entry.line = release.line;
  entry.version = release.version;
  entry.outcome = "done";
  entry.detail = name;
  // What is there is there; that the journal lacks a line does not undo it.
  [[maybe_unused]] const std::string warning = append_journal(store.root(), std::move(entry));
  return target;
}

}  // namespace imgforge::artifacts
