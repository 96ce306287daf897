#include "builder/steps/image/boot.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/engine/result.hpp"
#include "builder/stages/secure_boot_keys.hpp"
#include "builder/steps/profile/code_digests.hpp"
#include "builder/vm/artifact_boot.hpp"
#include "builder/vm/claimed_paths.hpp"
#include "builder/vm/enrol_keys.hpp"
#include "core/error.hpp"

namespace imgforge::steps {
namespace {

bool is_stick(const vm::BootPath& path) {
  return path.attachment == vm::Attachment::kStick;
}

/// Those of the paths that the kernel can take.
std::vector<vm::BootPath> possible(engine::Context& context, const std::string& format,
                                   std::vector<vm::BootPath> paths, const KernelResult& kernel,
                                   BootTest test) {
  const auto lacks = [&](const char* module) {
    return std::find(kernel.lacks.begin(), kernel.lacks.end(), module) != kernel.lacks.end();
  };
  if (!(lacks("usb_storage") || lacks("xhci_hcd")) || std::erase_if(paths, is_stick) == 0) return paths;
  if (test == BootTest::kRequired) {
    throw core::Error(core::Kind::kBoot,
                      fmt::format("the kernel {} has no USB storage, so {} cannot be seen to boot as a stick",
                                  kernel.release, format))
        .hint("choose another kernel.package, leave the format out, or use --boot-test");
  }
  context.progress().note(
      fmt::format("the kernel {} has no USB storage: {} is not booted as a stick", kernel.release, format));
  return paths;
}

vm::BootRequest request_for(const Profile& profile, const std::string& format, const ArtifactResult& artifact,
                            std::vector<vm::BootPath> paths) {
  vm::BootRequest request;
  request.format = format;
  request.name = format;
  request.requirements = profile.recipe.requirements;
  request.expect = profile.recipe.boot_expect;
  request.paths = std::move(paths);
  for (const ArtifactFile& file : artifact.files_of_format) {
    const std::filesystem::path path = profile.blob(file.sha256).path();
    if (request.image.empty()) request.image = path;
    if (file.role == "kernel") request.netboot.kernel = path;
    if (file.role == "initramfs") request.netboot.initramfs = path;
    if (file.role == "root") request.netboot.root = path;
    if (file.role == "script") request.netboot.script = path;
  }
  return request;
}

/// The file of UEFI variables in which the recipe's keys are enrolled.
std::filesystem::path enrolled_variables(engine::Context& context, Profile& profile,
                                         const std::filesystem::path& work) {
  Toolbox& tools = profile.tools;
  context.say("enrolling the Secure Boot keys");
  vm::BootSpec machine;
  machine.accelerator = tools.host->accelerator().accelerator;
  machine.work_dir = work;
  vm::enrol_keys(stages::find_secure_boot_keys(tools, profile.recipe)->folder, work / "variables.fd", machine,
                 tools.processes, tools.cancel);
  return work / "variables.fd";
}

BootResult boot(engine::Context& context, Profile& profile, const vm::BootRequest& request) {
  Toolbox& tools = profile.tools;
  BootResult result;
  for (const vm::BootEvidence& evidence :
       vm::boot_artifact(request, tools.host->accelerator().accelerator, tools.scratch(), context.activity(),
                         tools.cancel)) {
    for (const std::string& line : evidence.complaints)
      context.progress().warn(fmt::format("{} by {}: {}", request.name, evidence.path_name, line));
    const artifacts::ManifestBoot seen = vm::manifest_boot(request.name, evidence);
    result.rows.push_back(
        {seen.artifact, seen.path, seen.accelerator, seen.memory.value, seen.cpus, seen.markers});
  }
  return result;
}

std::string parameters_of(Profile& profile, const std::string& format,
                          const std::vector<vm::BootPath>& paths) {
  core::Json names = core::Json::array();
  for (const vm::BootPath& path : paths) names.push_back(vm::boot_path_name(path));
  return core::Json{{"format", format},
                    {"memory", profile.recipe.requirements.memory.value},
                    {"cpus", profile.recipe.requirements.cpus},
                    {"accelerator", machine::accelerator_name(profile.tools.host->accelerator().accelerator)},
                    {"paths", names},
                    {"expect", profile.recipe.boot_expect}}
      .dump();
}

}  // namespace

std::vector<artifacts::ManifestBoot> BootResult::boots() const {
  std::vector<artifacts::ManifestBoot> out;
  for (const BootRow& row : rows)
    out.push_back({row.artifact, row.path, row.accelerator, core::Bytes{row.memory}, row.cpus, row.markers});
  return out;
}

std::vector<vm::BootPath> wanted_paths(const recipe::ResolvedRecipe& recipe, const std::string& format,
                                       const std::vector<vm::BootPath>& wanted) {
  auto paths =
      vm::boot_paths_of(format, recipe.secure_boot ? vm::BootSigning::kSigned : vm::BootSigning::kNone);
  std::erase_if(paths, [&](const vm::BootPath& path) {
    return !wanted.empty() && std::find(wanted.begin(), wanted.end(), path) == wanted.end();
  });
  return paths;
}

engine::Ref<BootResult> add_boot(engine::Graph& graph, Profile& profile, const std::string& format,
                                 const std::vector<vm::BootPath>& paths, BootTest test,
                                 engine::Ref<ArtifactResult> artifact,
                                 engine::Ref<BootFilesResult> boot_files) {
  engine::Step<BootResult> step;
  step.id = profile.id("boot " + format);
  step.kind = "boot";
  step.summary = "boots by each of its paths";
  step.parameters = parameters_of(profile, format, paths);
  step.inputs = {engine::bytes_of(artifact), engine::value_of(boot_files)};
  step.lane = kBootLane;
  step.tools = [] { return code_of({"builder/vm"}); };
  step.make = [=, &profile](engine::Context& context) {
    const auto able = possible(context, format, paths, context[boot_files].kernels.front(), test);
    if (able.empty()) return BootResult();
    const core::TempDir work(profile.tools.scratch(), "enrol");
    vm::BootRequest request = request_for(profile, format, context[artifact], able);
    if (profile.recipe.secure_boot) request.enrolled = enrolled_variables(context, profile, work.path());
    return boot(context, profile, request);
  };
  step.words = [](const BootResult& result) {
    return result.rows.empty() ? std::string("by no path") : vm::boots_text(result.boots());
  };
  return graph.add(std::move(step), engine::recorded<BootResult>());
}

}  // namespace imgforge::steps
