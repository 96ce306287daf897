#include "builder/steps/image/remaster.hpp"

#include <fmt/format.h>

#include "artifacts/codec/gzip.hpp"
#include "builder/engine/result.hpp"
#include "builder/guest/apk/apkovl.hpp"
#include "builder/image/medium/alpine_iso.hpp"
#include "builder/image/write_file.hpp"
#include "builder/recipe/show/show.hpp"
#include "builder/stages/medium.hpp"
#include "builder/steps/profile/code_digests.hpp"
#include "core/bytes.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"

namespace imgforge::steps {
namespace {

constexpr const char* kFormat = "iso";
constexpr std::uint64_t kConfigurationLimit = std::uint64_t{1} << 30;

std::string parameters_of(const Profile& profile) {
  const core::Json& all = profile.canonical.json();
  core::Json out = core::Json::parse(customisation_parameters(profile));
  out.erase("run");
  out["packages"] = all.at("packages").at("add");
  out["iso"] = all.at("iso");
  return out.dump();
}

RemasterResult make(Profile& profile, const BaseResult& base) {
  const recipe::ResolvedRecipe& recipe = profile.recipe;
  Toolbox& tools = profile.tools;
  const core::TempDir work(profile.work.path(), "remaster");
  const artifacts::VerifiedFile file = profile.blob(base.sha256);
  const image::AlpineIso iso = core::while_doing("examining " + base.title, [&] {
    return image::examine_alpine_iso(file.path(), recipe.iso_base()->arch, work.path(), tools.processes,
                                     tools.cancel);
  });
  const stages::Medium medium = core::while_doing("reading " + base.title, [&] {
    return stages::read_medium(tools, recipe, file.path(), iso, work.path());
  });
  image::RemasterSpec spec;
  spec.volume_id = recipe.iso_volume_id;
  spec.name = guest::apkovl_name(recipe);
  spec.content = work / "apkovl.tar.gz";
  spec.epoch = core::source_date_epoch().value_or(iso.facts.modified);
  const std::filesystem::path tar = work / "apkovl.tar";
  guest::write_apkovl(recipe, medium.facts, spec.epoch, tar);
  image::write_file(spec.content, artifacts::gzip(core::read_text_file(tar, kConfigurationLimit)));
  const std::filesystem::path output = work / "artifact.iso";
  image::remaster_iso(file.path(), iso, spec, output, tools.processes, tools.cancel);
  const artifacts::VerifiedFile made = tools.blobs.adopt(output);
  RemasterResult result;
  const std::string volume = spec.volume_id.empty() ? iso.facts.volume_id : spec.volume_id;
  result.artifact.files_of_format.push_back(
      {"image", made.digest(), made.size(), 0, {{"volume_id", volume}}});
  result.kernel = medium.kernel_release;
  for (const fetch::IndexEntry& package : medium.packages) result.packages.push_back(package.full_name());
  return result;
}

}  // namespace

engine::Ref<RemasterResult> add_remaster(engine::Graph& graph, Profile& profile,
                                         engine::Ref<BaseResult> base) {
  engine::Step<RemasterResult> step;
  step.id = profile.id(kFormat);
  step.kind = "remaster";
  step.summary = "Alpine's medium with the recipe's configuration";
  step.parameters = parameters_of(profile);
  step.inputs = {engine::bytes_of(base)};
  step.tools = [&profile] {
    engine::Tools tools = format_tools(profile.tools, profile.recipe, kFormat);
    tools.merge(customisation_tools(profile.recipe));  // the medium holds the customisation itself
    tools.merge(code_of({"builder/image", "builder/stages/medium"}));
    return tools;
  };
  step.make = [&profile, base](engine::Context& context) { return make(profile, context[base]); };
  step.words = [](const RemasterResult& result) {
    return fmt::format("{} · {} packages at start", artifact_words(result.artifact), result.packages.size());
  };
  return graph.add(std::move(step), engine::recorded<RemasterResult>());
}

}  // namespace imgforge::steps
