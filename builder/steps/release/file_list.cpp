#include "builder/steps/release/file_list.hpp"

#include <fmt/format.h>

#include "builder/content/file_list.hpp"
#include "builder/engine/result.hpp"
#include "builder/steps/image/squashfs.hpp"
#include "builder/steps/profile/code_digests.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::steps {
namespace {

FileListResult make(Profile& profile, const RootfsResult& rootfs, const ModelsResult* models) {
  const core::TempDir folder(profile.work.path(), "files");
  const content::FileList list = content::list_root(tree_of(profile, rootfs, models), profile.tools.cancel);
  const std::filesystem::path file = folder / content::kFileListFile;
  content::write_file_list(list, file, folder.path(), profile.tools.cancel);
  const auto blob = profile.tools.blobs.adopt(file, {}, artifacts::Durability::kRemade);
  return {blob.digest(), list.size()};
}

}  // namespace

engine::Ref<FileListResult> add_file_list(engine::Graph& graph, Profile& profile,
                                          engine::Ref<RootfsResult> rootfs,
                                          const std::optional<engine::Ref<ModelsResult>>& models) {
  engine::Step<FileListResult> step;
  step.id = profile.id("file list");
  step.kind = "file list";
  step.summary = "each file of the root file system with its digest";
  step.is_shown = false;
  step.inputs = {engine::bytes_of(rootfs)};
  if (models) step.inputs.push_back(engine::value_of(*models));
  step.tools = [] {
    return code_of({"artifacts/codec", "artifacts/tar", "builder/content/file_list", "builder/image",
                    "builder/stages/model_members"});
  };
  step.make = [&profile, rootfs, models](engine::Context& context) {
    return make(profile, context[rootfs], models ? &context[*models] : nullptr);
  };
  step.words = [](const FileListResult& result) { return fmt::format("{} files", result.count); };
  return graph.add(std::move(step), engine::recorded<FileListResult>());
}

}  // namespace imgforge::steps
