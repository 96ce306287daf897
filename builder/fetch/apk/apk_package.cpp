#include "builder/fetch/apk/apk_package.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <utility>

#include "artifacts/tar/tar.hpp"
#include "builder/fetch/adb/adb_stream.hpp"
#include "builder/fetch/apk/apk_v3_package.hpp"
#include "builder/fetch/apk/gzip_members.hpp"
#include "builder/fetch/apk/tar_segment.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

/// Most bytes that the parts may unpack to.
constexpr std::uint64_t kSignatureLimit = std::uint64_t{128} << 10;
constexpr std::uint64_t kControlLimit = std::uint64_t{8} << 20;
constexpr std::uint64_t kDataLimit = std::uint64_t{8} << 30;
/// Of the members of a file, whose first may be the signature or the control part.
constexpr std::array<std::uint64_t, 3> kMemberLimits{kControlLimit, kDataLimit, kDataLimit};
constexpr std::size_t kPkginfoLimit = 64 << 10;

core::Error refused(core::Kind kind, const IndexEntry& entry, const std::string& why) {
  return core::Error(kind, entry.full_name() + ": " + why);
}

/// What one pass over the file tells.
struct Parts {
  std::vector<GzipMember> members;
  bool is_signed = false;
  std::string signature;  ///< unpacked
  std::string control;    ///< unpacked
  core::Digest control_digest;
  core::Digest data_sha256;
  std::size_t control_member() const { return is_signed ? 1 : 0; }
  std::uint64_t data_offset() const { return members[control_member() + 1].offset; }
};

bool holds_signatures(const std::string& segment, const std::string& name) {
  const std::vector<SegmentFile> files = read_tar_segment(segment, name + ": first part");
  return !files.empty() && std::all_of(files.begin(), files.end(), [](const SegmentFile& file) {
    return file.name.starts_with(".SIGN.") && file.name.find('/') == std::string::npos;
  });
}

/// `algorithm`: what the control part is hashed with.
Parts read_parts(int fd, const std::string& name, core::HashAlgorithm algorithm) {
  Parts parts;
  std::string first;
  core::Hasher first_member(algorithm);
  core::Hasher second_member(algorithm);
  core::Hasher data(core::HashAlgorithm::kSha256);
  const auto watch = [&](std::size_t member, std::span<const std::byte> raw,
                         std::span<const std::byte> content) {
    const std::string_view text(reinterpret_cast<const char*>(content.data()), content.size());
    if (member == 0) {
      first_member.update(raw);
      first += text;
      return;
    }
    if (!first.empty()) {
      parts.is_signed = holds_signatures(first, name);
      (parts.is_signed ? parts.signature : parts.control) = std::exchange(first, {});
    }
    if (member != parts.control_member()) {
      data.update(raw);
      return;
    }
    second_member.update(raw);
    parts.control += text;
    if (parts.control.size() > kControlLimit) {
      throw core::Error(core::Kind::kUnsafe, fmt::format("{}: its control part unpacks to more than {} bytes",
                                                         name, kControlLimit));
    }
  };
  parts.members = split_gzip(gzip_source(fd, name), name, kMemberLimits, watch);
  parts.control_digest = (parts.is_signed ? second_member : first_member).finish();
  parts.data_sha256 = data.finish();
  return parts;
}

/// `key = value` lines of .PKGINFO. The four that identify a package may stand there once only.
std::map<std::string, std::string> parse_pkginfo(const std::string& text, const IndexEntry& entry) {
  std::map<std::string, std::string> values;
  for (const std::string& line : core::split(text, '\n')) {
    if (line.empty() || line.front() == '#') continue;
    const auto equals = line.find(" = ");
    if (equals == std::string::npos) continue;
    const std::string key = line.substr(0, equals);
    if (key != "pkgname" && key != "pkgver" && key != "arch" && key != "datahash") continue;
    if (!values.emplace(key, line.substr(equals + 3)).second) {
      throw refused(core::Kind::kPackage, entry, ".PKGINFO has " + key + " twice");
    }
  }
  return values;
}

std::string pkginfo_of(const Parts& parts, const IndexEntry& entry) {
  const std::vector<SegmentFile> files =
      read_tar_segment(parts.control, entry.full_name() + ": control part");
  const auto is_pkginfo = [](const SegmentFile& file) { return file.name == ".PKGINFO"; };
  if (std::count_if(files.begin(), files.end(), is_pkginfo) != 1) {
    throw refused(core::Kind::kPackage, entry, "the control part must hold .PKGINFO once");
  }
  const std::string& text = std::find_if(files.begin(), files.end(), is_pkginfo)->content;
  if (text.size() > kPkginfoLimit) {
    throw refused(core::Kind::kUnsafe, entry,
                  fmt::format(".PKGINFO is larger than {} KiB", kPkginfoLimit >> 10));
  }
  return text;
}

void check_pkginfo(const Parts& parts, const IndexEntry& entry) {
  std::map<std::string, std::string> info = parse_pkginfo(pkginfo_of(parts, entry), entry);
  // An index may list a package of arch noarch under its own architecture (apk index --rewrite-arch).
  const bool same = info["pkgname"] == entry.name && info["pkgver"] == entry.version &&
                    (info["arch"] == entry.arch || info["arch"] == "noarch");
  if (!same) {
    throw refused(core::Kind::kPackage, entry,
                  fmt::format("it says to be {}-{} for {}", core::escaped(info["pkgname"], 80),
                              core::escaped(info["pkgver"], 80), core::escaped(info["arch"], 40)));
  }
  const std::string& hash = info["datahash"];
  const bool well_formed =
      hash.size() == 64 && hash.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!well_formed) throw refused(core::Kind::kPackage, entry, ".PKGINFO has no proper datahash");
  if (hash != parts.data_sha256.hex()) {
    throw refused(core::Kind::kIntegrity, entry,
                  fmt::format("datahash: expected sha256:{}, got {}", hash, parts.data_sha256.to_string()));
  }
}

void visit_files(int fd, const Parts& parts, const IndexEntry& entry, const PackageVisitor& see) {
  if (::lseek(fd, static_cast<off_t>(parts.data_offset()), SEEK_SET) < 0) {
    throw core::system_error(errno, "cannot seek in", entry.file_name());
  }
  const artifacts::TarPolicy policy{.total = {kDataLimit}, .entries = 500'000};
  try {
    artifacts::TarReader reader(fd, entry.full_name(), policy);
    artifacts::TarEntry member;
    while (reader.next(member)) {
      if (see) see(member, [&](std::uint64_t limit) { return reader.read_text(limit); });
    }
  } catch (const core::Error& error) {
    throw refused(error.kind(), entry, error.message()).hint(error.hint());
  }
}

bool has_format_of_apk_3(int fd) {
  std::array<char, 4> magic{};
  const ssize_t size = ::pread(fd, magic.data(), magic.size(), 0);
  return size > 0 && is_apk_v3({magic.data(), static_cast<std::size_t>(size)});
}

core::Fd open_package(const std::filesystem::path& file, const IndexEntry& entry) {
  core::Fd fd = core::open_regular(file, core::FollowLinks::kNo);
  const std::uint64_t size = core::file_size(fd.get(), file.native());
  if (size != entry.size) {
    throw refused(core::Kind::kIntegrity, entry, fmt::format("expected {} bytes, got {}", entry.size, size));
  }
  return fd;
}

/// Everything but the data's files.
Parts checked_parts(const core::Fd& fd, const IndexEntry& entry) {
  Parts parts = read_parts(fd.get(), entry.full_name(), entry.identity.algorithm());
  if (parts.members.size() != parts.control_member() + 2) {
    throw refused(core::Kind::kPackage, entry,
                  fmt::format("{} parts instead of signature (there need be none), control and data",
                              parts.members.size()));
  }
  if (parts.signature.size() > kSignatureLimit) {
    throw refused(core::Kind::kUnsafe, entry,
                  fmt::format("a signature part larger than {} KiB", kSignatureLimit >> 10));
  }
  if (parts.control_digest != entry.identity) {
    throw refused(core::Kind::kIntegrity, entry,
                  fmt::format("identity mismatch: the index means {}, this is {}", entry.identity.to_string(),
                              parts.control_digest.to_string()));
  }
  check_pkginfo(parts, entry);
  return parts;
}

}  // namespace

void read_package(const std::filesystem::path& file, const IndexEntry& entry, const PackageVisitor& see) {
  const core::Fd fd = open_package(file, entry);
  if (has_format_of_apk_3(fd.get())) return read_v3_package(fd.get(), entry, see);
  visit_files(fd.get(), checked_parts(fd, entry), entry, see);
}

std::string read_pkginfo(const std::filesystem::path& file, const IndexEntry& entry) {
  const core::Fd fd = open_package(file, entry);
  if (has_format_of_apk_3(fd.get()))
    throw refused(core::Kind::kPackage, entry, "a package of apk 3, which no index of apk 2 can name");
  return pkginfo_of(checked_parts(fd, entry), entry);
}

bool is_v3_package(const std::filesystem::path& file) {
  return has_format_of_apk_3(core::open_regular(file, core::FollowLinks::kNo).get());
}

core::Digest identity_in_new_index(const std::filesystem::path& file, const IndexEntry& entry) {
  const core::Fd fd = core::open_regular(file, core::FollowLinks::kNo);
  return has_format_of_apk_3(fd.get()) ? v3_database_digest(fd.get(), entry.full_name()) : entry.identity;
}

void verify_package(const std::filesystem::path& file, const IndexEntry& entry) {
  read_package(file, entry, {});
}

}  // namespace imgforge::fetch
