// A release whose manifest a trusted key signed, for commands that only tell what stands in it.
#pragma once

#include <string>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "artifacts/store/release_reference.hpp"
#include "builder/cli/command.hpp"

namespace imgforge::cli {

struct TrustedRelease {
  artifacts::ReleaseLocation location;
  artifacts::SignedManifest manifest;
};

/// No other file of the release is read. Throws kSignature when no trusted key signed the manifest, kStore
/// when there is no such release.
TrustedRelease find_trusted(const Context& context, const std::string& reference,
                            const std::vector<std::string>& public_keys);

/// Declares the release and --public-key.
void declare_trusted(OptionSet& set, std::string& reference, std::vector<std::string>& public_keys);

}  // namespace imgforge::cli
