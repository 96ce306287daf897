#include "artifacts/store/store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>
#include <thread>

#include "artifacts/manifest/formats.hpp"
#include "artifacts/store/flat_names.hpp"
#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;

constexpr std::string_view kFormatFile = ".imgforge-store";
constexpr std::string_view kFormatName = "imgforge-store ";
constexpr unsigned kFormatVersion = 1;

/// Nothing when there is no format file.
std::optional<unsigned> format_of(const std::filesystem::path& root) {
  const std::filesystem::path path = root / kFormatFile;
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::symlink_status(path, error))) return std::nullopt;
  const std::string text = core::read_text_file(path, 256);
  const std::string_view trimmed = core::trimmed(text);
  unsigned format = 0;
  if (trimmed.starts_with(kFormatName)) {
    std::from_chars(trimmed.data() + kFormatName.size(), trimmed.data() + trimmed.size(), format);
  }
  if (format == 0)
    throw Error(Kind::kStore, path.native() + " is damaged").hint("it should say: imgforge-store 1");
  return format;
}

void check_format(const std::filesystem::path& root, unsigned format) {
  if (format <= kFormatVersion) return;
  throw Error(Kind::kStore, root.native() + " is a store of format " + std::to_string(format) +
                                "; this imgforge knows format " + std::to_string(kFormatVersion))
      .hint("use a newer imgforge or another --output-dir");
}

std::string holder_of(int fd) {
  std::array<char, 32> text{};
  const ssize_t n = ::pread(fd, text.data(), text.size(), 0);
  const std::string_view digits =
      core::trimmed(std::string_view(text.data(), n > 0 ? static_cast<std::size_t>(n) : 0));
  const bool valid = !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos;
  return valid ? " (process " + std::string(digits) + ")" : std::string();
}

bool same_file(int fd, const std::filesystem::path& path) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(fd, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

void require_own(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::is_symlink(std::filesystem::symlink_status(folder, error))) return;
  throw Error(Kind::kStore,
              folder.native() + " is a symbolic link, but a store holds its releases and their names itself")
      .hint(
          "move what it leads to in its place, or keep the whole store elsewhere: --output-dir may be a "
          "link");
}

/// Half of what is done in a store would not follow a link, or not be one step.
void require_own_folders(const std::filesystem::path& root) {
  const std::filesystem::path releases = root / "releases";
  require_own(releases);
  for (const std::string& folder : flat_folders()) require_own(root / folder);
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(releases, error)) {
    if (!is_file_name(entry.path().filename().native()) || !entry.is_symlink(error)) continue;
    if (entry.is_directory(error) || !entry.exists(error)) require_own(entry.path());
  }
}

}  // namespace

StoreLock::StoreLock(const std::filesystem::path& root, std::chrono::milliseconds timeout,
                     const core::CancelToken& cancel) {
  const std::filesystem::path path = root / ".lock";
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    fd_ = core::open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0644);
    while (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK && errno != EINTR) {
        throw Error(Kind::kLocked,
                    "cannot lock " + path.native() + ": " + std::system_category().message(errno))
            .hint("put the output directory on a file system with working locks");
      }
      cancel.check();
      if (std::chrono::steady_clock::now() >= deadline) {
        throw Error(Kind::kLocked,
                    "another imgforge" + holder_of(fd_.get()) + " is changing " + root.native())
            .hint("wait until it has finished");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    // Somebody may have replaced the file between open and flock; the lock counts only on the named one.
    if (same_file(fd_.get(), path)) break;
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd_.get(), 0) != 0 || ::pwrite(fd_.get(), pid.data(), pid.size(), 0) < 0) {
    throw core::system_error(errno, "cannot write", path.native());
  }
}

Store Store::open(const std::filesystem::path& root) {
  std::error_code error;
  if (!std::filesystem::is_directory(root, error)) {
    throw Error(Kind::kStore, root.native() + " is not a directory").hint("build something first");
  }
  const std::optional<unsigned> format = format_of(root);
  if (!format) {
    throw Error(Kind::kStore, root.native() + " is not an imgforge output directory (no .imgforge-store)");
  }
  check_format(root, *format);
  require_own_folders(root);
  return Store(root);
}

Store Store::create(const std::filesystem::path& root) {
  std::error_code error;
  std::filesystem::create_directories(root, error);
  if (error && !std::filesystem::is_directory(root)) {
    throw core::system_error(error.value(), "cannot create", root.native());
  }
  if (const std::optional<unsigned> format = format_of(root)) {
    check_format(root, *format);
    require_own_folders(root);
  } else {
    core::write_file_atomically(root / kFormatFile,
                                std::string(kFormatName) + std::to_string(kFormatVersion) + "\n");
  }
  return Store(root);
}

std::filesystem::path Store::release_directory(std::string_view line, const Version& version) const {
  return line_directory(line) / version.to_string();
}

std::string Store::flat_folder(std::string_view format) {
  if (const Format* known = find_format(format)) return std::string(known->folder);
  throw Error(Kind::kStore, "no folder for artifacts of the format " + core::escaped(format));
}

std::vector<std::string> Store::lines() const {
  std::vector<std::string> result;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(releases(), error)) {
    const std::string name = entry.path().filename().native();
    if (!is_file_name(name)) continue;
    if (entry.symlink_status().type() == std::filesystem::file_type::directory) result.push_back(name);
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw core::system_error(error.value(), "cannot list", releases().native());
  }
  std::sort(result.begin(), result.end());
  return result;
}

std::vector<Version> Store::versions(std::string_view line) const {
  std::vector<Version> result;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(line_directory(line), error)) {
    const std::optional<Version> version = Version::parse(entry.path().filename().native());
    if (!version) continue;
    if (entry.symlink_status().type() != std::filesystem::file_type::directory) {
      throw Error(Kind::kStore, entry.path().native() + " has the name of a release but is not a directory");
    }
    result.push_back(*version);
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw core::system_error(error.value(), "cannot list", line_directory(line).native());
  }
  std::sort(result.begin(), result.end());
  return result;
}

std::optional<Version> Store::current(std::string_view line) const {
  const std::filesystem::path link = line_directory(line) / "current";
  const auto refuse = [&](const std::string& why) {
    return Error(Kind::kStore, link.native() + " " + why)
        .hint(
            "look at what is there, then remove the link by hand; `promote` or the next build makes it "
            "again");
  };
  std::error_code error;
  const auto type = std::filesystem::symlink_status(link, error).type();
  if (type == std::filesystem::file_type::not_found) return std::nullopt;
  if (error) throw core::system_error(error.value(), "cannot examine", link.native());
  if (type != std::filesystem::file_type::symlink) throw refuse("is not a symbolic link");
  const std::string target = std::filesystem::read_symlink(link).native();
  const std::optional<Version> version = Version::parse(target);
  if (!version) throw refuse("points to \"" + core::escaped(target, 200) + "\", not to a release beside it");
  const auto release = std::filesystem::symlink_status(release_directory(line, *version), error).type();
  if (release != std::filesystem::file_type::directory)
    throw refuse("points to " + target + ", which is missing");
  return version;
}

}  // namespace imgforge::artifacts
