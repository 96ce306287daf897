#include "builder/provenance/slsa.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "builder/lock/lock.hpp"
#include "builder/sbom/facts.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "signing/formats/dsse.hpp"

namespace imgforge::provenance {
namespace {

using artifacts::Manifest;
using core::Json;

constexpr std::string_view kReleasedLock = "recipe.lock.json";

/// A resource descriptor; what is not known is left out.
Json resource(const std::string& name, const std::string& uri, const core::Digest& sha256) {
  Json row{{"name", name}};
  if (!uri.empty()) row["uri"] = uri;
  row["digest"] = {{"sha256", sha256.hex()}};
  return row;
}

void add_documents(Json& rows, const std::vector<artifacts::Document>& documents) {
  for (const artifacts::Document& document : documents) {
    if (document.file == "recipe.yaml" || document.file == kReleasedLock)
      rows.push_back(
          resource(document.file, "", core::digest_of(core::HashAlgorithm::kSha256, document.content)));
  }
}

void add_packages(Json& rows, const Manifest& manifest) {
  for (const artifacts::ManifestPackage& package : manifest.packages) {
    if (package.from_base) continue;
    rows.push_back(resource(fmt::format("package {}-{}", package.name, package.version),
                            sbom::purl_of(package, manifest.base), package.sha256));
  }
}

void add_models(Json& rows, const Manifest& manifest) {
  for (const artifacts::ManifestModel& model : manifest.models)
    rows.push_back(
        resource("model " + model.name, model.purl.empty() ? sbom::url_of(model) : model.purl, model.sha256));
}

std::optional<lock::Lock> lock_among(const std::vector<artifacts::Document>& documents) {
  for (const artifacts::Document& document : documents) {
    if (document.file == kReleasedLock) return lock::parse_lock(document.content, kReleasedLock);
  }
  return std::nullopt;
}

Json formats_of(const Manifest& manifest) {
  std::set<std::string> names;
  for (const artifacts::ManifestArtifact& artifact : manifest.artifacts) names.insert(artifact.format);
  return names;
}

/// Of a build from a recipe.
Json recipe_definition(const Manifest& manifest, const std::vector<artifacts::Document>& documents) {
  const std::optional<lock::Lock> lock = lock_among(documents);
  Json dependencies = Json::array({resource("recipe", "", manifest.recipe_sha256)});
  add_documents(dependencies, documents);
  dependencies.push_back(resource(fmt::format("base {} {}", manifest.base.kind, manifest.base.release),
                                  manifest.base.url, manifest.base.sha256));
  if (lock) {
    for (const lock::LockedIndex& index : lock->indexes)
      dependencies.push_back(resource("index " + index.name, index.url, index.sha256));
  }
  add_packages(dependencies, manifest);
  add_models(dependencies, manifest);
  Json internal{{"isolation", manifest.isolation}};
  if (!manifest.accelerator.empty()) internal["accelerator"] = manifest.accelerator;
  internal["insecure"] = manifest.insecure;
  if (lock && !lock->tools.empty()) internal["tools"] = lock->tools;
  return {{"buildType", kRecipeBuild},
          {"externalParameters",
           {{"recipe", {{"sha256", manifest.recipe_sha256.hex()}}},
            {"name", manifest.name},
            {"profile", manifest.profile},
            {"version", manifest.version},
            {"formats", formats_of(manifest)}}},
          {"internalParameters", internal},
          {"resolvedDependencies", dependencies}};
}

/// Of a release made from another one.
Json derivation_definition(const Manifest& manifest) {
  const artifacts::ManifestDerivation& derivation = *manifest.derived_from;
  Json dependencies = Json::array();
  for (const core::Digest& digest : derivation.artifacts)
    dependencies.push_back(resource("file of " + derivation.release, "", digest));
  return {{"buildType", kDerivation},
          {"externalParameters",
           {{"release", derivation.release},
            {"operation", derivation.operation},
            {"version", manifest.version},
            {"formats", formats_of(manifest)}}},
          {"internalParameters", {{"insecure", manifest.insecure}}},
          {"resolvedDependencies", dependencies}};
}

}  // namespace

Json provenance_of(const Manifest& manifest, const std::vector<artifacts::Document>& documents,
                   std::string_view builder_id) {
  return {{"buildDefinition",
           manifest.derived_from ? derivation_definition(manifest) : recipe_definition(manifest, documents)},
          {"runDetails",
           {{"builder",
             {{"id", builder_id.empty() ? kAnyBuilder : builder_id},
              {"version", {{manifest.tool_name, manifest.tool_version}}}}},
            {"metadata", {{"startedOn", manifest.created}}}}}};
}

void add_provenance(std::vector<artifacts::Document>& documents, const Manifest& manifest,
                    const signing::Signer& signer, std::string_view builder_id) {
  if (!signer) return;
  std::string statement =
      make_statement(manifest, kProvenanceType, provenance_of(manifest, documents, builder_id));
  documents.push_back({std::string(kProvenanceFile), seal_statement(signer, std::move(statement))});
}

bool has_provenance(const Manifest& manifest) {
  return std::any_of(manifest.documents.begin(), manifest.documents.end(),
                     [](const artifacts::ManifestDocument& row) { return row.file == kProvenanceFile; });
}

Statement read_provenance(const std::filesystem::path& directory, const Manifest& manifest,
                          const signing::TrustStore& trust) {
  if (!has_provenance(manifest))
    throw core::Error(core::Kind::kStore,
                      fmt::format("{} {} has no provenance", manifest.line(), manifest.version))
        .reason(core::Reason::kMissing)
        .hint(manifest.is_unsigned ? "unsigned releases have none"
                                   : "releases have it since imgforge makes it");
  return open_statement(core::read_text_file(directory / kProvenanceFile, signing::kMaxEnvelope), manifest,
                        kProvenanceType, trust);
}

}  // namespace imgforge::provenance
