#include "builder/steps/root/base.hpp"

#include <fmt/format.h>

#include "builder/engine/result.hpp"
#include "builder/fetch/apk/repository/base_contents.hpp"
#include "builder/recipe/show/show.hpp"
#include "builder/steps/profile/code_digests.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"

namespace imgforge::steps {
namespace {

/// Mirrors are where bytes come from, not what they are: they stay out.
std::string parameters_of(const Profile& profile) {
  core::Json base = profile.canonical.json().at("base");
  if (base.is_object() && base.contains("alpine")) base.at("alpine").erase("mirrors");
  return core::Json{{"base", base}}.dump();
}

std::string summary_of(const recipe::Base& base) {
  if (const auto* alpine = std::get_if<recipe::AlpineBase>(&base))
    return fmt::format("Alpine {} {} {}", alpine->release, alpine->arch, alpine->flavor);
  return "the host's static busybox and Debian kernel";
}

}  // namespace

engine::Ref<BaseSource> add_base_source(engine::Graph& graph, Profile& profile) {
  engine::Step<BaseSource> step;
  step.id = profile.id("base source");
  step.kind = "base source";
  step.parameters = profile.canonical.json().at("base").dump();
  step.is_common = true;
  step.freshness = engine::Freshness::kAsked;
  step.lane = kNetworkLane;
  step.is_shown = false;
  step.unknown = "its source was never fetched";
  step.make = [&profile](engine::Context& context) {
    context.say("looking for it");
    Toolbox tools = profile.tools_for(context);
    const ProfileOptions& options = profile.options;
    const auto& locked = options.keeping ? std::optional(options.keeping->old) : options.locked;
    return core::while_doing("looking for the base",
                             [&] { return BaseSource{stages::find_base(tools, profile.recipe, locked)}; });
  };
  return graph.add(std::move(step), engine::transient<BaseSource>());
}

engine::Ref<BaseResult> add_base(engine::Graph& graph, Profile& profile, engine::Ref<BaseSource> source) {
  engine::Step<BaseResult> step;
  step.id = profile.id("base");
  step.kind = "base";
  step.is_common = true;
  step.summary = summary_of(profile.recipe.base);
  step.parameters = parameters_of(profile);
  step.inputs = {engine::value_of(source)};
  step.lane = kNetworkLane;
  if (!profile.is_alpine())
    step.tools = [] { return code_of({"builder/stages/embedded_base", "builder/stages/host_files"}); };
  step.make = [&profile, source](engine::Context& context) {
    const stages::BaseOrigin& origin = context[source].origin;
    Toolbox tools = profile.tools_for(context);
    const artifacts::VerifiedFile file = stages::obtain_base(tools, origin);
    BaseResult result{.sha256 = file.digest(), .size = file.size(), .title = origin.title};
    if (profile.recipe.iso_base() == nullptr) {
      fetch::BaseContents contents = fetch::read_base(file);
      result.newest = contents.newest;
      result.keys = std::move(contents.keys);
      result.apk = std::move(contents.apk);
    }
    if (origin.embedded)
      result.host_files = stages::look_up_host_files({origin.embedded->kernel, origin.embedded->busybox},
                                                     tools.processes, tools.cancel);
    return result;
  };
  step.words = [](const BaseResult& result) {
    return fmt::format("{} · {}", result.title, core::Bytes{result.size}.human());
  };
  return graph.add(std::move(step), engine::recorded<BaseResult>());
}

}  // namespace imgforge::steps
