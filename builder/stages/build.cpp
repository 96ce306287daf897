#include "builder/stages/build.hpp"

#include <fmt/format.h>

#include "artifacts/formats.hpp"
#include "builder/stages/boot_paths.hpp"
#include "builder/stages/boot_test.hpp"
#include "builder/stages/profile_build.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::stages {
namespace {

using artifacts::ManifestBoot;
using plan::StepKind;

artifacts::Version release_version(const std::string& text) {
  if (const auto version = artifacts::Version::parse(text)) return *version;
  throw core::Error(core::Kind::kRecipe, "\"" + text + "\" cannot be the version of a release");
}

class Release {
 public:
  Release(Toolbox& tools, const BuildRequest& request, const recipe::ResolvedRecipe& recipe)
      : tools_(tools), request_(request), recipe_(recipe), runner_(tools) {}

  ProfileOutcome run() {
    const BuiltProfile built = ProfileBuild(tools_, recipe_, runner_).run();
    ProfileOutcome outcome;
    outcome.line = recipe_.line();
    if (request_.boot_test == BootTest::kYes) outcome.boots = boot(built);
    const artifacts::PublishResult published = publish(built, outcome.boots);
    outcome.outcome = published.outcome;
    outcome.manifest = published.manifest;
    outcome.directory = published.directory;
    outcome.steps = runner_.reports();
    return outcome;
  }

 private:
  /// The step that boots an artifact; its evidence stands for as long as image, firmware and demands are the
  /// same.
  std::vector<ManifestBoot> boot(const BuiltProfile& built) {
    std::vector<ManifestBoot> boots;
    for (const BuiltArtifact& artifact : built.artifacts) {
      if (artifact.format != "qcow2" && artifact.format != "raw") continue;
      const core::Json inputs{{"artifact", artifact.file.digest().hex()}};
      const core::Json parameters{
          {"memory", recipe_.requirements.memory.value},
          {"cpus", recipe_.requirements.cpus},
          {"accelerator", machine::accelerator_name(tools_.accelerator().accelerator)},
          {"expect", recipe_.boot_expect}};
      const plan::Step step{StepKind::kBootTest,      recipe_.line(), artifact.format,
                            "boots in each firmware", parameters,     {}};
      const core::Json result = runner_.run(
          step, inputs, core::Json::object(), [](const core::Json&) { return true; },
          [&] {
            BootRequest request;
            request.image = artifact.file.path();
            request.format = artifact.format;
            request.paths = boot_paths_of(artifact.format);
            request.name = artifact.format;
            request.requirements = recipe_.requirements;
            request.expect = recipe_.boot_expect;
            return boots_json(boot_through_firmware(request, tools_.accelerator().accelerator,
                                                    tools_.scratch(), tools_.progress, tools_.cancel));
          },
          [](const core::Json& rows) { return boots_text(boots_from(rows)); });
      for (ManifestBoot& row : boots_from(result)) boots.push_back(std::move(row));
    }
    return boots;
  }

  artifacts::PublishResult publish(const BuiltProfile& built, const std::vector<ManifestBoot>& boots) {
    artifacts::PublishRequest publish;
    publish.name = recipe_.name;
    publish.profile = recipe_.profile;
    publish.version = release_version(recipe_.version);
    publish.cancel = tools_.cancel;
    publish.sign = request_.sign;
    for (const BuiltArtifact& artifact : built.artifacts) {
      const artifacts::Format& format = *artifacts::find_format(artifact.format);
      std::map<std::string, std::string> media = artifact.media;
      if (format.files.size() > 1) media["role"] = artifact.role;
      publish.artifacts.push_back({artifact.file.path(),
                                   std::string(artifacts::format_suffix(format, artifact.role)),
                                   artifact.format, artifact.virtual_size, std::move(media)});
    }
    publish.finalise = [&](artifacts::Manifest& manifest) {
      complete(manifest, built, boots);
      return std::vector<artifacts::Document>{};
    };
    artifacts::PublishResult result;
    const plan::Step step{StepKind::kRelease, recipe_.line(), "", "", core::Json::object(), {}};
    runner_.always(step, [&] {
      result = artifacts::Store::create(request_.output_dir).publish(publish);
      const bool found = result.outcome == artifacts::PublishOutcome::kIdentical;
      return fmt::format("{}{}", result.manifest.version, found ? " is there already" : "");
    });
    return result;
  }

  void complete(artifacts::Manifest& manifest, const BuiltProfile& built,
                const std::vector<ManifestBoot>& boots) const {
    manifest.created = core::iso_time(request_.build_time);
    manifest.recipe_sha256 = request_.recipe_sha256;
    manifest.base = built.base;
    manifest.packages = built.packages;
    manifest.kernel_release = built.kernel_release;
    manifest.kernel_cmdline = built.kernel_cmdline;
    manifest.accelerator = built.accelerator;
    manifest.accelerator_reason = built.accelerator_reason;
    manifest.tool_version = IMGFORGE_VERSION;
    manifest.boot_expect = recipe_.boot_expect;
    manifest.required_memory = recipe_.requirements.memory;
    manifest.required_cpus = recipe_.requirements.cpus;
    for (ManifestBoot boot : boots) {
      for (const artifacts::ManifestArtifact& artifact : manifest.artifacts) {
        if (artifact.format == boot.artifact) boot.artifact = artifact.file;
      }
      manifest.boots.push_back(std::move(boot));
    }
  }

  Toolbox& tools_;
  const BuildRequest& request_;
  const recipe::ResolvedRecipe& recipe_;
  StepRunner runner_;
};

}  // namespace

std::vector<ProfileOutcome> build(Toolbox& tools, const BuildRequest& request) {
  core::TempDir::reclaim(tools.scratch());
  core::TempDir::reclaim(tools.blobs.staging());
  std::vector<ProfileOutcome> outcomes;
  for (const recipe::ResolvedRecipe& recipe : request.profiles) {
    outcomes.push_back(core::while_doing("building " + recipe.line(),
                                         [&] { return Release(tools, request, recipe).run(); }));
  }
  return outcomes;
}

}  // namespace imgforge::stages
