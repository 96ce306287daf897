#include "builder/derive/source.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "artifacts/check/release_check.hpp"
#include "artifacts/check/verify.hpp"
#include "artifacts/manifest/formats.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::derive {
namespace {

using artifacts::Manifest;
using artifacts::ManifestArtifact;
using core::Error;
using core::Kind;

Manifest verified(const DeriveRequest& request) {
  if (request.source.archived) {
    throw Error(Kind::kUsage, request.source.reference() + " is archived")
        .hint("imgforge restore " + request.source.reference());
  }
  const artifacts::VerifyReport report =
      artifacts::verify_release(request.source.directory, {request.signature, {}, artifacts::Extras::kNote});
  if (report.ok()) return report.manifest->manifest();
  for (const artifacts::CheckRow& row : report.rows) {
    if (row.ok) continue;
    throw Error(row.kind.value_or(Kind::kIntegrity),
                fmt::format("{} is not used: {} {}: {}", request.source.reference(), row.check,
                            core::escaped(row.subject, 200), row.detail))
        .hint("imgforge verify " + request.source.directory.native() + " says more");
  }
  throw Error(Kind::kSignature,
              request.source.reference() + " is not used: it is not signed by a trusted key");
}

}  // namespace

Source::Source(stages::Toolbox& tools, const DeriveRequest& request, std::filesystem::path folder)
    : reference_(request.source.reference()),
      directory_(request.source.directory),
      folder_(std::move(folder)) {
  core::Activity activity = tools.progress.begin(request.source.line + "/source");
  manifest_ = verified(request);
  activity.done(manifest_.stem() + " · signature and digests agree");
}

TakenFile Source::take(const ManifestArtifact& artifact) const {
  const std::filesystem::path copy = folder_ / ("taken." + artifact.file);
  if (!exists(copy)) core::clone_file(directory_ / artifact.file, copy);
  const core::Digest found = core::digest_of_file(core::HashAlgorithm::kSha256, copy);
  if (found != artifact.sha256) {
    std::filesystem::remove(copy);
    throw Error(Kind::kIntegrity, fmt::format("{} is not used: digest {}: sha256 is {}, the manifest says {}",
                                              reference_, artifact.file, found.hex(), artifact.sha256.hex()))
        .hint("it changed after it was verified");
  }
  return {copy, found};
}

std::optional<artifacts::Document> Source::document(std::string_view file) const {
  for (const artifacts::ManifestDocument& row : manifest_.documents) {
    if (row.file != file) continue;
    artifacts::Document found{row.file, core::read_text_file(directory_ / row.file, row.size)};
    if (core::digest_of(core::HashAlgorithm::kSha256, found.content) == row.sha256) return found;
    throw Error(Kind::kIntegrity,
                fmt::format("{} is not used: digest {}: not what the manifest says", reference_, row.file))
        .hint("it changed after it was verified");
  }
  return std::nullopt;
}

const ManifestArtifact* Source::find(std::string_view format) const {
  const auto found =
      std::find_if(manifest_.artifacts.begin(), manifest_.artifacts.end(),
                   [&](const ManifestArtifact& row) { return row.format == format && is_image(row); });
  return found == manifest_.artifacts.end() ? nullptr : &*found;
}

Error Source::lacks(std::string_view wanted) const {
  std::vector<std::string> there;
  for (const ManifestArtifact& artifact : manifest_.artifacts) {
    if (is_image(artifact)) there.push_back(artifact.format);
  }
  return {Kind::kUsage,
          fmt::format("{} has no {}; it has {}", manifest_.stem(), wanted, core::join(there, ", "))};
}

void check_format_name(const std::string& format) {
  if (artifacts::find_format(format) != nullptr) return;
  const std::vector<std::string> names(artifacts::kFormatNames.begin(), artifacts::kFormatNames.end());
  Error error(Kind::kUsage, fmt::format("there is no format \"{}\"", core::escaped(format, 100)));
  const std::string near = core::nearest_word(format, names);
  throw error.hint(near.empty() ? "one of " + core::join(names, ", ") : "did you mean " + near + "?");
}

}  // namespace imgforge::derive
