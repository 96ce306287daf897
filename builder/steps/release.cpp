#include "builder/steps/release.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "artifacts/manifest/formats.hpp"
#include "builder/content/file_list.hpp"
#include "builder/engine/result.hpp"
#include "builder/fetch/http/url.hpp"
#include "builder/provenance/slsa.hpp"
#include "builder/recipe/show.hpp"
#include "builder/sbom/sbom.hpp"
#include "builder/steps/vex_statements.hpp"
#include "builder/vm/claimed_paths.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::steps {
namespace {

using artifacts::ManifestBoot;

constexpr std::uint64_t kLargestList = 512u << 20;

artifacts::Version release_version(const std::string& text) {
  if (const auto version = artifacts::Version::parse(text)) return *version;
  throw core::Error(core::Kind::kRecipe, "\"" + text + "\" cannot be the version of a release");
}

class Release {
 public:
  Release(engine::Context& context, Profile& profile, const ReleaseRequest& request,
          const ReleaseParts& parts)
      : context_(context), profile_(profile), request_(request), parts_(parts) {}

  ReleaseResult run() {
    ReleaseResult result;
    for (const auto& boot : parts_.boots) {
      for (ManifestBoot& row : context_[boot].boots()) result.boots.push_back(std::move(row));
    }
    boots_ = &result.boots;
    result.published = artifacts::Store::create(request_.output_dir).publish(publish_request());
    require_boots(result.published.manifest);
    for (const std::string& warning : result.published.warnings) context_.progress().warn(warning);
    profile_.end_work();
    return result;
  }

 private:
  /// A release that was there before may have been published without boot tests.
  void require_boots(const artifacts::Manifest& manifest) const {
    if (request_.boot_test != BootTest::kRequired) return;
    const std::vector<std::string> unproven = vm::unproven_boots(manifest);
    if (unproven.empty()) return;
    throw core::Error(core::Kind::kBoot, fmt::format("{} {} was not seen to boot: {}", manifest.line(),
                                                     manifest.version, core::join(unproven, ", ")))
        .hint("it was published before without boot tests: choose another version for this one");
  }

  artifacts::PublishRequest publish_request() {
    const recipe::ResolvedRecipe& recipe = profile_.recipe;
    artifacts::PublishRequest publish;
    publish.name = recipe.name;
    publish.profile = recipe.profile;
    publish.version = release_version(recipe.version);
    publish.cancel = profile_.tools.cancel;
    publish.is_draft = request_.is_draft;
    if (request_.is_draft) publish.numbering = artifacts::Numbering::kNextRevision;
    publish.signer = request_.signer;
    publish.signature = request_.signature;
    publish.memory = &profile_.tools.blobs.memory();
    for (const auto& [format, artifact] : parts_.artifacts) add_artifact(publish, format, context_[artifact]);
    if (parts_.medium) add_artifact(publish, "iso", context_[*parts_.medium].artifact);
    publish.finalise = [this](artifacts::Manifest& manifest) {
      complete(manifest);
      std::vector<artifacts::Document> all = sbom::documents(manifest, inventory(manifest));
      if (auto vex = sbom::vex_document(manifest, vex_statements(profile_.recipe, manifest)))
        all.push_back(std::move(*vex));
      if (parts_.file_list) all.push_back(file_list(context_[*parts_.file_list]));
      all.push_back({std::string(kReleasedRecipe), recipe::portable_yaml(profile_.recipe)});
      all.push_back({std::string(kReleasedLock), context_[parts_.lock].text});
      provenance::add_provenance(all, manifest, request_.signer, request_.builder_id);
      return all;
    };
    return publish;
  }

  sbom::Inventory inventory(const artifacts::Manifest& manifest) const {
    sbom::Inventory out;
    const std::vector<stages::HostFile>& of_base = context_[parts_.base].host_files;
    if (parts_.inventory) {
      const InventoryResult& found = context_[*parts_.inventory];
      out.files = found.unowned;
      out.files_left_out = found.left_out;
      if (parts_.boot_files) add_kernels(out, context_[*parts_.boot_files], found, manifest, of_base);
    }
    for (const auto& [format, artifact] : parts_.artifacts)
      add_host_files(out, context_[artifact].host_files, sbom::kBootLoader);
    add_programs(out, of_base);
    return out;
  }

  /// Of the embedded base; its kernel is a component already where the image starts it.
  static void add_programs(sbom::Inventory& inventory, std::vector<stages::HostFile> files) {
    std::erase_if(files, [&](const stages::HostFile& file) {
      return std::any_of(inventory.components.begin(), inventory.components.end(),
                         [&](const sbom::Component& known) { return known.sha256 == file.sha256; });
    });
    add_host_files(inventory, files, sbom::kProgram);
  }

  artifacts::Document file_list(const FileListResult& list) const {
    return {std::string(content::kFileListFile),
            core::read_text_file(profile_.blob(list.sha256).path(), kLargestList)};
  }

  void add_artifact(artifacts::PublishRequest& publish, const std::string& name,
                    const ArtifactResult& result) const {
    const artifacts::Format& format = *artifacts::find_format(name);
    for (const ArtifactFile& file : result.files_of_format) {
      std::map<std::string, std::string> media = file.media;
      if (format.files.size() > 1) media["role"] = file.role;
      publish.artifacts.push_back({profile_.blob(file.sha256).path(),
                                   std::string(artifacts::format_suffix(format, file.role)), name,
                                   file.virtual_size, std::move(media), file.sha256});
    }
  }

  artifacts::ManifestBase base() const {
    const stages::BaseOrigin& origin = context_[parts_.source].origin;
    const BaseResult& file = context_[parts_.base];
    artifacts::ManifestBase base;
    base.kind = parts_.medium ? "iso" : origin.alpine ? "minirootfs" : "embedded";
    base.release = origin.alpine ? origin.alpine->version : origin.embedded->release;
    if (origin.alpine && !origin.alpine->urls.empty())
      base.url = fetch::redacted_url(origin.alpine->urls.front());
    base.sha256 = file.sha256;
    base.size = file.size;
    return base;
  }

  void complete(artifacts::Manifest& manifest) const {
    const recipe::ResolvedRecipe& recipe = profile_.recipe;
    manifest.created = core::iso_time(request_.build_time);
    manifest.recipe_sha256 = request_.recipe_sha256;
    manifest.insecure = request_.insecure;
    manifest.base = base();
    if (parts_.models) manifest.models = context_[*parts_.models].members.rows;
    if (parts_.rootfs) {
      const RootfsResult& rootfs = context_[*parts_.rootfs];
      manifest.isolation = rootfs.isolation;
      manifest.accelerator = rootfs.accelerator;
      manifest.accelerator_reason = rootfs.accelerator_reason;
      manifest.packages = rootfs.packages;
    }
    if (parts_.boot_files) {
      const KernelResult& kernel = context_[*parts_.boot_files].kernels.front();
      manifest.kernel_release = kernel.release;
      manifest.kernel_features = kernel.features;
      if (!recipe.secure_boot) {  // else they are in one file with its signature
        manifest.kernel_sha256 = kernel.kernel;
        manifest.initramfs_sha256 = kernel.initramfs;
      }
    }
    if (parts_.medium) manifest.kernel_release = context_[*parts_.medium].kernel;
    for (const auto& [format, artifact] : parts_.artifacts) {
      if (manifest.kernel_cmdline.empty()) manifest.kernel_cmdline = context_[artifact].cmdline;
    }
    manifest.tool_version = IMGFORGE_VERSION;
    manifest.boot_expect = recipe.boot_expect;
    if (recipe.shared) manifest.shared_commands = recipe.shared->lines();
    manifest.required_memory = recipe.requirements.memory;
    manifest.required_cpus = recipe.requirements.cpus;
    for (ManifestBoot boot : *boots_) {
      for (const artifacts::ManifestArtifact& artifact : manifest.artifacts) {
        if (artifact.format == boot.artifact) boot.artifact = artifact.file;
      }
      manifest.boots.push_back(std::move(boot));
    }
  }

  engine::Context& context_;
  Profile& profile_;
  const ReleaseRequest& request_;
  const ReleaseParts& parts_;
  const std::vector<ManifestBoot>* boots_ = nullptr;
};

}  // namespace

engine::Ref<ReleaseResult> add_release(engine::Graph& graph, Profile& profile, const ReleaseRequest& request,
                                       const ReleaseParts& parts) {
  engine::Step<ReleaseResult> step;
  step.id = profile.id("release");
  step.kind = "release";
  step.summary = fmt::format("{} {}", profile.recipe.line(), profile.recipe.version);
  step.parameters = recipe::picked(profile.canonical.json(),
                                   {"name", "profile", "version", "description", "requirements", "vex"})
                        .dump();
  step.freshness = engine::Freshness::kActs;
  step.lane = kStoreLane;
  step.inputs = {engine::value_of(parts.source), engine::value_of(parts.base)};
  if (parts.models) step.inputs.push_back(engine::value_of(*parts.models));
  if (parts.rootfs) step.inputs.push_back(engine::value_of(*parts.rootfs));
  if (parts.file_list) step.inputs.push_back(engine::bytes_of(*parts.file_list));
  if (parts.boot_files) step.inputs.push_back(engine::value_of(*parts.boot_files));
  if (parts.inventory) step.inputs.push_back(engine::value_of(*parts.inventory));
  for (const auto& [format, artifact] : parts.artifacts) step.inputs.push_back(engine::bytes_of(artifact));
  for (const auto& boot : parts.boots) step.inputs.push_back(engine::value_of(boot));
  if (parts.medium) step.inputs.push_back(engine::bytes_of(*parts.medium));
  step.inputs.push_back(engine::value_of(parts.lock));
  step.make = [&profile, &request, parts](engine::Context& context) {
    return Release(context, profile, request, parts).run();
  };
  step.words = [](const ReleaseResult& result) {
    const bool found = result.published.outcome == artifacts::PublishOutcome::kIdentical;
    return fmt::format("{}{}", result.published.manifest.version, found ? " is there already" : "");
  };
  return graph.add(std::move(step), engine::transient<ReleaseResult>());
}

}  // namespace imgforge::steps
