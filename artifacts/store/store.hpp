// The output directory ("store"): immutable release directories, one `current` link per line of releases,
// and flat names for people. Everything that is visible changes by one rename of `current`; the README of
// this folder says what can be seen after each step. The code is in store.cpp, publish.cpp and pointer.cpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/blobs/digest_memory.hpp"
#include "artifacts/check/release_check.hpp"
#include "artifacts/manifest/manifest.hpp"
#include "artifacts/manifest/version.hpp"
#include "core/cancel.hpp"
#include "core/fd.hpp"
#include "signing/minisign/signer.hpp"

namespace imgforge::artifacts {

/// A finished image outside the store, on its way in.
struct StagedArtifact {
  std::filesystem::path path;
  std::string suffix;  ///< ends the published name: ".qcow2", ".iso", ".img.zst", "-usb.img"
  std::string format;  ///< of the table in formats.hpp; decides the flat folder
  std::uint64_t virtual_size = 0;
  std::map<std::string, std::string> media;
  /// What a VerifiedFile says of it. It is enough to find the same release there already, not for a new one.
  std::optional<core::Digest> sha256 = {};
};

/// A small text file of a release (SBOM, provenance, boot log).
struct Document {
  std::string file;
  std::string content;
};

/// What a new release's version is.
enum class Numbering {
  kAsGiven,       ///< a dated version may get a revision, a chosen one is taken as it is
  kNextRevision,  ///< a further revision of the given one: v20261120.1 after v20261120, 1.4.2.1 after 1.4.2
};

/// Whether a new release becomes the current one of its line.
enum class Current { kTurn, kLeave };

struct PublishRequest {
  std::string name;
  std::string profile;
  Version version;
  Numbering numbering = Numbering::kAsGiven;
  Current current = Current::kTurn;
  /// Stands in the manifest. A derived release is compared with others that were derived alike, never with
  /// what a recipe gave, and the other way round.
  std::optional<ManifestDerivation> derived_from = {};
  /// Stands in the manifest. A draft does not become current, and no other release is answered with one.
  bool is_draft = false;
  std::string command = "publish";  ///< for the journal
  std::vector<StagedArtifact> artifacts;
  /// Completes the manifest, in which name, profile, version, artifacts and is_unsigned are filled already,
  /// and returns the documents to publish with it. Called once, and only when a new release is made.
  std::function<std::vector<Document>(Manifest&)> finalise;
  signing::Signer signer;  ///< nobody: an unsigned release, which its manifest says
  /// Whose signature makes a release that is there already count as the same: of the key that this request
  /// signs with, or of any trusted one. Empty: nobody's.
  SignatureCheck signature = {};
  /// Believed about files of a release that is there already, and told of those of a new one. Null: all are
  /// hashed.
  DigestMemory* memory = nullptr;
  std::chrono::milliseconds lock_timeout{std::chrono::seconds(60)};
  core::CancelToken cancel;
};

enum class PublishOutcome {
  kPublished,  ///< a new release
  kIdentical,  ///< the latest such release of that day already has the same bytes; nothing was written
};

struct PublishResult {
  PublishOutcome outcome = PublishOutcome::kPublished;
  Version version;
  std::filesystem::path directory;
  Manifest manifest;
  std::vector<std::string> warnings;  ///< what did not keep the release from being published
};

/// What happened to the `current` of a line.
struct Turn {
  std::string line;
  std::string from;  ///< version before; empty: there was no current
  std::string to;
  bool changed = false;               ///< false: `to` was current already
  std::vector<std::string> warnings;  ///< as in PublishResult
};

struct ChangeOptions {
  std::chrono::milliseconds lock_timeout{std::chrono::seconds(60)};
  core::CancelToken cancel{};
  /// Who may have signed a release that is acted upon. Empty: nobody, so only unsigned ones are.
  SignatureCheck signature{};
};

/// Exclusive right to change a store, held until destruction.
class StoreLock {
 public:
  /// flock(2) on `<root>/.lock`. Throws kLocked, with the holder's process id when known.
  StoreLock(const std::filesystem::path& root, std::chrono::milliseconds timeout,
            const core::CancelToken& cancel);

 private:
  core::Fd fd_;
};

class Store {
 public:
  /// Opens a store for reading and changing. kStore when the directory is none or of a newer format, or when
  /// a folder of it is a symbolic link; the store itself may be behind one.
  static Store open(const std::filesystem::path& root);
  /// Opens, after making the directory into a store when it is not one yet. Files that are there stay.
  static Store create(const std::filesystem::path& root);

  const std::filesystem::path& root() const { return root_; }
  std::filesystem::path releases() const { return root_ / "releases"; }
  std::filesystem::path line_directory(std::string_view line) const { return releases() / line; }
  std::filesystem::path release_directory(std::string_view line, const Version& version) const;
  /// "images", "isos", ...: where the flat names of a format stand. Throws kStore for an unknown format.
  static std::string flat_folder(std::string_view format);

  /// Names under releases/, sorted.
  std::vector<std::string> lines() const;
  /// Versions of a line, oldest first. Other files there are ignored.
  std::vector<Version> versions(std::string_view line) const;
  /// What `current` points at; nothing when there is no such link yet. kStore when it is not a link to a
  /// release of its own folder.
  std::optional<Version> current(std::string_view line) const;

  /// Brings a release into the store. kStore, kLocked, kNoSpace, kPermission, kIo, kIntegrity (a file
  /// changed while it was copied), kSignature (the same files are there already under a manifest that nobody
  /// trusted vouches for) or whatever `finalise` and `signer` throw; then the store is as it was.
  PublishResult publish(const PublishRequest& request);
  /// Turns `current` to an existing release whose manifest is trusted (trusted_manifest) and whose files are
  /// intact, archived ones excepted. kStore when `current` is something else than a link to a release,
  /// kSignature when nobody trusted signed it, kIntegrity when it is damaged: then nothing was changed.
  Turn promote(std::string_view line, const Version& version, const ChangeOptions& options = {});
  /// The same to the release before the current one (in the order of is_newer), or to `version`. kUsage when
  /// there is none.
  Turn rollback(std::string_view line, const std::optional<Version>& version = {},
                const ChangeOptions& options = {});

  /// Pins a release, in place or archived; another reason replaces an earlier one. Returns warnings.
  std::vector<std::string> pin(std::string_view line, const Version& version, std::string_view reason,
                               const ChangeOptions& options = {});
  /// Takes a pin away, also of a release that is gone; false when there was none.
  bool unpin(std::string_view line, const Version& version, std::vector<std::string>& warnings,
             const ChangeOptions& options = {});

 private:
  explicit Store(std::filesystem::path root) : root_(std::move(root)) {}
  std::filesystem::path root_;
};

}  // namespace imgforge::artifacts
