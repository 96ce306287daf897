// Releases made up in memory for the writers of an export.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "builder/export/releases.hpp"

namespace imgforge::exports::testing_support {

inline core::Digest digest(core::HashAlgorithm algorithm, std::string_view text) {
  return core::digest_of(algorithm, text);
}

inline artifacts::ManifestArtifact artifact(std::string file, std::string format, std::uint64_t size) {
  artifacts::ManifestArtifact row;
  row.sha256 = digest(core::HashAlgorithm::kSha256, file);
  row.sha512 = digest(core::HashAlgorithm::kSha512, file);
  row.file = std::move(file);
  row.format = std::move(format);
  row.size = size;
  return row;
}

/// A signed release with a qcow2 and an ISO image, one package and one boot.
inline Release release(const std::string& name, const std::string& version, const std::string& created,
                       std::uint64_t size = 30'000'000) {
  Release made;
  artifacts::Manifest& manifest = made.manifest;
  manifest.name = name;
  manifest.profile = "minimal";
  manifest.version = version;
  manifest.created = created;
  manifest.base.kind = "minirootfs";
  manifest.base.release = "3.22.2";
  manifest.kernel_release = "6.12.1-0-virt";
  manifest.artifacts = {artifact(manifest.stem() + ".qcow2", "qcow2", size),
                        artifact(manifest.stem() + ".iso", "iso", 2 * size)};
  manifest.artifacts.front().virtual_size = 1 << 30;
  artifacts::ManifestPackage package;
  package.name = "musl";
  package.version = "1.2.5-r1";
  package.arch = "x86_64";
  package.size = 400'000;
  manifest.packages = {package};
  manifest.boots = {{manifest.artifacts.front().file,
                     "disk BIOS",
                     "tcg",
                     core::mib(256),
                     1,
                     {{"kernel", 900}, {"login", 4200}}}};
  manifest.required_memory = core::mib(64);
  made.folder = "releases/" + manifest.line() + "/" + version;
  made.signer = "alice (RWQf6L...)";
  made.public_key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
  return made;
}

/// One line with two releases.
inline Catalogue catalogue() {
  return {"Images",
          {{"hello-minimal",
            {release("hello", "v20261120.1", "2026-11-20T01:02:03Z"),
             release("hello", "v20261119", "2026-11-19T01:02:03Z", 20'000'000)}}}};
}

}  // namespace imgforge::exports::testing_support
