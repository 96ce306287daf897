// How commands follow a catalogue: where it is, how trust in it begins, what was seen of it before.
#pragma once

#include <memory>
#include <string>

#include "artifacts/catalogue/client.hpp"
#include "artifacts/check/verify.hpp"
#include "builder/cli/frame/command.hpp"

namespace imgforge::cli {

/// Declares --root.
void declare_first_root(OptionSet& set, std::filesystem::path& root);
/// The catalogue of a URL, a store, an exported tree or a folder of metadata, as of now.
catalogue::Catalogue follow_catalogue(Context& context, const std::string& place,
                                      const std::filesystem::path& first_root);
/// What a catalogue says of a release that was verified, as a further row.
artifacts::CheckRow freshness(const catalogue::Catalogue& catalogue, const artifacts::VerifyReport& report);

}  // namespace imgforge::cli
