// The manifest: what one release (name, profile, version) consists of, what it was made from and how it was
// seen to boot. It is the file that is signed, so reading it is strict: a member that this program does
// not know is a refusal, because it may be the one that forbids what it is about to do. The code is in
// manifest.cpp and manifest_overview.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/manifest/kernel_features.hpp"
#include "artifacts/manifest/version.hpp"
#include "core/bytes.hpp"
#include "core/digest.hpp"

namespace imgforge::artifacts {

struct ManifestBase {
  std::string kind;     ///< "minirootfs", "iso", ...
  std::string release;  ///< "3.22.2"
  std::string url;      ///< without credentials
  core::Digest sha256;
  std::uint64_t size = 0;
  bool operator==(const ManifestBase&) const = default;
};

/// A package that is installed in the image, as the image's own database has it.
struct ManifestPackage {
  std::string name;
  std::string version;
  std::string arch;
  std::string repository;  ///< URL, without credentials; empty when `from_base`
  std::string checksum;    ///< the `C:` field of the package index or of the database, as text
  std::string licence;     ///< as the package says it; empty: not known. In JSON only when it is
  std::string origin;      ///< its source package, likewise
  core::Digest sha256;     ///< of the package's file; empty when `from_base`
  std::uint64_t size = 0;  ///< of the package's file; 0 when `from_base`
  /// It came with the base (or a run step of the recipe installed it), so this build saw no file of it. In
  /// JSON: "from": "base" in place of repository, sha256 and size.
  bool from_base = false;
  bool operator==(const ManifestPackage&) const = default;
  /// For records of build steps; core/record.hpp.
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("name", self.name);
    visit("version", self.version);
    visit("arch", self.arch);
    visit("repository", self.repository);
    visit("checksum", self.checksum);
    visit("licence", self.licence);
    visit("origin", self.origin);
    visit("sha256", self.sha256);
    visit("size", self.size);
    visit("from_base", self.from_base);
  }
};

/// An AI model of the image, or one that the machine fetches when it starts for the first time.
struct ManifestModel {
  std::string name;
  std::string version;
  std::string source;    ///< as the recipe says it, without credentials
  std::string revision;  ///< the commit or manifest that it led to; empty: it cannot move
  std::string purl;      ///< package URL; empty: none
  std::string licence;
  std::string format;   ///< "gguf", ...; empty: not looked into
  std::string when;     ///< "build" or "first-boot"
  core::Digest sha256;  ///< of one file itself, of several that of their sums
  std::uint64_t size = 0;
  std::map<std::string, std::string> metadata;
  bool operator==(const ManifestModel&) const = default;
};

struct ManifestArtifact {
  std::string file;    ///< "<name>-<profile>-<version>.qcow2", beside the manifest
  std::string format;  ///< "qcow2", "raw", "iso", "usb", ...
  std::uint64_t size = 0;
  std::uint64_t virtual_size = 0;  ///< bytes that a machine sees; 0: the same as `size`
  core::Digest sha256;
  core::Digest sha512;
  /// Details of the format, such as "compression": "zstd"; "role" tells the files of one format apart.
  std::map<std::string, std::string> media;
  bool operator==(const ManifestArtifact&) const = default;
};

/// Which of its format's files it is. One that says nothing is the only one, and the image itself.
inline std::string role_of(const ManifestArtifact& artifact) {
  const auto role = artifact.media.find("role");
  return role == artifact.media.end() ? "image" : role->second;
}
inline bool is_image(const ManifestArtifact& artifact) {
  return role_of(artifact) == "image";
}

/// Members of `media` for a disk that is published as a zstd file: what it unpacks to.
inline constexpr const char* kUnpackedSize = "unpacked_size";
inline constexpr const char* kUnpackedSha256 = "unpacked_sha256";
/// True for such a disk; nothing but unpacking can be done with it.
inline bool is_packed(const ManifestArtifact& artifact) {
  return artifact.media.contains(kUnpackedSha256);
}

/// A further file of the release, such as the SBOM or a boot log.
struct ManifestDocument {
  std::string file;
  std::uint64_t size = 0;
  core::Digest sha256;
  core::Digest sha512;
  bool operator==(const ManifestDocument&) const = default;
};

/// One observed boot.
struct ManifestBoot {
  std::string artifact;     ///< file name
  std::string path;         ///< "disk BIOS", "disk UEFI", "cd BIOS", ...
  std::string accelerator;  ///< "kvm", "tcg"
  core::Bytes memory;
  unsigned cpus = 0;
  std::vector<std::pair<std::string, std::uint64_t>> markers;  ///< marker and milliseconds since power-on
  bool operator==(const ManifestBoot&) const = default;
};

/// What a release was made from, when that is another release and not a recipe.
struct ManifestDerivation {
  std::string release;                  ///< "hello-boot@v20261120"
  std::string operation;                ///< "convert to vmdk", "resize to 8G", "compress"
  std::vector<core::Digest> artifacts;  ///< sha256 of the files of that release that were read
  bool operator==(const ManifestDerivation&) const = default;
};

struct Manifest {
  Manifest();
  Manifest(const Manifest&);
  Manifest(Manifest&&) noexcept;
  Manifest& operator=(const Manifest&);
  Manifest& operator=(Manifest&&) noexcept;
  ~Manifest();

  std::string name;
  std::string profile;
  std::string version;
  std::string created;  ///< "2026-11-20T01:02:03Z", time of the build
  core::Digest recipe_sha256;
  /// The member is there only when it says something: programs that do not know it refuse such a release.
  std::optional<ManifestDerivation> derived_from;
  /// Packed in a hurry: never current, never exported. Like derived_from, there only when it is so.
  bool is_draft = false;
  ManifestBase base;
  std::vector<ManifestPackage> packages;
  std::vector<ManifestModel> models;  ///< like derived_from, there only when there are some
  std::string kernel_release;
  std::string kernel_cmdline;
  /// What it can do of what machines need. Like derived_from, there only when something is known.
  KernelFeatures kernel_features;
  /// sha256 of the kernel and the initramfs that boot first, where they are files of their own on the disks.
  /// Likewise.
  core::Digest kernel_sha256;
  core::Digest initramfs_sha256;
  std::vector<ManifestArtifact> artifacts;
  std::vector<ManifestDocument> documents;
  std::vector<ManifestBoot> boots;
  /// Where programs of the image ran while it was made: "appliance", "namespaces"; empty: not known. In JSON
  /// only when it is.
  std::string isolation;
  std::string accelerator;         ///< of that appliance: "kvm", "tcg"; else empty
  std::string accelerator_reason;  ///< why this isolation and accelerator
  std::string tool_name = "imgforge";
  std::string tool_version;
  std::vector<std::string>
      boot_expect;  ///< what the console shows when it is ready: regular expressions, in order
  /// Lines that the image's service of the shared folder carries out (builder/shared_folder), such as
  /// "shutdown: graceful". Like derived_from, there only when the image has that service.
  std::optional<std::vector<std::string>> shared_commands;
  core::Bytes required_memory;
  unsigned required_cpus = 1;
  bool is_unsigned = false;
  /// Checks that were switched off for the build, by the flag that did it: "--allow-older-index",
  /// "--unsigned". A release that is made from another one has those of its source too.
  std::vector<std::string> insecure;
  bool operator==(const Manifest&) const;

  /// "<name>-<profile>", the folder under releases/; "<name>" for a recipe without profiles.
  std::string line() const;
  /// "<name>-<profile>-<version>", what artifact names begin with.
  std::string stem() const;
};

inline constexpr const char* kUnsignedFlag = "--unsigned";

constexpr std::size_t kMaxManifestBytes = 4 << 20;

/// JSON, schema 1, members in fixed order. Throws kInternal when the value breaks a rule that
/// parse_manifest checks, so nothing is ever signed that could not be read back.
std::string print_manifest(const Manifest& manifest);
/// Strict reading. Throws kIntegrity: wrong or newer schema, unknown, missing or repeated member, wrong type,
/// impossible file name, artifact name that does not begin with the stem, repeated file, too many rows.
Manifest parse_manifest(std::string_view text);
/// The same without the rows of packages and with less suspicion: unknown and repeated members are let pass.
/// Many times as fast; for lists. Whoever relies on a manifest uses parse_manifest.
Manifest parse_manifest_overview(std::string_view text);
/// What both check of names: no path but plain names, artifacts that begin with the stem, none listed twice.
void check_manifest_names(const Manifest& manifest);

/// A manifest whose signature was checked. Made only by the verifier.
class SignedManifest {
 public:
  const Manifest& manifest() const { return manifest_; }
  const std::string& signer() const { return signer_; }
  /// sha256 of the manifest file.
  const core::Digest& digest() const { return digest_; }

 private:
  friend class Verifier;
  SignedManifest(Manifest manifest, std::string signer, core::Digest digest);
  Manifest manifest_;
  std::string signer_;
  core::Digest digest_;
};

}  // namespace imgforge::artifacts
