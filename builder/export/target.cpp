#include "builder/export/target.hpp"

#include <fcntl.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::exports {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::string_view kFirstLine = "imgforge-export 1";
constexpr std::uint64_t kMaxMarker = 64 << 20;

std::set<std::string> read_marker(const fs::path& marker) {
  const std::vector<std::string> lines = core::split(core::read_text_file(marker, kMaxMarker), '\n');
  if (lines.empty() || lines.front() != kFirstLine) {
    throw Error(Kind::kStore, marker.native() + " is not of a form that this program knows");
  }
  return {lines.begin() + 1, lines.end()};
}

}  // namespace

std::string print_marker(const std::set<std::string>& files) {
  std::string text = std::string(kFirstLine) + "\n";
  for (const std::string& file : files) text += file + "\n";
  return text;
}

void check_target(const fs::path& target) {
  std::error_code error;
  const fs::file_type type = fs::symlink_status(target, error).type();
  if (type == fs::file_type::not_found) return;
  if (type != fs::file_type::directory) throw Error(Kind::kStore, target.native() + " is not a folder");
  if (fs::is_empty(target)) return;
  const fs::path marker = target / kMarkerFile;
  if (fs::symlink_status(marker, error).type() != fs::file_type::regular) {
    throw Error(Kind::kStore, target.native() + " holds files that no export made")
        .hint("export to a folder that is empty or does not exist");
  }
  const std::set<std::string> ours = read_marker(marker);
  for (const auto& entry : fs::recursive_directory_iterator(target)) {
    if (entry.is_directory() && !entry.is_symlink()) continue;
    const std::string name = entry.path().lexically_relative(target).native();
    if (name != kMarkerFile && !ours.contains(name)) {
      throw Error(Kind::kStore,
                  core::escaped(entry.path().native()) + " was not made by an export, and would be lost")
          .hint("move it elsewhere");
    }
  }
}

void swap_into_place(const fs::path& tree, const fs::path& target) {
  std::error_code error;
  const bool is_new = fs::symlink_status(target, error).type() == fs::file_type::not_found;
  const unsigned flags = is_new ? RENAME_NOREPLACE : RENAME_EXCHANGE;
  if (::renameat2(AT_FDCWD, tree.c_str(), AT_FDCWD, target.c_str(), flags) != 0) {
    const int number = errno;
    Error fault = core::system_error(number, "cannot put the export at", target.native());
    if (number == EINVAL) fault.hint("the file system cannot exchange two folders: export to another one");
    if (number == EBUSY) fault.hint("a mount point cannot be exchanged: export to a folder below it");
    throw fault;
  }
  core::sync_directory(target.parent_path());
  core::sync_directory(tree.parent_path());
}

}  // namespace imgforge::exports
