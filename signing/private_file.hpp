// Files that hold secrets: read only when nobody else can have read or replaced them, created so that nobody
// ever could. The checks are made on the open descriptor, never on the name.
#pragma once

#include <filesystem>
#include <span>
#include <string_view>

#include "core/fd.hpp"
#include "signing/secret_bytes.hpp"

namespace imgforge::signing {

/// Opens a regular file that belongs to the caller and has no permission beyond 0600; `what` names it in
/// messages. Throws kPermission (wider mode, other owner, symbolic link; the hint is the command that mends
/// it) or kIo.
core::Fd open_private_file(const std::filesystem::path& path, std::string_view what);
/// Its whole content; more than `limit` bytes is kSignature.
SecretBytes read_private_file(const std::filesystem::path& path, std::string_view what, std::size_t limit);

/// A file that is new (O_EXCL, no link is followed) and removed again by the destructor unless `keep` was
/// called. Throws kUsage when the name is taken.
class NewFile {
 public:
  NewFile(std::filesystem::path path, unsigned mode);
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  /// Writes the whole content, once, and makes it and the name durable.
  void write(std::span<const std::uint8_t> content);
  void keep() noexcept { kept_ = true; }

 private:
  std::filesystem::path path_;
  core::Fd fd_;
  bool kept_ = false;
};

}  // namespace imgforge::signing
