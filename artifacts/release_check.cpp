#include "artifacts/release_check.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <span>

#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;

void compare_content(int fd, const std::filesystem::path& file, std::uint64_t size,
                     const core::Digest& sha256, const core::Digest& sha512, Digests digests) {
  core::Hasher hasher256(core::HashAlgorithm::kSha256);
  core::Hasher hasher512(core::HashAlgorithm::kSha512);
  std::vector<std::byte> buffer(1 << 18);
  std::uint64_t total = 0;
  while (const std::size_t n = core::read_some(fd, buffer, file.native())) {
    total += n;
    if (total > size) throw Error(Kind::kIntegrity, "grew while it was read");
    hasher256.update(std::span<const std::byte>(buffer.data(), n));
    if (digests == Digests::kBoth) hasher512.update(std::span<const std::byte>(buffer.data(), n));
  }
  if (total != size) throw Error(Kind::kIntegrity, "became shorter while it was read");
  const core::Digest found = hasher256.finish();
  if (found != sha256) {
    throw Error(Kind::kIntegrity, "sha256 is " + found.hex() + ", the manifest says " + sha256.hex());
  }
  if (digests == Digests::kBoth && hasher512.finish() != sha512)
    throw Error(Kind::kIntegrity, "sha512 differs from the manifest");
}

}  // namespace

CheckRow check_file(const std::filesystem::path& file, std::uint64_t size, const core::Digest& sha256,
                    const core::Digest& sha512, Digests digests) {
  CheckRow row{file.filename().native(), "digest", false, {}, {}};
  try {
    struct stat status {};
    if (::lstat(file.c_str(), &status) != 0) {
      if (errno == ENOENT) throw Error(Kind::kIntegrity, "missing");
      throw core::system_error(errno, "cannot examine", file.native());
    }
    if (!S_ISREG(status.st_mode)) throw Error(Kind::kIntegrity, "not a regular file");
    const core::Fd fd = core::open_regular(file, core::FollowLinks::kNo);
    const std::uint64_t found = core::file_size(fd.get(), file.native());
    if (found != size) {
      throw Error(Kind::kIntegrity,
                  std::to_string(found) + " bytes, the manifest says " + std::to_string(size));
    }
    compare_content(fd.get(), file, size, sha256, sha512, digests);
    row.ok = true;
    row.detail = "sha256:" + sha256.hex();
    if (status.st_nlink > 1) row.detail += " (has further hard links)";
  } catch (const Error& error) {
    row.detail = error.message();
    row.kind = error.kind();
  }
  return row;
}

std::vector<CheckRow> check_files(const std::filesystem::path& directory, const Manifest& manifest) {
  std::vector<CheckRow> rows;
  for (const ManifestArtifact& file : manifest.artifacts) {
    rows.push_back(check_file(directory / file.file, file.size, file.sha256, file.sha512));
  }
  for (const ManifestDocument& file : manifest.documents) {
    rows.push_back(check_file(directory / file.file, file.size, file.sha256, file.sha512));
  }
  return rows;
}

std::string print_sums(const Manifest& manifest, const core::Digest& manifest_sha256) {
  std::string text;
  const auto add = [&](const core::Digest& digest, const std::string& file) {
    text += digest.hex() + "  " + file + "\n";
  };
  for (const ManifestArtifact& file : manifest.artifacts) add(file.sha256, file.file);
  for (const ManifestDocument& file : manifest.documents) add(file.sha256, file.file);
  add(manifest_sha256, kManifestFile);
  return text;
}

}  // namespace imgforge::artifacts
