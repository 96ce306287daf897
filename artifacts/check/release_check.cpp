#include "artifacts/check/release_check.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <span>

#include "artifacts/codec/packed_file.hpp"
#include "core/fd.hpp"
#include "core/file_bytes.hpp"
#include "core/parallel.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
using core::Reason;

/// Takes the bytes of a file and compares them with what was promised.
class Comparison {
 public:
  Comparison(std::uint64_t size, Digests digests) : size_(size), digests_(digests) {}

  void add(std::span<const std::byte> data) {
    total_ += data.size();
    if (total_ > size_) throw Error(Kind::kIntegrity, "grew while it was read").reason(Reason::kSizeMismatch);
    sha256_.update(data);
    if (digests_ == Digests::kBoth) sha512_.update(data);
  }
  void finish(const core::Digest& sha256, const core::Digest& sha512) {
    if (total_ != size_)
      throw Error(Kind::kIntegrity, "became shorter while it was read").reason(Reason::kSizeMismatch);
    const core::Digest found = sha256_.finish();
    if (found != sha256) {
      throw Error(Kind::kIntegrity, "sha256 is " + found.hex() + ", the manifest says " + sha256.hex())
          .reason(Reason::kDigestMismatch);
    }
    if (digests_ == Digests::kBoth && sha512_.finish() != sha512)
      throw Error(Kind::kIntegrity, "sha512 differs from the manifest").reason(Reason::kDigestMismatch);
  }

 private:
  std::uint64_t size_;
  Digests digests_;
  std::uint64_t total_ = 0;
  core::Hasher sha256_{core::HashAlgorithm::kSha256};
  core::Hasher sha512_{core::HashAlgorithm::kSha512};
};

}  // namespace

void CheckRow::fail(const core::Error& error) {
  ok = false;
  detail = error.message();
  kind = error.kind();
  reason = error.reason();
  const bool is_refusal = core::exit_code(error.kind()) == core::exit_code(Kind::kIntegrity);
  if (reason == Reason::kNone && is_refusal) reason = Reason::kMalformed;
}

CheckRow check_file(const std::filesystem::path& file, std::uint64_t size, const core::Digest& sha256,
                    const core::Digest& sha512, Digests digests) {
  CheckRow row{file.filename().native(), "digest", false, {}, {}, {}};
  try {
    struct stat status {};
    if (::lstat(file.c_str(), &status) != 0) {
      if (errno == ENOENT) throw Error(Kind::kIntegrity, "missing").reason(Reason::kMissing);
      throw core::system_error(errno, "cannot examine", file.native());
    }
    if (!S_ISREG(status.st_mode)) throw Error(Kind::kIntegrity, "not a regular file");
    const core::Fd fd = core::open_regular(file, core::FollowLinks::kNo);
    const std::uint64_t found = core::file_size(fd.get(), file.native());
    if (found != size) {
      throw Error(Kind::kIntegrity,
                  std::to_string(found) + " bytes, the manifest says " + std::to_string(size))
          .reason(Reason::kSizeMismatch);
    }
    Comparison comparison(size, digests);
    core::read_whole(fd.get(), file.native(), [&](std::span<const std::byte> data) { comparison.add(data); });
    comparison.finish(sha256, sha512);
    row.ok = true;
    row.detail = "sha256:" + sha256.hex();
    if (status.st_nlink > 1) row.detail += " (has further hard links)";
  } catch (const Error& error) {
    if (error.kind() == Kind::kInterrupted) throw;
    row.fail(error);
  }
  return row;
}

CheckRow check_stored_file(const std::filesystem::path& directory, const std::string& file,
                           std::uint64_t size, const core::Digest& sha256, const core::Digest& sha512,
                           Digests digests) {
  const std::filesystem::path path = stored_path(directory, file);
  if (!is_packed(path, file)) return check_file(path, size, sha256, sha512, digests);
  CheckRow row{file, "digest", false, {}, {}, {}};
  try {
    Comparison comparison(size, digests);
    read_unpacked(path, size, [&](std::span<const std::byte> data) { comparison.add(data); });
    comparison.finish(sha256, sha512);
    row.ok = true;
    row.detail = "sha256:" + sha256.hex() + ", unpacked from " + path.filename().native();
  } catch (const Error& error) {
    if (error.kind() == Kind::kInterrupted) throw;
    row.fail(error);
    row.detail = path.filename().native() + ": " + error.message();
  }
  return row;
}

std::vector<CheckRow> check_files(const std::filesystem::path& directory, const Manifest& manifest,
                                  Digests digests, unsigned threads) {
  std::vector<CheckRow> rows(manifest.artifacts.size() + manifest.documents.size());
  const auto check = [&](const auto& file) {
    return check_stored_file(directory, file.file, file.size, file.sha256, file.sha512, digests);
  };
  core::for_each_parallel(rows.size(), threads, [&](std::size_t i) {
    const std::size_t artifacts = manifest.artifacts.size();
    rows[i] = i < artifacts ? check(manifest.artifacts[i]) : check(manifest.documents[i - artifacts]);
  });
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
