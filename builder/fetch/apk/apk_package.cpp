#include "builder/fetch/apk/apk_package.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>

#include "artifacts/tar/tar.hpp"
#include "builder/fetch/apk/gzip_members.hpp"
#include "builder/fetch/apk/tar_segment.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

enum Part : std::size_t { kSignaturePart, kControlPart, kDataPart, kParts };

/// Most bytes that the parts may unpack to.
constexpr std::array<std::uint64_t, kParts> kPartLimits{std::uint64_t{128} << 10, std::uint64_t{8} << 20,
                                                        std::uint64_t{8} << 30};
constexpr std::size_t kPkginfoLimit = 64 << 10;

core::Error refused(core::Kind kind, const IndexEntry& entry, const std::string& why) {
  return core::Error(kind, entry.full_name() + ": " + why);
}

/// What one pass over the file tells.
struct Parts {
  std::vector<GzipMember> members;
  std::string signature;  ///< unpacked
  std::string control;    ///< unpacked
  core::Digest control_sha1;
  core::Digest data_sha256;
};

Parts read_parts(int fd, const std::string& name) {
  Parts parts;
  core::Hasher control(core::HashAlgorithm::kSha1);
  core::Hasher data(core::HashAlgorithm::kSha256);
  const auto watch = [&](std::size_t member, std::span<const std::byte> raw,
                         std::span<const std::byte> content) {
    const std::string_view text(reinterpret_cast<const char*>(content.data()), content.size());
    if (member == kSignaturePart) {
      parts.signature += text;
    } else if (member == kControlPart) {
      control.update(raw);
      parts.control += text;
    } else {
      data.update(raw);
    }
  };
  parts.members = split_gzip(gzip_source(fd, name), name, kPartLimits, watch);
  parts.control_sha1 = control.finish();
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

void check_signature_part(const Parts& parts, const IndexEntry& entry) {
  const std::vector<SegmentFile> files =
      read_tar_segment(parts.signature, entry.full_name() + ": signature part");
  const bool proper = !files.empty() && std::all_of(files.begin(), files.end(), [](const SegmentFile& file) {
    return file.name.starts_with(".SIGN.") && file.name.find('/') == std::string::npos;
  });
  if (!proper) throw refused(core::Kind::kPackage, entry, "the first part is not a signature");
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

using Visitor = std::function<void(const artifacts::TarEntry&, artifacts::TarReader&)>;

void visit_files(int fd, const Parts& parts, const IndexEntry& entry, const Visitor& see) {
  if (::lseek(fd, static_cast<off_t>(parts.members[kDataPart].offset), SEEK_SET) < 0) {
    throw core::system_error(errno, "cannot seek in", entry.file_name());
  }
  const artifacts::TarPolicy policy{.total = {kPartLimits[kDataPart]}, .entries = 500'000};
  try {
    artifacts::TarReader reader(fd, entry.full_name(), policy);
    artifacts::TarEntry member;
    while (reader.next(member)) {
      if (see) see(member, reader);
    }
  } catch (const core::Error& error) {
    throw refused(error.kind(), entry, error.message()).hint(error.hint());
  }
}

/// Everything but the data's files.
Parts checked_parts(const core::Fd& fd, const std::filesystem::path& file, const IndexEntry& entry) {
  const std::uint64_t size = core::file_size(fd.get(), file.native());
  if (size != entry.size) {
    throw refused(core::Kind::kIntegrity, entry, fmt::format("expected {} bytes, got {}", entry.size, size));
  }
  Parts parts = read_parts(fd.get(), entry.full_name());
  if (parts.members.size() != kParts) {
    throw refused(core::Kind::kPackage, entry,
                  fmt::format("{} parts instead of signature, control and data", parts.members.size()));
  }
  check_signature_part(parts, entry);
  if (parts.control_sha1 != entry.identity) {
    throw refused(core::Kind::kIntegrity, entry,
                  fmt::format("identity mismatch: the index means {}, this is {}", entry.identity.to_string(),
                              parts.control_sha1.to_string()));
  }
  check_pkginfo(parts, entry);
  return parts;
}

}  // namespace

void read_package(const std::filesystem::path& file, const IndexEntry& entry, const Visitor& see) {
  const core::Fd fd = core::open_regular(file, core::FollowLinks::kNo);
  const Parts parts = checked_parts(fd, file, entry);
  visit_files(fd.get(), parts, entry, see);
}

std::string read_pkginfo(const std::filesystem::path& file, const IndexEntry& entry) {
  const core::Fd fd = core::open_regular(file, core::FollowLinks::kNo);
  return pkginfo_of(checked_parts(fd, file, entry), entry);
}

void verify_package(const std::filesystem::path& file, const IndexEntry& entry) {
  read_package(file, entry, {});
}

}  // namespace imgforge::fetch
