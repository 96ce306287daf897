#include "builder/steps/image/squashfs.hpp"

#include "builder/engine/result.hpp"
#include "builder/image/fs/squashfs.hpp"
#include "builder/machine/tool_versions.hpp"
#include "builder/steps/profile/code_digests.hpp"
#include "core/bytes.hpp"
#include "core/json.hpp"

namespace imgforge::steps {
namespace {

int level_of(const Profile& profile) {
  return profile.options.is_draft ? image::kDraftSquashfsLevel : image::kSquashfsLevel;
}

SquashfsResult make(Profile& profile, const RootfsResult& rootfs, const ModelsResult* models) {
  const Toolbox& tools = profile.tools;
  const core::TempDir folder(profile.work.path(), "squashfs");
  const image::RootTree tree = tree_of(profile, rootfs, models);
  std::filesystem::path tar = tree.tar;
  if (!tree.added.empty()) {
    tar = folder / "rootfs.tar";  // mksquashfs reads one tar
    image::write_root_tar(tree, tar, tools.cancel);
  }
  const std::filesystem::path output = folder / "root.squashfs";
  image::make_squashfs(tar, output, rootfs.epoch, tools.processes, tools.cancel, level_of(profile));
  const auto file = profile.tools.blobs.adopt(output, {}, artifacts::Durability::kRemade);
  return {file.digest(), file.size()};
}

}  // namespace

engine::Ref<SquashfsResult> add_squashfs(engine::Graph& graph, Profile& profile,
                                         engine::Ref<RootfsResult> rootfs,
                                         const std::optional<engine::Ref<ModelsResult>>& models) {
  engine::Step<SquashfsResult> step;
  step.id = profile.id("squashfs");
  step.kind = "squashfs";
  step.summary = "root file system that is never written to";
  step.parameters = core::Json{{"level", level_of(profile)}}.dump();
  step.inputs = {engine::bytes_of(rootfs)};
  if (models) step.inputs.push_back(engine::value_of(*models));
  step.tools = [&tools = profile.tools] {
    auto versions = machine::tool_versions({"mksquashfs"}, tools.processes, tools.cache_dir, tools.cancel)
                        .get<engine::Tools>();
    versions.merge(code_of({"artifacts/tar", "builder/image", "builder/stages/model_members"}));
    return versions;
  };
  step.make = [&profile, rootfs, models](engine::Context& context) {
    return make(profile, context[rootfs], models ? &context[*models] : nullptr);
  };
  step.words = [](const SquashfsResult& result) { return core::Bytes{result.size}.human(); };
  return graph.add(std::move(step), engine::recorded<SquashfsResult>());
}

image::RootTree tree_of(const Profile& profile, const RootfsResult& rootfs, const ModelsResult* models) {
  std::vector<image::AddedMember> added;
  if (models != nullptr) added = models->members.added;
  for (image::AddedMember& member : added) member.entry.mtime = rootfs.epoch;
  return {profile.blob(rootfs.sha256).path(), std::move(added)};
}

}  // namespace imgforge::steps
