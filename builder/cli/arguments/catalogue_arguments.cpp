#include "builder/cli/arguments/catalogue_arguments.hpp"

#include <fmt/format.h>

#include "builder/cli/arguments/build_arguments.hpp"
#include "builder/cli/arguments/keys.hpp"
#include "builder/pull/http_source.hpp"
#include "core/counting.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::cli {

namespace fs = std::filesystem;

void declare_first_root(OptionSet& set, fs::path& root) {
  set.option("--root", root,
             "root.json to begin with, where the catalogue was never seen: got by a way that you trust "
             "[one that keys of the role catalogue signed]");
}

namespace {

/// Only a key that was trusted for this role by its name: an ordinary signing key begins no catalogue.
bool counts_for_catalogues(const signing::TrustStore& trust, const signing::PublicKey& key) {
  try {
    trust.require_valid(key, signing::Role::kCatalogue);
    return trust.is_named_for(key, signing::Role::kCatalogue);
  } catch (const core::Error& error) {
    if (!core::does_not_count(error.reason())) throw;
    return false;
  }
}

}  // namespace

catalogue::Catalogue follow_catalogue(Context& context, const std::string& place,
                                      const fs::path& first_root) {
  const bool is_url = place.find("://") != std::string::npos;
  std::string name = place;
  if (!is_url) {
    const fs::path path = fs::weakly_canonical(place);
    if (!fs::is_directory(path))
      throw core::Error(core::Kind::kUsage, place + " is no folder and no URL of a catalogue");
    name = path.native();
  }
  while (name.size() > 1 && name.ends_with('/')) name.pop_back();
  catalogue::ClientOptions options;
  options.state =
      state_dir() / "catalogues" / core::digest_of(core::HashAlgorithm::kSha256, name).hex().substr(0, 32);
  if (!first_root.empty()) options.first_root = core::read_text_file(first_root, catalogue::kMaxRoot);
  options.now = context.clock.now();
  const signing::TrustStore trust = load_trust({});
  for (const signing::TrustedKey& key : trust.keys()) {
    if (counts_for_catalogues(trust, key.key))
      options.vouching.keys[catalogue::key_id(key.key.point())] = key.key.point();
  }
  options.vouching.threshold = trust.threshold(signing::Role::kCatalogue);
  if (!is_url) return catalogue::refresh(catalogue::folder_source(name), options);
  BuildTools tools(context, {});
  return catalogue::refresh(pull::http_source(tools.toolbox().http, name), options);
}

artifacts::CheckRow freshness(const catalogue::Catalogue& catalogue, const artifacts::VerifyReport& report) {
  artifacts::CheckRow row{artifacts::kManifestFile, "fresh", false, "", core::Kind::kIntegrity,
                          core::Reason::kNone};
  if (!report.manifest) {
    row.detail = "nothing was verified that could be in a catalogue";
    row.reason = core::Reason::kUnsigned;
    return row;
  }
  const artifacts::Manifest& manifest = report.manifest->manifest();
  const auto found = catalogue.targets.find("releases/" + manifest.line() + "/" + manifest.version + "/" +
                                            artifacts::kManifestFile);
  if (found == catalogue.targets.end()) {
    row.detail = fmt::format("catalogue {} does not have it", catalogue.version);
    row.reason = core::Reason::kWrongSubject;
  } else if (found->second.sha256 != report.manifest->digest()) {
    row.detail = fmt::format("catalogue {} has another manifest of that name", catalogue.version);
    row.reason = core::Reason::kDigestMismatch;
  } else if (!found->second.yanked.empty()) {
    row.detail = "was withdrawn: " + core::escaped(found->second.yanked, 300);
    row.reason = core::Reason::kYanked;
  } else {
    row.ok = true;
    row.kind.reset();
    row.detail = fmt::format("fresh catalogue {}, valid until {}; {} there", catalogue.version,
                             catalogue.valid_until, core::escaped(found->second.state, 20));
  }
  return row;
}

}  // namespace imgforge::cli
