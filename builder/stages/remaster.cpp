#include "builder/stages/remaster.hpp"

#include <fmt/format.h>

#include "artifacts/gzip.hpp"
#include "builder/fetch/url.hpp"
#include "builder/guest/apkovl.hpp"
#include "builder/image/alpine_iso.hpp"
#include "builder/image/write_file.hpp"
#include "builder/stages/medium.hpp"
#include "builder/stages/sources.hpp"
#include "builder/stages/step_inputs.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::stages {
namespace {

namespace fs = std::filesystem;
using plan::StepKind;

constexpr const char* kFormat = "iso";
constexpr std::uint64_t kConfigurationLimit = std::uint64_t{1} << 30;

class Remaster {
 public:
  Remaster(Toolbox& tools, const recipe::ResolvedRecipe& recipe, StepRunner& runner,
           std::optional<LockedSources> locked)
      : tools_(tools),
        recipe_(recipe),
        runner_(runner),
        locked_(locked),
        plan_(plan::make_plan(recipe)),
        work_(tools.scratch(), "remaster") {}

  BuiltProfile run() {
    origin_ = core::while_doing("looking for the base", [&] { return find_base(tools_, recipe_, locked_); });
    const artifacts::VerifiedFile base = this->base();
    const core::Json made = runner_.run(
        plan_.at(recipe_.line() + "/" + kFormat), remaster_inputs(base.digest()),
        artifact_tools(tools_, recipe_, kFormat),
        [&](const core::Json& result) { return tools_.blobs.find_again(result_digest(result)).has_value(); },
        [&] { return make(base); },
        [](const core::Json& result) {
          return fmt::format("{} · {} packages at start", result_size(result), result.at("packages").size());
        });
    return built(base, made);
  }

 private:
  artifacts::VerifiedFile base() {
    std::optional<artifacts::VerifiedFile> file;
    runner_.run(
        plan_.at(recipe_.line() + "/base"), origin_.identity, core::Json::object(),
        [&](const core::Json& result) {
          file = tools_.blobs.find(result_digest(result));
          return file.has_value();
        },
        [&] {
          file = obtain_base(tools_, origin_);
          return blob_result(*file);
        },
        [&](const core::Json& result) { return origin_.title + " · " + result_size(result); });
    return *file;
  }

  core::Json make(const artifacts::VerifiedFile& base) {
    const std::string& arch = recipe_.iso_base()->arch;
    const image::AlpineIso iso = core::while_doing("examining " + origin_.title, [&] {
      return image::examine_alpine_iso(base.path(), arch, work_.path(), tools_.processes, tools_.cancel);
    });
    const Medium medium = core::while_doing("reading " + origin_.title, [&] {
      return read_medium(tools_, recipe_, base.path(), iso, work_.path());
    });
    image::RemasterSpec spec;
    spec.volume_id = recipe_.iso_volume_id;
    spec.name = guest::apkovl_name(recipe_);
    spec.content = work_ / "apkovl.tar.gz";
    spec.epoch = source_date_epoch().value_or(iso.facts.modified);
    const fs::path tar = work_ / "apkovl.tar";
    guest::write_apkovl(recipe_, medium.facts, spec.epoch, tar);
    image::write_file(spec.content, artifacts::gzip(core::read_text_file(tar, kConfigurationLimit)));
    const fs::path output = work_ / "artifact.iso";
    image::remaster_iso(base.path(), iso, spec, output, tools_.processes, tools_.cancel);
    core::Json result = blob_result(tools_.blobs.adopt(output));
    result["volume_id"] = spec.volume_id.empty() ? iso.facts.volume_id : spec.volume_id;
    result["kernel"] = medium.kernel_release;
    result["packages"] = core::Json::array();
    for (const fetch::IndexEntry& package : medium.packages)
      result["packages"].push_back(package.full_name());
    return result;
  }

  BuiltProfile built(const artifacts::VerifiedFile& base, const core::Json& made) {
    const auto file = tools_.blobs.find_again(result_digest(made));
    if (!file) throw core::Error(core::Kind::kIo, "the cache lost the medium while it was used");
    BuiltProfile built;
    built.artifacts.push_back({kFormat, "image", *file, 0, {{"volume_id", made.at("volume_id")}}});
    const fetch::BaseSource& source = *origin_.alpine;
    built.base = {"iso", source.version, source.urls.empty() ? "" : fetch::redacted_url(source.urls.front()),
                  base.digest(), base.size()};
    built.kernel_release = made.at("kernel");
    return built;
  }

  Toolbox& tools_;
  const recipe::ResolvedRecipe& recipe_;
  StepRunner& runner_;
  std::optional<LockedSources> locked_;
  plan::Plan plan_;
  core::TempDir work_;
  BaseOrigin origin_;
};

}  // namespace

BuiltProfile remaster(Toolbox& tools, const recipe::ResolvedRecipe& recipe, StepRunner& runner,
                      std::optional<LockedSources> locked) {
  return Remaster(tools, recipe, runner, locked).run();
}

}  // namespace imgforge::stages
