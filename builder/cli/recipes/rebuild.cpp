#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "artifacts/check/verify.hpp"
#include "artifacts/store/add_companion.hpp"
#include "artifacts/store/release_reference.hpp"
#include "builder/cli/arguments/build_arguments.hpp"
#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "builder/cli/arguments/trusted_release.hpp"
#include "builder/cli/images/compare_files.hpp"
#include "builder/lock/stale.hpp"
#include "builder/lock/vendor.hpp"
#include "builder/provenance/rebuilt.hpp"
#include "builder/recipe/resolve.hpp"
#include "builder/steps/build.hpp"
#include "builder/steps/release/release_lock.hpp"
#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;
using core::Error;
using core::Kind;

struct Arguments {
  std::string release;
  fs::path sources;
  BuildArguments build;
  fs::path signing_key;
  PassphraseArguments passphrase;
  bool attest = false;
  fs::path output;
  std::string builder_id;
  std::shared_ptr<std::vector<std::string>> public_keys;
};

/// Puts files that a released recipe calls by their digests ("sources/<hex>", "sources/<hex>/<name>") where
/// it looks for them, out of any folder that has them under whatever names.
void bring_sources(const std::vector<std::string>& names, const fs::path& from, const fs::path& folder) {
  std::multimap<std::string, std::string> wanted;  // by digest
  for (const std::string& name : names) {
    const fs::path path(name);
    wanted.emplace(std::next(path.begin())->native(), name);
  }
  if (wanted.empty()) return;
  if (!from.empty()) {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(from)) {
      if (entry.is_symlink() || !entry.is_regular_file()) continue;
      const std::string digest = core::digest_of_file(core::HashAlgorithm::kSha256, entry.path()).hex();
      const auto [begin, end] = wanted.equal_range(digest);
      for (auto row = begin; row != end; ++row) {
        fs::create_directories((folder / row->second).parent_path());
        core::clone_file(entry.path(), folder / row->second);
      }
      wanted.erase(begin, end);
      if (wanted.empty()) return;
    }
  }
  std::vector<std::string> missing;
  for (const auto& [digest, name] : wanted) {
    const std::string file = fs::path(name).filename();
    missing.push_back("sha256:" + digest + (file == digest ? "" : " (" + core::escaped(file, 80) + ")"));
  }
  throw Error(Kind::kUsage, fmt::format("files that the recipe copied or trusted are not in the release: {}",
                                        core::join(missing, ", ")))
      .hint("--sources names a folder that has them, such as the recipe's; their names do not matter");
}

/// Programs that wrote the release and are of another version now: a reason for other bytes.
std::string other_tools(stages::Toolbox& tools, const recipe::ResolvedRecipe& recipe,
                        const artifacts::Manifest& manifest, const lock::Lock& lock) {
  std::vector<std::string> words;
  if (manifest.tool_version != IMGFORGE_VERSION)
    words.push_back(fmt::format("imgforge {}, here " IMGFORGE_VERSION, manifest.tool_version));
  for (const auto& [name, version] : steps::format_tools(tools, recipe)) {
    const auto then = lock.tools.find(name);
    if (then == lock.tools.end() || then->second == version) continue;
    words.push_back(fmt::format("{} {}, here {}", name, core::escaped(then->second, 60), version));
  }
  return core::join(words, "; ");
}

/// Where the statement of whoever signs goes: to a file of its own, or beside the release's manifest.
fs::path attest(Context& context, const Arguments& arguments, const artifacts::Store& store,
                const artifacts::ReleaseLocation& location, const artifacts::Manifest& published,
                const signing::Signer& signer) {
  const core::Digest manifest_sha256 =
      core::digest_of_file(core::HashAlgorithm::kSha256, location.directory / artifacts::kManifestFile);
  const std::string text = provenance::make_rebuilt(published, manifest_sha256, arguments.builder_id,
                                                    core::build_time(context.clock), signer);
  const std::string name = provenance::rebuilt_file(signer);
  if (!arguments.output.empty()) {
    core::write_file_atomically(arguments.output, text);
    return arguments.output;
  }
  return artifacts::add_companion(store, location, name, text, "rebuild", {.cancel = context.cancel});
}

int rebuild(Context& context, Arguments& arguments) {
  const artifacts::Store store = open_store(context);
  const artifacts::ReleaseLocation location = artifacts::find_release_in_place(store, arguments.release);
  const artifacts::SignatureCheck signature = trusting(*arguments.public_keys);
  const artifacts::Manifest published = artifacts::trusted_manifest(location.directory, signature);
  const core::TempDir folder(fs::absolute(context.options.cache_dir) / "tmp", "rebuild");
  const fs::path recipe_file = folder / std::string(steps::kReleasedRecipe);
  core::write_file_atomically(recipe_file,
                              read_document(published, location.directory, steps::kReleasedRecipe));
  const lock::Lock lock = lock::parse_lock(read_document(published, location.directory, steps::kReleasedLock),
                                           steps::kReleasedLock);
  bring_sources(recipe::named_files(recipe::load_recipe(recipe_file)), arguments.sources, folder.path());

  steps::BuildRequest request;
  request.release.build_time = core::build_time(context.clock);
  arguments.build.recipe->file = recipe_file;
  request.profiles = resolve_profiles(*arguments.build.recipe, request.release.build_time);
  const recipe::ResolvedRecipe& recipe = request.profiles.at(0);
  if (const auto stale = lock::find_staleness(lock, recipe))
    throw Error(Kind::kIntegrity, "recipe and lock of the release do not belong together: " + stale->text);
  request.lock = lock;
  request.release.recipe_sha256 = published.recipe_sha256;
  request.release.is_draft = published.is_draft;
  request.release.output_dir = folder / "out";
  const bool signs_a_list =
      std::any_of(recipe.models.begin(), recipe.models.end(),
                  [](const recipe::Model& model) { return model.when == recipe::ModelTime::kFirstBoot; });
  signing::Signer signer;
  if (signs_a_list || arguments.attest)
    signer = make_signer(context, arguments.signing_key, arguments.passphrase);
  if (signs_a_list) request.release.signer = signer;
  BuildTools tools(context, arguments.build, CacheUse::kWrite, artifacts::Earlier::kForget, Known::kForget);
  if (!arguments.build.vendored.empty())
    lock::import_vendored(tools.toolbox().fetch_context(), lock, arguments.build.vendored);
  const steps::ProfileOutcome outcome = steps::build(tools.toolbox(), request).at(0);

  const std::vector<ComparedPair> pairs =
      differing_artifacts(published, location.directory, outcome.manifest, outcome.directory);
  if (!pairs.empty()) {
    const std::string tools_then = other_tools(tools.toolbox(), recipe, published, lock);
    throw Error(Kind::kIntegrity, fmt::format("{} was published with other bytes: {}", location.reference(),
                                              explain_pairs(context, pairs)))
        .hint(tools_then.empty() ? "was it built with another SOURCE_DATE_EPOCH, or another base of the host?"
                                 : "it was made with " + tools_then);
  }
  fs::path attested;
  if (arguments.attest) attested = attest(context, arguments, store, location, published, signer);
  core::Json files = core::Json::array();
  for (const artifacts::ManifestArtifact& artifact : published.artifacts)
    files.push_back({{"file", artifact.file}, {"sha256", artifact.sha256.hex()}});
  core::Json result{{"schema", 1}, {"release", location.reference()}, {"files", files}};
  if (!attested.empty()) result["statement"] = attested.native();
  print(context.options.json ? core::print_json(result)
                             : fmt::format("{}: rebuilt, {} file{} the same bytes\n{}", location.reference(),
                                           files.size(), files.size() == 1 ? "" : "s",
                                           attested.empty() ? "" : "stated in " + attested.native() + "\n"));
  return 0;
}

}  // namespace

Runner declare_rebuild(OptionSet& set) {
  auto arguments = std::make_shared<Arguments>();
  arguments->build.recipe = std::make_shared<RecipeArguments>();
  set.positional("release", arguments->release, "LINE, LINE@VERSION, LINE-VERSION or a path").required();
  set.option("--sources", arguments->sources,
             "a folder with the files that the recipe copied or trusted and that the release does not hold; "
             "found by digest");
  set.option("--mirror", arguments->build.recipe->mirrors, "take packages from here; repeatable");
  set.option("--vendor", arguments->build.vendored,
             "folder made by imgforge vendor: take everything from it, use no network");
  declare_network(set, arguments->build);
  declare_isolation(set, arguments->build.isolation);
  set.option(
      "--signing-key", arguments->signing_key,
      "secret key that signs lists of models for the first start, and --attest [the only one of imgforge "
      "key show]");
  declare_passphrase(set, arguments->passphrase);
  const Option attest =
      set.flag("--attest", arguments->attest,
               "when all bytes are the same, say so in a signed statement beside the release");
  set.option("--output", arguments->output, "file for the statement, instead").needs(attest);
  declare_builder_id(set, arguments->builder_id);
  arguments->public_keys = declare_public_keys(set);
  set.set_footer(
      "Builds the release again, from nothing but the recipe and lock that it keeps, and compares the "
      "bytes;\n"
      "where they differ, it says where, as diff --bytes does. Publishes nothing.\n"
      "Example: imgforge rebuild hello-boot");
  return [arguments](Context& context) { return rebuild(context, *arguments); };
}

}  // namespace imgforge::cli
