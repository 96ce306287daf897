// What a root file system consists of, file by file: the document `files.json.zst` of a release. The format
// is told in README.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "artifacts/tar/tar.hpp"
#include "builder/image/fs/root_tree.hpp"
#include "core/cancel.hpp"
#include "core/digest.hpp"

namespace imgforge::content {

inline constexpr std::string_view kFileListFile = "files.json.zst";

/// Types as the document says them.
inline constexpr std::string_view kRegular = "file";
inline constexpr std::string_view kDirectory = "directory";
inline constexpr std::string_view kSymlink = "symlink";
inline constexpr std::string_view kCharDevice = "character-device";
inline constexpr std::string_view kBlockDevice = "block-device";
inline constexpr std::string_view kFifo = "fifo";
inline constexpr std::string_view kSocket = "socket";

struct FileRow {
  std::string_view type;  ///< one of the words above
  std::uint32_t mode =
      0;  ///< permissions with setuid, setgid and sticky; 0 of symbolic links, which have none
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t size = 0;  ///< bytes of content of a regular file
  std::string target;      ///< of a symbolic link
  std::uint32_t device_major = 0;
  std::uint32_t device_minor = 0;
  core::Digest sha256;      ///< of the content of a regular file
  core::Digest attributes;  ///< of the extended attributes; empty: there are none
};

/// By path; the root directory is ".".
using FileList = std::map<std::string, FileRow>;

/// One digest for all extended attributes of a file: sha256 over `name NUL size NUL value` of each, sorted by
/// name, the size in decimal. Empty for none.
core::Digest digest_of_attributes(const std::map<std::string, std::string>& attributes);
/// All that a member of a tar says of itself; not its content. Of a hard link nothing.
FileRow row_of(const artifacts::TarEntry& entry);

/// Reads the whole root file system. Hard links are listed as the files that they are.
FileList list_root(const image::RootTree& tree, const core::CancelToken& cancel);

/// Writes the document; equal lists give equal bytes. `target` must not exist.
void write_file_list(const FileList& list, const std::filesystem::path& target,
                     const std::filesystem::path& work, const core::CancelToken& cancel);
/// Reads the document from a descriptor, which is not owned. Throws kIntegrity for anything that
/// write_file_list does not write.
FileList read_file_list(int fd, const std::string& name);

}  // namespace imgforge::content
