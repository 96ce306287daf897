// Rows of findings about a release on disk, and the bounded reads and hashes behind them. Shared by the
// verifier and by whoever must know that a release is intact before pointing at it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "core/error.hpp"

namespace imgforge::artifacts {

/// The texts of the .minisig files that lie beside a file, one or more.
using Signatures = std::vector<std::string>;
/// Checks them over `data`; returns who signed, or throws core::Error (kSignature).
using SignatureCheck = std::function<std::string(std::string_view data, const Signatures& signatures)>;

struct CheckRow {
  std::string subject;  ///< file name, or the directory
  std::string check;    ///< "signature", "manifest", "digest", "sums", "format", "extra", "name"
  bool ok = false;
  std::string detail;
  std::optional<core::Kind> kind;             ///< class of the failure
  core::Reason reason = core::Reason::kNone;  ///< why it is refused, or counts for nothing

  /// Takes detail, class and reason of a failure. What parses nothing, and says no reason, is malformed.
  void fail(const core::Error& error);
};

/// Which of the two digests of a file are computed. sha256 alone binds every byte and takes a good half of
/// the time of both; sha512 is there should sha256 ever be broken.
enum class Digests { kBoth, kSha256 };

/// Size, sha256 and sha512 of a regular file (no symlink, no FIFO) against the promise, over one descriptor.
/// A file of another size is not read. Throws no core::Error but kInterrupted.
CheckRow check_file(const std::filesystem::path& file, std::uint64_t size, const core::Digest& sha256,
                    const core::Digest& sha512, Digests digests = Digests::kBoth);
/// The same for a file of a release, which in an archived release may be packed (packed_file.hpp): then size
/// and digests are those of the unpacked bytes.
CheckRow check_stored_file(const std::filesystem::path& directory, const std::string& file,
                           std::uint64_t size, const core::Digest& sha256, const core::Digest& sha512,
                           Digests digests = Digests::kBoth);
/// The rows for all artifacts and documents of a manifest, in its order. More than one thread hashes files
/// side by side.
std::vector<CheckRow> check_files(const std::filesystem::path& directory, const Manifest& manifest,
                                  Digests digests = Digests::kBoth, unsigned threads = 1);

/// Text of SHA256SUMS as sha256sum(1) reads it: artifacts, documents and manifest.json.
std::string print_sums(const Manifest& manifest, const core::Digest& manifest_sha256);

constexpr const char* kManifestFile = "manifest.json";
constexpr const char* kSumsFile = "SHA256SUMS";
constexpr const char* kSignatureSuffix = ".minisig";

}  // namespace imgforge::artifacts
