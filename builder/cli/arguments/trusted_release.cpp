#include "builder/cli/arguments/trusted_release.hpp"

#include <fmt/format.h>

#include "artifacts/check/verify.hpp"
#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"

namespace imgforge::cli {
namespace {

constexpr std::uint64_t kLongestDocument = 64 << 20;

}  // namespace

TrustedRelease find_trusted(const Context& context, const std::string& reference,
                            const std::vector<std::string>& public_keys) {
  const artifacts::Store store = open_store(context);
  const artifacts::ReleaseLocation release = artifacts::find_release(store, reference);
  artifacts::VerifyOptions options;
  options.contents = artifacts::Contents::kLeave;
  options.signature = trusting(public_keys);
  const artifacts::VerifyReport report = artifacts::verify_release(release.directory, options);
  if (!report.manifest) {
    throw core::Error(core::Kind::kSignature,
                      release.reference() + " has no manifest that a trusted key signed")
        .hint("imgforge verify " + release.directory.native() + " says why");
  }
  return {release, *report.manifest};
}

std::string read_document(const artifacts::Manifest& manifest, const std::filesystem::path& folder,
                          std::string_view name) {
  for (const artifacts::ManifestDocument& row : manifest.documents) {
    if (row.file != name) continue;
    std::string text = core::read_text_file(folder / row.file, kLongestDocument);
    if (core::digest_of(core::HashAlgorithm::kSha256, text) == row.sha256) return text;
    throw core::Error(core::Kind::kIntegrity,
                      (folder / row.file).native() + " is not what the manifest says");
  }
  if (const auto& derived = manifest.derived_from) {
    throw core::Error(core::Kind::kUsage, fmt::format("{} {} was made from {} ({})", manifest.line(),
                                                      manifest.version, derived->release, derived->operation))
        .hint("rebuild that one");
  }
  throw core::Error(core::Kind::kUsage,
                    fmt::format("{} {} was published without {}", manifest.line(), manifest.version, name))
      .hint("releases keep it since imgforge has the command rebuild");
}

void declare_trusted(OptionSet& set, std::string& reference, std::vector<std::string>& public_keys) {
  set.positional("release", reference, "LINE (its current release), LINE@VERSION, LINE-VERSION or a path")
      .required();
  declare_public_keys(set, public_keys);
}

}  // namespace imgforge::cli
