// A release whose manifest a trusted key signed, for commands that only tell what stands in it.
#pragma once

#include <string>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "artifacts/store/release_reference.hpp"
#include "builder/cli/frame/command.hpp"

namespace imgforge::cli {

struct TrustedRelease {
  artifacts::ReleaseLocation location;
  artifacts::SignedManifest manifest;
};

/// No other file of the release is read. Throws kSignature when no trusted key signed the manifest, kStore
/// when there is no such release.
TrustedRelease find_trusted(const Context& context, const std::string& reference,
                            const std::vector<std::string>& public_keys);

/// A document of a release whose manifest is trusted, with the digest that this says. Throws kIntegrity when
/// it has another one, kUsage when the release has no such document.
std::string read_document(const artifacts::Manifest& manifest, const std::filesystem::path& folder,
                          std::string_view name);

/// Declares the release and --public-key.
void declare_trusted(OptionSet& set, std::string& reference, std::vector<std::string>& public_keys);

}  // namespace imgforge::cli
