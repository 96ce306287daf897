#include <fmt/format.h>

#include <algorithm>

#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/arguments/trusted_release.hpp"
#include "builder/cli/frame/columns.hpp"
#include "builder/lock/lock.hpp"
#include "builder/provenance/slsa.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "signing/formats/dsse.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;
using core::Error;
using core::Json;
using core::Kind;

struct Arguments {
  std::string release;
  std::vector<std::string> public_keys;
  std::string format;
  fs::path recipe;
  fs::path lock;
};

std::string words(const Json& value) {
  return core::escaped(value.is_string() ? value.get<std::string>() : value.dump(), 200);
}

/// The predicate as people read it.
std::string as_text(const TrustedRelease& release, const provenance::Statement& statement,
                    const signing::TrustStore& trust) {
  const Json& build = statement.predicate.at("buildDefinition");
  const Json& run = statement.predicate.at("runDetails");
  std::string out =
      fmt::format("{}, says {}\n", release.location.reference(), trust.describe(statement.signers.front()));
  const auto line = [&](const std::string& name, const std::string& value) {
    out += fmt::format("  {:<12} {}\n", name, value);
  };
  line("builder", words(run.at("builder").at("id")));
  line("build type", words(build.at("buildType")));
  line("time", words(run.at("metadata").at("startedOn")));
  for (const auto& [name, value] : build.at("externalParameters").items())
    line(core::escaped(name, 40), words(value));
  for (const auto& [name, value] : build.at("internalParameters").items())
    line(core::escaped(name, 40), words(value));
  out += "  made from\n";
  for (const Json& row : build.at("resolvedDependencies"))
    out += fmt::format("    {} sha256 {}...\n", padded_to_columns(words(row.at("name")), 44),
                       core::escaped(row.at("digest").at("sha256").get<std::string>().substr(0, 16)));
  return out;
}

/// What of a release's own lock another lock says otherwise, or not at all.
std::vector<std::string> differences(const lock::Lock& released, const lock::Lock& other) {
  std::vector<std::string> found;
  for (const lock::LockedBase& base : released.bases) {
    if (std::find(other.bases.begin(), other.bases.end(), base) == other.bases.end())
      found.push_back(fmt::format("the base alpine-{} {}", base.flavor, base.version));
  }
  for (const lock::LockedPackage& package : released.packages) {
    const lock::LockedPackage* theirs = other.find_package(package.name, package.version);
    if (theirs == nullptr || theirs->sha256 != package.sha256)
      found.push_back("the package " + package.full_name());
  }
  for (const lock::LockedModel& model : released.models) {
    const lock::LockedModel* theirs = other.find_model(model.model.name, model.model.source.text);
    if (theirs == nullptr || theirs->model.digest() != model.model.digest())
      found.push_back("the model " + model.model.name);
  }
  return found;
}

/// Whether it was built from exactly this.
int check(Context& context, const Arguments& arguments, const TrustedRelease& release) {
  const artifacts::Manifest& manifest = release.manifest.manifest();
  const core::Digest recipe = core::digest_of_file(core::HashAlgorithm::kSha256, arguments.recipe);
  const auto is_released = [&](const artifacts::ManifestDocument& row) {
    return row.file == "recipe.yaml" && row.sha256 == recipe;
  };
  std::vector<std::string> other;
  if (recipe != manifest.recipe_sha256 &&
      std::none_of(manifest.documents.begin(), manifest.documents.end(), is_released))
    other.push_back("the recipe has sha256 " + manifest.recipe_sha256.hex() + ", this one " + recipe.hex());
  if (!arguments.lock.empty()) {
    const lock::Lock released = lock::parse_lock(
        read_document(manifest, release.location.directory, "recipe.lock.json"), "recipe.lock.json");
    const lock::Lock given =
        lock::parse_lock(core::read_text_file(arguments.lock, 64 << 20), arguments.lock.native());
    for (const std::string& row : differences(released, given))
      other.push_back(arguments.lock.native() + " has not " + row);
  }
  if (context.options.json) {
    print(core::print_json({{"schema", 1},
                            {"release", release.location.reference()},
                            {"same", other.empty()},
                            {"differences", other}}));
    return other.empty() ? 0 : core::exit_code(Kind::kIntegrity);
  }
  if (!other.empty())
    throw Error(Kind::kIntegrity, release.location.reference() + " was built from something else: " +
                                      core::escaped(core::join(other, "; "), 1000))
        .reason(core::Reason::kDigestMismatch);
  print(fmt::format("{} was built from {}{}\n", release.location.reference(), arguments.recipe.native(),
                    arguments.lock.empty() ? "" : " and " + arguments.lock.native()));
  return 0;
}

int show(Context& context, const Arguments& arguments) {
  const TrustedRelease release = find_trusted(context, arguments.release, arguments.public_keys);
  const signing::TrustStore trust = load_trust(arguments.public_keys);
  const artifacts::Manifest& manifest = release.manifest.manifest();
  const provenance::Statement statement =
      provenance::read_provenance(release.location.directory, manifest, trust);
  if (!arguments.recipe.empty()) return check(context, arguments, release);
  if (!arguments.lock.empty()) throw Error(Kind::kUsage, "--lock goes with --check");
  if (arguments.format == "intoto") {
    const std::string envelope = core::read_text_file(
        release.location.directory / std::string(provenance::kProvenanceFile), signing::kMaxEnvelope);
    print(signing::DsseEnvelope::parse(envelope).payload + "\n");
  } else if (context.options.json) {
    print(core::print_json(
        {{"schema", 1}, {"release", release.location.reference()}, {"provenance", statement.predicate}}));
  } else {
    print(as_text(release, statement, trust));
  }
  return 0;
}

}  // namespace

Runner declare_provenance(OptionSet& set) {
  auto arguments = std::make_shared<Arguments>();
  declare_trusted(set, arguments->release, arguments->public_keys);
  arguments->format = "text";
  set.option("--format", arguments->format, "text, or intoto for the statement as it was signed")
      .one_of({"text", "intoto"});
  set.option("--check", arguments->recipe, "was it built from exactly this recipe?");
  set.option("--lock", arguments->lock, "with --check: and from what this lock names?");
  set.set_footer("Example: imgforge provenance hello-boot --check hello-boot.yaml");
  return [arguments](Context& context) { return show(context, *arguments); };
}

}  // namespace imgforge::cli
