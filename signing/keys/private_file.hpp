// Files that hold secrets: read only when nobody else can have read or replaced them, created so that nobody
// ever could. The checks are made on the open descriptor, never on the name.
#pragma once

#include <filesystem>
#include <span>
#include <string_view>

#include "core/fd.hpp"
#include "core/new_file.hpp"
#include "signing/primitives/secret_bytes.hpp"

namespace imgforge::signing {

/// Opens a regular file that belongs to the caller and has no permission beyond 0600; `what` names it in
/// messages. Throws kPermission (wider mode, other owner, symbolic link; the hint is the command that mends
/// it) or kIo.
core::Fd open_private_file(const std::filesystem::path& path, std::string_view what);
/// Its whole content; more than `limit` bytes is kSignature.
SecretBytes read_private_file(const std::filesystem::path& path, std::string_view what, std::size_t limit);

/// Throws kUsage when something has this name already.
void refuse_taken(const std::filesystem::path& path);
/// A file that is new; kUsage when the name is taken.
core::NewFile new_file(const std::filesystem::path& path, unsigned mode);
/// Writes the whole content, once, and makes it and the name durable. The file still has to be kept.
void write_durably(core::NewFile& file, std::span<const std::uint8_t> content);

}  // namespace imgforge::signing
