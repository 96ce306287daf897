// The check of a whole store: every release, also archived ones, every link, and everything else that lies
// there. It changes nothing, needs no lock and hashes on all cores. What it finds are values, which `verify
// --all` prints and `repair` works on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/check/release_check.hpp"
#include "artifacts/check/verify.hpp"
#include "artifacts/store/store.hpp"

namespace imgforge::artifacts {

enum class Damage {
  kSignature,    ///< missing, not trusted or not good; also a release that was published unsigned
  kManifest,     ///< missing, unreadable, or of another release
  kFile,         ///< a file of a release is missing or is not what the manifest says
  kSums,         ///< SHA256SUMS is missing or differs from the manifest
  kPlainLink,    ///< the link without version beside an artifact is missing or leads elsewhere
  kCurrent,      ///< `current` is missing or cannot be followed
  kFlatLink,     ///< a flat name is missing, dangling or leads elsewhere
  kPin,          ///< a pin cannot be read or holds nothing
  kClone,        ///< a clone without disk, or of a release that is not there
  kInterrupted,  ///< left by a run that was killed; `clean` removes it
  kForeign,      ///< nothing of imgforge; it is kept
  kInsecure,     ///< checks were switched off for its build; its manifest says which
  kUnreadable,   ///< could not be examined
};
/// "signature", "manifest", "file", ...
std::string_view damage_name(Damage damage);
/// Leftovers, foreign files and checks that were switched off are worth a note; everything else is a failure.
bool is_note(Damage damage);

struct Finding {
  Damage damage = Damage::kUnreadable;
  std::filesystem::path path;
  std::string detail;
  std::string line;     ///< of the release concerned; may be empty
  std::string version;  ///< likewise
};

struct FsckOptions {
  SignatureCheck signature;            ///< none: every signature is a finding
  Digests digests = Digests::kSha256;  ///< kBoth takes about 1.7 times as long
  unsigned threads = 0;                ///< 0: one a core
  core::CancelToken cancel;
  /// Called now and then from any thread with the bytes hashed so far and of all; may be empty.
  std::function<void(std::uint64_t done, std::uint64_t all)> progress;
};

struct FsckReport {
  std::vector<Finding> findings;  ///< by path
  std::size_t lines = 0;
  std::size_t releases = 0;
  std::size_t files = 0;    ///< artifacts and documents that were hashed
  std::uint64_t bytes = 0;  ///< of those
  /// No finding but notes.
  bool ok() const;
};

/// Throws kInterrupted, and kIo or kPermission when a folder of the store cannot be listed.
FsckReport check_store(const Store& store, const FsckOptions& options);

}  // namespace imgforge::artifacts
