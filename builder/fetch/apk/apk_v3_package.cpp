#include "builder/fetch/apk/apk_v3_package.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "builder/fetch/adb/adb_blocks.hpp"
#include "builder/fetch/adb/adb_values.hpp"
#include "builder/fetch/adb/adb_words.hpp"
#include "builder/fetch/apk/apk_identity.hpp"
#include "builder/fetch/apk/apk_v3_files.hpp"
#include "builder/fetch/apk/apk_v3_info.hpp"
#include "builder/fetch/apk/gzip_members.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

using core::HashAlgorithm;
using core::Kind;

constexpr std::uint64_t kUnpackedLimit = std::uint64_t{9} << 30;
constexpr std::uint64_t kDatabaseLimit = std::uint64_t{64} << 20;
constexpr std::size_t kContentHead = 8;  ///< numbers of folder and file, before a content

/// Slots of the package.
constexpr std::uint32_t kInfo = 1;
constexpr std::uint32_t kPaths = 2;

core::Error refused(Kind kind, const IndexEntry& entry, const std::string& why) {
  return core::Error(kind, entry.full_name() + ": " + why);
}

core::Digest shortened(const core::Digest& sha256) {
  std::vector<std::uint8_t> bytes = sha256.bytes();
  bytes.resize(core::hash_size(HashAlgorithm::kSha1));
  return {HashAlgorithm::kSha1, std::move(bytes)};
}

/// The id of 20 bytes that the database gives itself, when it is the right one.
std::optional<core::Digest> own_id(std::string_view database, const AdbObject& info) {
  const std::string_view id = info.blob(kV3InfoIdentity);
  if (id.size() != core::hash_size(HashAlgorithm::kSha1)) return std::nullopt;
  const std::size_t at = info.blob_offset(kV3InfoIdentity);
  core::Hasher hasher(HashAlgorithm::kSha256);
  hasher.update(database.substr(0, at));
  hasher.update(std::string(id.size(), '\0'));
  hasher.update(database.substr(at + id.size()));
  const core::Digest made = shortened(hasher.finish());
  return made == identity_of_bytes(id) ? std::optional(made) : std::nullopt;
}

void check_identity(std::string_view database, const AdbObject& info, const IndexEntry& entry) {
  const core::Digest sha256 = core::digest_of(HashAlgorithm::kSha256, database);
  if (entry.identity == sha256) return;
  const bool is_short = entry.identity.algorithm() == HashAlgorithm::kSha1;
  if (is_short && (entry.identity == shortened(sha256) || entry.identity == own_id(database, info))) return;
  throw refused(Kind::kIntegrity, entry,
                fmt::format("identity mismatch: the index means {}, this is {}",
                            identity_text(entry.identity), identity_text(sha256)));
}

void check_info(const AdbObject& object, const IndexEntry& entry) {
  const IndexEntry info = read_v3_info(object, entry.full_name());
  const bool same = info.name == entry.name && info.version == entry.version &&
                    (info.arch == entry.arch || info.arch == "noarch");
  if (!same) {
    throw refused(Kind::kPackage, entry, fmt::format("it says to be {} for {}", info.full_name(), info.arch));
  }
}

/// Content of the file, read once, by `see` or behind its back.
class Content {
 public:
  Content(AdbBlocks& blocks, const V3Files::File& file, const IndexEntry& entry)
      : blocks_(blocks), file_(file), entry_(entry), hasher_(file.digest.algorithm()) {}

  std::string read(std::uint64_t limit) {
    if (file_.entry.size > limit)
      throw refused(Kind::kUnsafe, entry_, fmt::format("{}: larger than {} bytes", file_.entry.path, limit));
    std::string text;
    if (file_.entry.size > 0) text = blocks_.read_all(limit, "a file");
    hasher_.update(text);
    check();
    return text;
  }
  /// The rest, and the check, unless that was done.
  void finish() {
    if (checked_) return;
    std::vector<std::byte> buffer(std::min<std::uint64_t>(file_.entry.size, 1 << 18));
    while (file_.entry.size > 0 && blocks_.left() > 0)
      hasher_.update(std::span(buffer).first(blocks_.read(buffer)));
    check();
  }

 private:
  void check() {
    checked_ = true;
    const core::Digest got = hasher_.finish();
    if (got == file_.digest) return;
    throw refused(Kind::kIntegrity, entry_,
                  fmt::format("{}: expected {}, got {}", core::escaped(file_.entry.path, 200),
                              file_.digest.to_string(), got.to_string()));
  }

  AdbBlocks& blocks_;
  const V3Files::File& file_;
  const IndexEntry& entry_;
  core::Hasher hasher_;
  bool checked_ = false;
};

/// The block with the file's content must be the next one.
void go_to_content(AdbBlocks& blocks, std::optional<AdbBlock>& block, const V3Files::File& file,
                   const IndexEntry& entry) {
  const auto fail = [&](const std::string& why) {
    throw refused(Kind::kPackage, entry, core::escaped(file.entry.path, 200) + ": " + why);
  };
  if (!block) fail("its content is missing");
  std::array<std::byte, kContentHead> head{};
  if (blocks.read(head) != head.size()) fail("a content without its head");
  const std::string_view numbers(reinterpret_cast<const char*>(head.data()), head.size());
  if (little_endian_32(numbers, 0) != file.folder || little_endian_32(numbers, 4) != file.number)
    fail("the content of another file is in its place");
  if (blocks.left() != file.entry.size)
    fail(fmt::format("its content has {} bytes, not {}", blocks.left(), file.entry.size));
}

void read_files(AdbBlocks& blocks, std::optional<AdbBlock> block, const AdbObject& paths,
                const IndexEntry& entry, const PackageVisitor& see) {
  V3Files files(paths, entry.full_name());
  V3Files::File file;
  while (files.next(file)) {
    if (file.entry.type != artifacts::EntryType::kFile) {
      if (see) see(file.entry, [](std::uint64_t) { return std::string(); });
      continue;
    }
    const bool has_content = file.entry.size > 0;
    if (has_content) go_to_content(blocks, block, file, entry);
    Content content(blocks, file, entry);
    if (see) see(file.entry, [&](std::uint64_t limit) { return content.read(limit); });
    content.finish();
    if (has_content) block = blocks.next();
  }
  if (block) throw refused(Kind::kPackage, entry, "contents of more files than it names");
}

}  // namespace

core::Digest v3_database_digest(int fd, const std::string& name) {
  AdbStream stream(gzip_source(fd, name), name, kUnpackedLimit);
  AdbBlocks blocks(stream, AdbSchema::kPackage);
  blocks.next();
  return core::digest_of(HashAlgorithm::kSha256, blocks.read_all(kDatabaseLimit, "a database"));
}

void read_v3_package(int fd, const IndexEntry& entry, const PackageVisitor& see) {
  const std::string name = entry.full_name();
  AdbStream stream(gzip_source(fd, name), name, kUnpackedLimit);
  AdbBlocks blocks(stream, AdbSchema::kPackage);
  std::optional<AdbBlock> block = blocks.next();  // the database comes first
  const std::string database = blocks.read_all(kDatabaseLimit, "a database");
  const Adb adb(database, name);
  const AdbObject root = adb.root();
  check_identity(database, root.object(kInfo), entry);
  check_info(root.object(kInfo), entry);
  do {
    block = blocks.next();
  } while (block == AdbBlock::kSignature);
  read_files(blocks, block, root.object(kPaths), entry, see);
}

}  // namespace imgforge::fetch
