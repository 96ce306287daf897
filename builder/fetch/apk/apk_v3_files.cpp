#include "builder/fetch/apk/apk_v3_files.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <utility>

#include "artifacts/tar/tar_format.hpp"
#include "builder/fetch/adb/adb_words.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

using artifacts::EntryType;

constexpr std::uint64_t kMaxFiles = 500'000;
constexpr std::uint64_t kMaxBytes = std::uint64_t{8} << 30;
constexpr unsigned kMaxDepth = 128;
constexpr std::size_t kMaxLinkTarget = 4095;
constexpr std::uint64_t kPermissions = 07777;
constexpr std::uint64_t kLastTime = 253'402'300'799;  // the last second of the year 9999

/// Slots of a folder and of a file; both begin with name and access.
constexpr std::uint32_t kName = 1;
constexpr std::uint32_t kAccess = 2;
constexpr std::uint32_t kFolderFiles = 3;
constexpr std::uint32_t kFileSize = 3;
constexpr std::uint32_t kFileTime = 4;
constexpr std::uint32_t kFileDigest = 5;
constexpr std::uint32_t kFileTarget = 6;
constexpr std::uint32_t kAccessMode = 1;

core::Error refused(core::Kind kind, std::string_view what, const std::string& why) {
  return core::Error(kind, fmt::format("{}: {}", what, why));
}

std::uint32_t mode_of(const AdbObject& object) {
  return static_cast<std::uint32_t>(object.object(kAccess).number(kAccessMode) & kPermissions);
}

}  // namespace

V3Files::V3Files(const AdbObject& paths, std::string what)
    : paths_(paths), files_(paths.object(0)), what_(std::move(what)) {}

bool V3Files::next(File& file) {
  file = {};
  while (number_ == files_.size()) {
    if (folder_ == paths_.size()) return false;
    const AdbObject object = paths_.object(++folder_);
    files_ = object.object(kFolderFiles);
    number_ = 0;
    folder_name_ = object.blob(kName);
    if (folder_name_.empty()) continue;  // the root itself
    take_folder(file, object);
    return true;
  }
  ++number_;
  take_file(file);
  return true;
}

void V3Files::take_folder(File& file, const AdbObject& object) {
  file.folder = folder_;
  file.entry.type = EntryType::kDirectory;
  file.entry.mode = mode_of(object);
  try {
    file.entry.path = names_.resolve_parents(artifacts::clean_member_name(folder_name_, kMaxDepth));
    add(file);
  } catch (const core::Error& error) {
    throw refused(error.kind(), what_, core::escaped(folder_name_, 200) + ": " + error.message());
  }
}

void V3Files::take_file(File& file) {
  const AdbObject object = files_.object(number_);
  const std::string_view name = object.blob(kName);
  const std::string path = path_of(name);
  file.folder = folder_;
  file.number = number_;
  file.entry.mode = mode_of(object);
  file.entry.mtime = static_cast<std::int64_t>(std::min(object.number(kFileTime), kLastTime));
  try {
    if (name.empty() || name.find('/') != std::string_view::npos)
      throw core::Error(core::Kind::kPackage, "not the name of a file");
    file.entry.path = names_.resolve_parents(artifacts::clean_member_name(path, kMaxDepth));
    const std::string_view target = object.blob(kFileTarget);
    if (target.empty())
      take_content(file, object);
    else
      take_target(file, target);
    add(file);
  } catch (const core::Error& error) {
    throw refused(error.kind(), what_, core::escaped(path, 200) + ": " + error.message());
  }
}

void V3Files::take_content(File& file, const AdbObject& object) {
  file.entry.size = object.number(kFileSize);
  if (file.entry.size > kMaxBytes - bytes_)
    throw core::Error(core::Kind::kUnsafe, fmt::format("the contents exceed {} bytes", kMaxBytes));
  bytes_ += file.entry.size;
  const std::string_view digest = object.blob(kFileDigest);
  for (const auto algorithm : {core::HashAlgorithm::kSha256, core::HashAlgorithm::kSha512}) {
    if (digest.size() != core::hash_size(algorithm)) continue;
    file.digest = core::Digest(algorithm, {digest.begin(), digest.end()});
    return;
  }
  throw core::Error(core::Kind::kPackage,
                    fmt::format("a digest of {} bytes is neither SHA-256 nor SHA-512", digest.size()));
}

/// A target is the type's bits of the mode (2 bytes), and where the link leads.
void V3Files::take_target(File& file, std::string_view target) {
  if (target.size() < 2) throw core::Error(core::Kind::kPackage, "a target that is cut off");
  const std::uint64_t type = little_endian(target, 0, 2);
  target.remove_prefix(2);
  if (type == S_IFLNK) {
    if (target.empty() || target.size() > kMaxLinkTarget || target.find('\0') != std::string_view::npos)
      throw core::Error(core::Kind::kPackage, "symlink with an impossible target");
    file.entry.type = EntryType::kSymlink;
    file.entry.link_target = target;
  } else if (type == S_IFREG) {
    file.entry.type = EntryType::kHardlink;
    file.entry.link_target = names_.resolve_parents(artifacts::clean_member_name(target, kMaxDepth));
    if (!names_.is_file(file.entry.link_target))
      throw core::Error(core::Kind::kUnsafe, "hard link to \"" + core::escaped(target, 200) +
                                                 "\", which is no file stored before");
  } else if (type == S_IFBLK || type == S_IFCHR || type == S_IFIFO) {
    throw core::Error(core::Kind::kUnsafe, "device nodes and FIFOs are not allowed here");
  } else {
    throw core::Error(core::Kind::kPackage, "a file of unknown type");
  }
}

std::string V3Files::path_of(std::string_view name) const {
  return folder_name_.empty() ? std::string(name) : fmt::format("{}/{}", folder_name_, name);
}

void V3Files::add(const File& file) {
  if (++entries_ > kMaxFiles)
    throw core::Error(core::Kind::kUnsafe, fmt::format("more than {} files", kMaxFiles));
  names_.add(file.entry);
}

}  // namespace imgforge::fetch
