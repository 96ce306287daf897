#include "signing/keys/private_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <string>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::signing {

using core::Error;
using core::Kind;

namespace {

std::string octal(mode_t mode) {
  std::string text = "0000";
  for (std::size_t i = 4; i-- > 0; mode >>= 3) text[i] = static_cast<char>('0' + (mode & 7));
  return text;
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace

core::Fd open_private_file(const std::filesystem::path& path, std::string_view what) {
  const std::string name = std::string(what) + " " + core::escaped(path.native());
  core::Fd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd) {
    if (errno == ELOOP) {
      throw Error(Kind::kPermission, name + " is a symbolic link").hint("give the path of the file itself");
    }
    throw core::system_error(errno, "cannot open", name);
  }
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw core::system_error(errno, "cannot examine", name);
  if (!S_ISREG(status.st_mode)) throw Error(Kind::kIo, name + " is not a regular file");
  if (status.st_uid != ::geteuid()) {
    throw Error(Kind::kPermission,
                name + " belongs to user " + std::to_string(status.st_uid) + ", not to you")
        .hint("work as that user, or make a copy of your own");
  }
  if ((status.st_mode & 07777 & ~0600U) != 0) {
    throw Error(Kind::kPermission, name + " has mode " + octal(status.st_mode & 07777) + ", wider than 0600")
        .hint("chmod 600 " + core::escaped(path.native()));
  }
  return fd;
}

SecretBytes read_private_file(const std::filesystem::path& path, std::string_view what, std::size_t limit) {
  const core::Fd fd = open_private_file(path, what);
  SecretBytes content(limit + 1);
  std::size_t total = 0;
  while (total <= limit) {
    const std::size_t n =
        core::read_some(fd.get(), std::as_writable_bytes(content.bytes().subspan(total)), path.native());
    if (n == 0) break;
    total += n;
  }
  if (total > limit) {
    throw Error(Kind::kSignature, std::string(what) + " " + core::escaped(path.native()) +
                                      " is larger than " + std::to_string(limit) + " bytes");
  }
  content.truncate(total);
  return content;
}

void refuse_taken(const std::filesystem::path& path) {
  std::error_code error;
  const auto type = std::filesystem::symlink_status(path, error).type();
  if (error || type == std::filesystem::file_type::not_found) return;
  throw Error(Kind::kUsage, core::escaped(path.native()) + " exists already and is not overwritten")
      .hint("choose another name, or move that file away");
}

core::NewFile new_file(const std::filesystem::path& path, unsigned mode) {
  try {
    return core::NewFile(path, mode);
  } catch (const Error&) {
    refuse_taken(path);
    throw;
  }
}

void write_durably(core::NewFile& file, std::span<const std::uint8_t> content) {
  file.write(std::as_bytes(content));
  file.sync();
  file.close();
  core::sync_directory(folder_of(file.path()));
}

}  // namespace imgforge::signing
