#include "builder/fetch/apk/apk_index.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "builder/fetch/adb/adb_blocks.hpp"
#include "builder/fetch/apk/apk_v3_index.hpp"
#include "builder/fetch/apk/gzip_members.hpp"
#include "builder/fetch/apk/tar_segment.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "signing/apk/apk_v3_signature.hpp"

namespace imgforge::fetch {
namespace {

/// Most bytes that the signature member and the control member may unpack to.
constexpr std::array<std::uint64_t, 2> kLimits{std::uint64_t{128} << 10, std::uint64_t{96} << 20};
constexpr std::size_t kSignatureLimit = 64 << 10;
constexpr std::size_t kDescriptionLimit = 200;
constexpr std::uint64_t kLastTime = 253'402'300'799;  // the last second of the year 9999

struct SignedIndex {
  std::vector<signing::ApkSignatureEntry> signatures;
  std::string_view control;  ///< raw bytes of the signed member
  std::string unpacked;      ///< what they hold
};

core::Error refused(core::Kind kind, std::string_view what, const std::string& why) {
  return core::Error(kind, fmt::format("{}: {}", what, why));
}

std::vector<signing::ApkSignatureEntry> read_signatures(const std::string& segment, std::string_view what) {
  std::vector<signing::ApkSignatureEntry> signatures;
  for (SegmentFile& file : read_tar_segment(segment, what)) {
    if (!file.name.starts_with(".SIGN.")) {
      throw refused(core::Kind::kSignature, what, "unsigned APKINDEX");
    }
    if (file.content.size() > kSignatureLimit) {
      throw refused(core::Kind::kUnsafe, what, "a signature larger than 64 KiB");
    }
    signatures.push_back({std::move(file.name), std::move(file.content)});
  }
  return signatures;
}

bool looks_like_gzip(std::string_view bytes) {
  return bytes.starts_with("\x1f\x8b");
}

/// Takes the file apart. The control part is not looked into before its signature was checked.
SignedIndex split_index(std::string_view bytes, std::string_view what) {
  if (!looks_like_gzip(bytes)) {
    throw refused(core::Kind::kPackage, what, "not an index")
        .hint("the mirror sent something else; is its URL right?");
  }
  std::array<std::string, 2> unpacked;
  const auto keep = [&](std::size_t member, std::span<const std::byte>, std::span<const std::byte> content) {
    unpacked[member].append(reinterpret_cast<const char*>(content.data()), content.size());
  };
  // An unsigned index begins with its control part, which is larger than any signature.
  std::array<std::uint64_t, 2> limits = kLimits;
  limits[0] = limits[1];
  const std::vector<GzipMember> members = split_gzip(gzip_source(bytes), what, limits, keep);
  if (members.size() == 1) throw refused(core::Kind::kSignature, what, "unsigned APKINDEX");
  if (members[0].unpacked > kLimits[0]) {
    throw refused(core::Kind::kUnsafe, what,
                  fmt::format("a signature part larger than {} KiB", kLimits[0] >> 10));
  }
  return {.signatures = read_signatures(unpacked[0], what),
          .control = bytes.substr(static_cast<std::size_t>(members[1].offset)),
          .unpacked = std::move(unpacked[1])};
}

const std::string& index_text(const std::vector<SegmentFile>& files, std::string_view what) {
  const auto is_index = [](const SegmentFile& file) { return file.name == "APKINDEX"; };
  if (std::count_if(files.begin(), files.end(), is_index) != 1) {
    throw refused(core::Kind::kPackage, what, "not an index: it must hold APKINDEX once");
  }
  return std::find_if(files.begin(), files.end(), is_index)->content;
}

/// Who signed the parts, by what `verify` finds.
template <class Verify>
IndexSigner signer_of(const PublicKeys& keys, std::string_view what, Verify&& verify) {
  try {
    const signing::ApkSignature signature = verify();
    return {.key_name = signature.key_name,
            .key_digest = core::digest_of(core::HashAlgorithm::kSha256, keys.at(signature.key_name)),
            .algorithm = signature.algorithm};
  } catch (core::Error& error) {
    core::Error named = refused(error.kind(), what, error.message());
    throw named.hint(error.hint());
  }
}

/// `time`: of the index itself, where it says one.
IndexEdition edition_of(std::string description, std::uint64_t time, const std::vector<IndexEntry>& entries) {
  IndexEdition edition{.description = std::move(description), .time = time};
  edition.description.resize(std::min(edition.description.size(), kDescriptionLimit));
  for (const IndexEntry& entry : entries) edition.time = std::max(edition.time, entry.build_time);
  edition.time = std::min(edition.time, kLastTime);
  return edition;
}

}  // namespace

Index load_v3_index(std::string_view bytes, const PublicKeys& keys, std::string_view arch,
                    std::string_view what) {
  const V3IndexParts parts = split_v3_index(bytes, what);
  IndexSigner signer = signer_of(keys, what, [&] {
    const signing::ApkV3Signed file{static_cast<std::uint32_t>(AdbSchema::kIndex), parts.database};
    return signing::verify_apk_v3_signatures(parts.signatures, file, keys);
  });
  V3IndexContent content = parse_v3_index(parts.database, arch, what);
  IndexEdition edition = edition_of(std::move(content.description), 0, content.entries);
  Index index(std::move(content.entries), what, IndexFormat::kV3);
  index.signer_ = std::move(signer);
  index.edition_ = std::move(edition);
  return index;
}

Index load_index(std::string_view bytes, const PublicKeys& keys, std::string_view arch,
                 std::string_view what) {
  if (is_apk_v3(bytes)) return load_v3_index(bytes, keys, arch, what);
  const SignedIndex parts = split_index(bytes, what);
  IndexSigner signer = signer_of(keys, what, [&] {
    return signing::verify_apk_signatures(parts.signatures, core::as_bytes(parts.control), keys);
  });
  const std::vector<SegmentFile> files = read_tar_segment(parts.unpacked, what);
  Index index = Index::parse(index_text(files, what), arch, what);
  index.signer_ = std::move(signer);
  std::string description;
  std::uint64_t time = 0;
  for (const SegmentFile& file : files) {
    time = std::max(time, file.modified);
    if (file.name == "DESCRIPTION") description = file.content;
  }
  index.edition_ = edition_of(std::move(description), time, index.entries());
  return index;
}

Index read_medium_index(std::string_view bytes, std::string_view arch, std::string_view what) {
  if (is_apk_v3(bytes))
    return {parse_v3_index(split_v3_index(bytes, what).database, arch, what).entries, what, IndexFormat::kV3};
  const std::vector<SegmentFile> files = read_tar_segment(split_index(bytes, what).unpacked, what);
  return Index::parse(index_text(files, what), arch, what);
}

}  // namespace imgforge::fetch
