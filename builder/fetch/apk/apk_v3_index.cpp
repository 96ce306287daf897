#include "builder/fetch/apk/apk_v3_index.hpp"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "builder/fetch/adb/adb_blocks.hpp"
#include "builder/fetch/adb/adb_values.hpp"
#include "builder/fetch/apk/apk_v3_info.hpp"
#include "builder/fetch/apk/gzip_members.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

constexpr std::uint64_t kUnpackedLimit = std::uint64_t{96} << 20;
constexpr std::uint64_t kSignatureLimit = 64 << 10;
constexpr std::size_t kMaxSignatures = 64;

/// Slots of the index.
constexpr std::uint32_t kDescription = 1;
constexpr std::uint32_t kPackages = 2;
constexpr std::uint32_t kNamePattern = 3;

/// The patterns of a package's place that mean where it is looked for anyway.
bool is_usual_place(std::string_view pattern) {
  return pattern.empty() || pattern == "${arch}/${name}-${version}.apk";
}

core::Error refused(core::Kind kind, std::string_view what, const std::string& why) {
  return core::Error(kind, fmt::format("{}: {}", what, why));
}

}  // namespace

V3IndexParts split_v3_index(std::string_view bytes, std::string_view what) {
  AdbStream stream(gzip_source(bytes), std::string(what), kUnpackedLimit);
  AdbBlocks blocks(stream, AdbSchema::kIndex);
  V3IndexParts parts;
  while (const std::optional<AdbBlock> block = blocks.next()) {
    if (*block == AdbBlock::kDatabase) {
      parts.database = blocks.read_all(kUnpackedLimit, "a database");
    } else if (*block == AdbBlock::kData) {
      throw refused(core::Kind::kPackage, what, "contents of files in an index");
    } else if (parts.signatures.size() == kMaxSignatures) {
      throw refused(core::Kind::kUnsafe, what, fmt::format("more than {} signatures", kMaxSignatures));
    } else {
      parts.signatures.push_back(blocks.read_all(kSignatureLimit, "a signature"));
    }
  }
  return parts;
}

V3IndexContent parse_v3_index(std::string_view database, std::string_view arch, std::string_view what) {
  const Adb adb(database, std::string(what));
  const AdbObject root = adb.root();
  if (!is_usual_place(root.blob(kNamePattern))) {
    throw refused(core::Kind::kPackage, what,
                  "its packages lie at " + core::escaped(root.blob(kNamePattern), 100) +
                      ", and imgforge knows only ARCH/NAME-VERSION.apk");
  }
  const AdbObject packages = root.object(kPackages);
  if (packages.size() > kMaxIndexEntries)
    throw refused(core::Kind::kUnsafe, what, fmt::format("more than {} packages", kMaxIndexEntries));
  V3IndexContent content{.description = std::string(root.blob(kDescription)), .entries = {}};
  content.entries.reserve(packages.size());
  for (std::uint32_t i = 1; i <= packages.size(); ++i) {
    const AdbObject package = packages.object(i);
    if (!package.is_whole()) continue;
    IndexEntry entry = read_v3_info(package, what);
    if (entry.arch != arch && entry.arch != "noarch") {
      throw refused(core::Kind::kPackage, what,
                    fmt::format("{}: arch {} expected, {} got", entry.full_name(), arch, entry.arch));
    }
    if (entry.identity.empty() || entry.size == 0)
      throw refused(core::Kind::kPackage, what, entry.full_name() + " is there without checksum or size");
    content.entries.push_back(std::move(entry));
  }
  return content;
}

}  // namespace imgforge::fetch
