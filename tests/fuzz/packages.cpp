// Archives and what mirrors send.
#include <array>
#include <stdexcept>
#include <string>

#include "artifacts/codec/packed_file.hpp"
#include "artifacts/tar/tar.hpp"
#include "builder/fetch/adb/adb_blocks.hpp"
#include "builder/fetch/alpine/alpine_releases.hpp"
#include "builder/fetch/apk/apk_index.hpp"
#include "builder/fetch/apk/apk_package.hpp"
#include "builder/fetch/apk/apk_v3_index.hpp"
#include "builder/fetch/apk/gzip_members.hpp"
#include "builder/fetch/apk/repository/apk_installed.hpp"
#include "builder/fetch/apk/tar_segment.hpp"
#include "builder/fetch/http/url.hpp"
#include "core/digest.hpp"
#include "fuzz/table.hpp"
#include "fuzz/target.hpp"

namespace imgforge::fuzz {
namespace {

constexpr std::array<std::uint64_t, 3> kLimits{1 << 16, 1 << 20, 1 << 20};

/// The compressed bytes of the second member, which an index knows by their digest; empty when there are
/// none.
std::string control_part(std::string_view bytes) {
  std::string part;
  try {
    fetch::split_gzip(fetch::gzip_source(bytes), "input", kLimits,
                      [&](std::size_t member, std::span<const std::byte> raw, std::span<const std::byte>) {
                        if (member == 1) part.append(reinterpret_cast<const char*>(raw.data()), raw.size());
                      });
  } catch (const std::exception&) {
    // Then the package is refused by its own reader, too, which is what is looked at.
  }
  return part;
}

/// SHA-256 of the database that a file of apk 3 begins with; of nothing when there is none.
core::Digest database_digest(std::string_view bytes) {
  std::string database;
  try {
    fetch::AdbStream stream(fetch::gzip_source(bytes), "input", 1 << 20);
    fetch::AdbBlocks blocks(stream, fetch::AdbSchema::kPackage);
    blocks.next();
    database = blocks.read_all(1 << 20, "a database");
  } catch (const std::exception&) {
    // As above.
  }
  return core::digest_of(core::HashAlgorithm::kSha256, database);
}

}  // namespace

void tar(std::string_view bytes) {
  artifacts::TarPolicy policy;
  policy.total = core::mib(1);
  artifacts::TarReader reader(file_of(bytes), policy);
  artifacts::TarEntry entry;
  while (reader.next(entry)) {
    if (entry.type == artifacts::EntryType::kFile) reader.read_text();
  }
}

void gzip_members(std::string_view bytes) {
  std::size_t raw_bytes = 0;
  const std::vector<fetch::GzipMember> members =
      fetch::split_gzip(fetch::gzip_source(bytes), "input", kLimits,
                        [&](std::size_t, std::span<const std::byte> raw, std::span<const std::byte>) {
                          raw_bytes += raw.size();
                        });
  if (raw_bytes != bytes.size()) throw std::logic_error("not every byte belongs to a member");
}

void apk_index(std::string_view bytes) {
  fetch::read_medium_index(bytes, "x86_64", "input");
}

void apk_index_text(std::string_view bytes) {
  fetch::Index::parse(bytes, "x86_64", "input");
}

void apk_installed(std::string_view bytes) {
  fetch::parse_installed(bytes, "input");
}

void apk_installed_files(std::string_view bytes) {
  fetch::parse_installed_files(bytes, "input");
}

/// The package that an index would mean by these bytes.
void apk_package(std::string_view bytes) {
  fetch::IndexEntry entry;
  entry.name = "tool";
  entry.version = "1.0-r0";
  entry.arch = "x86_64";
  entry.size = bytes.size();
  entry.identity = core::digest_of(core::HashAlgorithm::kSha1, control_part(bytes));
  fetch::verify_package(file_of(bytes), entry);
  fetch::read_pkginfo(file_of(bytes), entry);
}

void apk_v3_index(std::string_view bytes) {
  const fetch::V3IndexParts parts = fetch::split_v3_index(bytes, "input");
  fetch::parse_v3_index(parts.database, "x86_64", "input");
}

void apk_v3_database(std::string_view bytes) {
  fetch::parse_v3_index(bytes, "x86_64", "input");
}

/// The package that an index would mean by these bytes. No content is told that is not what the package says.
void apk_v3_package(std::string_view bytes) {
  fetch::IndexEntry entry;
  entry.name = "tool";
  entry.version = "1.0-r0";
  entry.arch = "x86_64";
  entry.size = bytes.size();
  entry.identity = database_digest(bytes);
  fetch::read_package(file_of(bytes), entry,
                      [](const artifacts::TarEntry& member, const fetch::ReadContent& read) {
                        if (member.path.starts_with('/') || member.path.find("..") == 0)
                          throw std::logic_error("a path that leads elsewhere: " + member.path);
                        if (member.type == artifacts::EntryType::kFile && read(1 << 20).size() != member.size)
                          throw std::logic_error("a content of another size");
                      });
}

void tar_segment(std::string_view bytes) {
  fetch::read_tar_segment(bytes, "input");
}

void releases(std::string_view bytes) {
  const fetch::Release release = fetch::parse_releases(
      std::string(bytes), "input", fetch::ReleaseName::parse("3.22"), fetch::kMiniRootFs, "x86_64");
  if (release.branch != "v3.22" || release.file.find('/') != std::string::npos)
    throw std::logic_error("a release of another branch, or a file elsewhere: " + release.file);
}

void checksum_file(std::string_view bytes) {
  fetch::parse_checksum_file(bytes, core::HashAlgorithm::kSha256, "f.tar.gz", "input");
}

/// What may be shown of a URL has no user in it, and its file name is none of a folder above.
void url(std::string_view bytes) {
  fetch::redacted_url(bytes);
  const fetch::Scheme scheme = fetch::check_url(bytes);
  if (fetch::has_user(fetch::redacted_url(bytes))) throw std::logic_error("a URL is shown with its user");
  if (fetch::file_name_of(bytes).find('/') != std::string::npos)
    throw std::logic_error("a file name with a slash");
  if (scheme == fetch::Scheme::kFile)
    fetch::file_url_path(bytes);
  else
    fetch::server_of(fetch::join_url(bytes, fetch::host_of(bytes)));
}

/// Whatever is packed, not more than the limit comes out.
void unpacked(std::string_view bytes) {
  constexpr std::uint64_t kLimit = 1 << 20;
  std::uint64_t size = 0;
  artifacts::read_unpacked(file_of(bytes), kLimit,
                           [&](std::span<const std::byte> piece) { size += piece.size(); });
  if (size > kLimit) throw std::logic_error("more came out than the limit says");
}

}  // namespace imgforge::fuzz
