#include "builder/stages/build.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "artifacts/formats.hpp"
#include "builder/image/enrol_keys.hpp"
#include "builder/stages/boot_paths.hpp"
#include "builder/stages/boot_test.hpp"
#include "builder/stages/profile_build.hpp"
#include "builder/stages/remaster.hpp"
#include "builder/stages/sbom.hpp"
#include "builder/stages/secure_boot_keys.hpp"
#include "builder/stages/step_inputs.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

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
    const std::optional<LockedSources> locked =
        usable_lock(request_.lock ? &*request_.lock : nullptr, recipe_);
    const BuiltProfile built = recipe_.iso_base() != nullptr
                                   ? remaster(tools_, recipe_, runner_, locked)
                                   : ProfileBuild(tools_, recipe_, runner_, locked,
                                                  {request_.sign, request_.public_key, request_.build_time,
                                                   source_date_epoch().has_value()})
                                         .run();
    ProfileOutcome outcome;
    outcome.line = recipe_.line();
    if (request_.boot_test != BootTest::kNo) outcome.boots = boot(built);
    const artifacts::PublishResult published = publish(built, outcome.boots);
    outcome.outcome = published.outcome;
    outcome.manifest = published.manifest;
    require_boots(published.manifest);
    outcome.directory = published.directory;
    outcome.steps = runner_.reports();
    return outcome;
  }

 private:
  /// A release that was there before may have been published without boot tests.
  void require_boots(const artifacts::Manifest& manifest) const {
    if (request_.boot_test != BootTest::kRequired) return;
    const std::vector<std::string> unproven = unproven_boots(manifest);
    if (unproven.empty()) return;
    throw core::Error(core::Kind::kBoot, fmt::format("{} {} was not seen to boot: {}", manifest.line(),
                                                     manifest.version, core::join(unproven, ", ")))
        .hint("it was published before without boot tests: choose another version for this one");
  }

  /// The steps that boot the formats; their evidence stands for as long as image, paths and demands are the
  /// same.
  std::vector<ManifestBoot> boot(const BuiltProfile& built) {
    std::vector<ManifestBoot> boots;
    for (const recipe::Marked& format : recipe_.formats) {
      const std::vector<image::BootPath> paths = boot_paths(built, format.value);
      if (paths.empty()) continue;
      core::Json names = core::Json::array();
      for (const image::BootPath& path : paths) names.push_back(image::boot_path_name(path));
      core::Json files = core::Json::array();
      for (const BuiltArtifact& artifact : built.artifacts) {
        if (artifact.format == format.value) files.push_back(artifact.file.digest().hex());
      }
      const core::Json parameters{
          {"memory", recipe_.requirements.memory.value},
          {"cpus", recipe_.requirements.cpus},
          {"accelerator", machine::accelerator_name(tools_.accelerator().accelerator)},
          {"paths", names},
          {"expect", recipe_.boot_expect}};
      const plan::Step step{StepKind::kBootTest,          recipe_.line(), format.value,
                            "boots by each of its paths", parameters,     {}};
      const core::Json result = runner_.run(
          step, {{"files", files}}, core::Json::object(), [](const core::Json&) { return true; },
          [&] {
            const core::TempDir work(tools_.scratch(), "enrol");
            BootRequest request = boot_request(built, format.value, paths);
            if (recipe_.secure_boot) request.enrolled = enrolled_variables(work.path());
            return boots_json(boot_through_firmware(request, tools_.accelerator().accelerator,
                                                    tools_.scratch(), tools_.progress, tools_.cancel));
          },
          [](const core::Json& rows) { return boots_text(boots_from(rows)); });
      for (ManifestBoot& row : boots_from(result)) boots.push_back(std::move(row));
    }
    return boots;
  }

  /// The file of UEFI variables in which the recipe's keys are enrolled.
  std::filesystem::path enrolled_variables(const std::filesystem::path& work) {
    tools_.progress.update("boot", "enrolling the Secure Boot keys");
    image::BootSpec machine;
    machine.accelerator = tools_.accelerator().accelerator;
    machine.work_dir = work;
    image::enrol_keys(find_secure_boot_keys(tools_, recipe_)->folder, work / "variables.fd", machine,
                      tools_.processes, tools_.cancel);
    return work / "variables.fd";
  }

  /// The paths that a format claims, the kernel can take and the request wants.
  std::vector<image::BootPath> boot_paths(const BuiltProfile& built, const std::string& format) const {
    const bool is_signed = recipe_.secure_boot.has_value();
    std::vector<image::BootPath> paths =
        boot_paths_of(format, is_signed ? BootSigning::kSigned : BootSigning::kNone);
    const auto unwanted = [&](const image::BootPath& path) {
      const auto& wanted = request_.boot_paths;
      return !wanted.empty() && std::find(wanted.begin(), wanted.end(), path) == wanted.end();
    };
    std::erase_if(paths, unwanted);
    const auto lacks = [&](const char* module) {
      return std::find(built.kernel_lacks.begin(), built.kernel_lacks.end(), module) !=
             built.kernel_lacks.end();
    };
    const auto is_stick = [](const image::BootPath& path) {
      return path.attachment == image::Attachment::kStick;
    };
    if ((lacks("usb_storage") || lacks("xhci_hcd")) && std::erase_if(paths, is_stick) > 0) {
      if (request_.boot_test == BootTest::kRequired) {
        throw core::Error(
            core::Kind::kBoot,
            fmt::format("the kernel {} has no USB storage, so {} cannot be seen to boot as a stick",
                        built.kernel_release, format))
            .hint("choose another kernel.package, leave the format out, or use --boot-test");
      }
      tools_.progress.note(fmt::format("the kernel {} has no USB storage: {} is not booted as a stick",
                                       built.kernel_release, format));
    }
    return paths;
  }

  BootRequest boot_request(const BuiltProfile& built, const std::string& format,
                           const std::vector<image::BootPath>& paths) const {
    BootRequest request;
    request.format = format;
    request.name = format;
    request.requirements = recipe_.requirements;
    request.expect = recipe_.boot_expect;
    request.paths = paths;
    for (const BuiltArtifact& artifact : built.artifacts) {
      if (artifact.format != format) continue;
      if (request.image.empty()) request.image = artifact.file.path();
      if (artifact.role == "kernel") request.netboot.kernel = artifact.file.path();
      if (artifact.role == "initramfs") request.netboot.initramfs = artifact.file.path();
      if (artifact.role == "root") request.netboot.root = artifact.file.path();
      if (artifact.role == "script") request.netboot.script = artifact.file.path();
    }
    return request;
  }

  artifacts::PublishResult publish(const BuiltProfile& built, const std::vector<ManifestBoot>& boots) {
    artifacts::PublishRequest publish;
    publish.name = recipe_.name;
    publish.profile = recipe_.profile;
    publish.version = release_version(recipe_.version);
    publish.cancel = tools_.cancel;
    publish.sign = request_.sign;
    publish.signature = request_.signature;
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
      return std::vector<artifacts::Document>{{std::string(kSbomFile), make_sbom(manifest)}};
    };
    artifacts::PublishResult result;
    const plan::Step step{StepKind::kRelease, recipe_.line(), "", "", core::Json::object(), {}};
    runner_.always(step, [&] {
      result = artifacts::Store::create(request_.output_dir).publish(publish);
      const bool found = result.outcome == artifacts::PublishOutcome::kIdentical;
      return fmt::format("{}{}", result.manifest.version, found ? " is there already" : "");
    });
    for (const std::string& warning : result.warnings) tools_.progress.warn(warning);
    return result;
  }

  void complete(artifacts::Manifest& manifest, const BuiltProfile& built,
                const std::vector<ManifestBoot>& boots) const {
    manifest.created = core::iso_time(request_.build_time);
    manifest.recipe_sha256 = request_.recipe_sha256;
    manifest.insecure = request_.insecure;
    manifest.base = built.base;
    manifest.packages = built.packages;
    manifest.models = built.models;
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
