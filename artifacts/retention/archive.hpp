// Moving releases between releases/ and archive/<yyyymm>/<line>-<version>/, where artifacts are packed and
// everything that was signed lies unchanged beside them. A release is taken out of one place only after the
// other one holds all of it, read back, compared with the manifest and durable. The code is in archive.cpp
// and restore.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "artifacts/check/verify.hpp"
#include "artifacts/codec/packed_file.hpp"
#include "artifacts/retention/prune.hpp"
#include "artifacts/store/inventory.hpp"

namespace imgforge::artifacts {

/// Artifacts are kept as they are unless packing saves this part of them.
constexpr unsigned kWorthPackingPercent = 3;

struct ArchiveOptions {
  std::vector<std::string> lines;     ///< empty: all, unless releases are named
  std::vector<std::string> releases;  ///< references; these go whatever the policy says
  RetentionPolicy policy;             ///< what it does not keep is archived
  Packing packing = Packing::kZstd;
  bool dry_run = false;
  ChangeOptions change;
  std::function<void(const InventoryRelease&)> begin;  ///< told before each release; may be empty
};

struct ArchivedRelease {
  PlannedRelease planned;           ///< `done`: it is in the archive now
  std::filesystem::path directory;  ///< where it is, or would be, in the archive
  std::uint64_t before = 0;         ///< bytes of the artifacts' blocks
  std::uint64_t after = 0;          ///< the same in the archive
  std::string problem;              ///< why it stays although it should go
};

struct ArchiveResult {
  std::vector<ArchivedRelease> releases;  ///< those that stay have planned.kept_by
  std::vector<std::string> warnings;
};

/// Archives releases one after the other. A damaged one stays and has a problem; the others go on. Throws
/// kUsage for an empty policy without named releases, kStore when a named one is protected, kNoSpace, kIo,
/// kPermission: what was done until then stays done.
ArchiveResult archive(const Store& store, const ArchiveOptions& options);

struct RestoreOptions {
  /// Accepts the manifest's signature; none: a signed release is restored by its digests alone.
  SignatureCheck signature{};
  ChangeOptions change{};
};

struct RestoreResult {
  std::string line;
  std::string version;
  std::filesystem::path directory;
  bool changed = false;  ///< false: it was in place already and nothing was left to do
  std::vector<std::string> warnings;
};

/// Moves an archived release back under releases/, without making it current; the packed copy goes once the
/// release is whole and durable. Throws kIntegrity or
/// kSignature, when the archived copy is not what was signed, and then nothing was changed.
RestoreResult restore(const Store& store, const std::string& reference, const RestoreOptions& options);

}  // namespace imgforge::artifacts
