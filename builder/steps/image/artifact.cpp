#include "builder/steps/image/artifact.hpp"

#include <fmt/format.h>

#include "artifacts/manifest/formats.hpp"
#include "builder/engine/result.hpp"
#include "builder/formats/host_files.hpp"
#include "builder/formats/records.hpp"
#include "builder/formats/tool_lists.hpp"
#include "builder/machine/tool_versions.hpp"
#include "builder/recipe/show/show.hpp"
#include "builder/steps/profile/code_digests.hpp"
#include "builder/vm/claimed_paths.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"

namespace imgforge::steps {
namespace {

using artifacts::Carrier;

const artifacts::Format& format_named(const std::string& name) {
  if (const artifacts::Format* known = artifacts::find_format(name)) return *known;
  throw core::Error(core::Kind::kInternal, "no format " + name);
}

bool is_signed_disk(const recipe::ResolvedRecipe& recipe, const std::string& format) {
  return recipe.secure_boot && format_named(format).carrier == Carrier::kDisk;
}

std::string parameters_of(const Profile& profile, const std::string& format) {
  const recipe::ResolvedRecipe& recipe = profile.recipe;
  const core::Json& all = profile.canonical.json();
  const Carrier carrier = format_named(format).carrier;
  core::Json out{{"format", format}};
  out.update(recipe::picked(all, {"name", "profile"}));
  if (carrier == Carrier::kArchive) {
    out["description"] = recipe.description;
  } else {
    out["cmdline"] = all.at("kernel").at("cmdline");
    out["menu"] = all.at("boot");
    out["menu"].erase("expect");
  }
  if (carrier == Carrier::kDisk) {
    out["disk"] = all.at("disk");
    if (recipe.secure_boot) out["secure_boot"] = all.at("secure_boot").at("enroll");
  }
  out.update(recipe::picked(all, formats::find(format).settings));
  return out.dump();
}

ArtifactResult make(Profile& profile, formats::Intermediates& parts, const std::string& format) {
  const core::TempDir folder(profile.work.path(), "format");
  const formats::MadeFormat made = formats::find(format).make(parts, folder.path());
  ArtifactResult result;
  for (const formats::MadeFile& file : made.files) {
    const auto blob = profile.tools.blobs.adopt(file.path, {}, artifacts::Durability::kRemade);
    ArtifactFile& row = result.files_of_format.emplace_back();
    row.role = file.role;
    row.sha256 = blob.digest();
    row.size = blob.size();
    row.virtual_size = file.virtual_size;
    row.media = file.media;
    if (is_signed_disk(profile.recipe, format)) row.media[vm::kSigningKey] = vm::kSignedValue;
  }
  result.cmdline = fmt::format("{}", fmt::join(made.cmdline, " "));
  result.host_files = stages::look_up_host_files(formats::host_files(profile.recipe, format),
                                                 profile.tools.processes, profile.tools.cancel);
  return result;
}

/// Of all that the profile has, what this format is made from.
Ingredients chosen(const recipe::ResolvedRecipe& recipe, const std::string& format, Ingredients all) {
  if (is_archive(format)) all.boot_files.reset();
  if (!carries_squashfs(recipe, format)) all.squashfs.reset();
  if (!is_signed_disk(recipe, format)) all.secure_boot.reset();
  return all;
}

}  // namespace

std::vector<core::Digest> ArtifactResult::files() const {
  std::vector<core::Digest> out;
  for (const ArtifactFile& file : files_of_format) out.push_back(file.sha256);
  return out;
}

std::string ArtifactResult::identity() const {
  std::string text;
  for (const ArtifactFile& file : files_of_format) text += (text.empty() ? "" : " ") + file.sha256.hex();
  return text;
}

bool is_archive(const std::string& format) {
  return format_named(format).carrier == Carrier::kArchive;
}

bool carries_squashfs(const recipe::ResolvedRecipe& recipe, const std::string& format) {
  const Carrier carrier = format_named(format).carrier;
  return carrier == Carrier::kLive || (carrier == Carrier::kDisk && recipe.secure_boot);
}

std::string artifact_step(const std::string& format) {
  return format == "rootfs" ? "rootfs archive" : format;
}

formats::Intermediates& Workshop::intermediates(engine::Context& context, Profile& profile,
                                                const Ingredients& ingredients) {
  const std::lock_guard lock(mutex_);
  auto& place = made_[{ingredients.boot_files.has_value(), ingredients.squashfs.has_value()}];
  if (place) return *place;
  const RootfsResult& rootfs = context[ingredients.rootfs];
  const ModelsResult* models = ingredients.models ? &context[*ingredients.models] : nullptr;
  formats::Ingredients parts{profile.recipe,
                             profile.blob(rootfs.sha256),
                             {},
                             tree_of(profile, rootfs, models).added,
                             models == nullptr ? core::Digest() : models->members.identity,
                             {},
                             {},
                             rootfs.epoch,
                             profile.work.path(),
                             profile.tools.processes,
                             profile.tools.cancel};
  if (ingredients.boot_files) parts.boot = boot_files_of(profile, context[*ingredients.boot_files]);
  if (ingredients.squashfs) parts.squashfs = profile.blob(context[*ingredients.squashfs].sha256);
  if (ingredients.secure_boot) parts.secure_boot_keys = context[*ingredients.secure_boot].keys.folder;
  place = std::make_unique<formats::Intermediates>(std::move(parts));
  return *place;
}

engine::Ref<ArtifactResult> add_artifact(engine::Graph& graph, Profile& profile, const std::string& format,
                                         const Ingredients& ingredients,
                                         const std::shared_ptr<Workshop>& workshop) {
  const recipe::ResolvedRecipe& recipe = profile.recipe;
  const Ingredients parts = chosen(recipe, format, ingredients);
  engine::Step<ArtifactResult> step;
  step.id = profile.id(artifact_step(format));
  step.kind = "artifact";
  step.summary = format_named(format).carrier == Carrier::kDisk
                     ? fmt::format("{} disk, {}", recipe.disk.size.to_string(), format)
                     : std::string(format_named(format).description);
  step.parameters = parameters_of(profile, format);
  step.inputs = {engine::bytes_of(parts.rootfs)};
  if (parts.models) step.inputs.push_back(engine::value_of(*parts.models));
  if (parts.boot_files) step.inputs.push_back(engine::bytes_of(*parts.boot_files));
  if (parts.squashfs) step.inputs.push_back(engine::bytes_of(*parts.squashfs));
  if (parts.secure_boot) step.inputs.push_back(engine::value_of(*parts.secure_boot));
  step.tools = [&profile, format] {
    engine::Tools tools = format_tools(profile.tools, profile.recipe, format);
    tools.merge(code_of({"artifacts/codec", "artifacts/tar", "builder/formats", "builder/image",
                         "builder/stages/host_files", "builder/stages/model_members", "signing"}));
    return tools;
  };
  step.make = [&profile, format, parts, workshop](engine::Context& context) {
    formats::Intermediates& all = workshop->intermediates(context, profile, parts);
    if (parts.boot_files) {
      const std::string warning = formats::missing_disk_drivers(all.boot(), format);
      if (!warning.empty()) context.progress().warn(warning);
    }
    return make(profile, all, format);
  };
  step.words = artifact_words;
  return graph.add(std::move(step), engine::recorded<ArtifactResult>());
}

engine::Tools format_tools(Toolbox& tools, const recipe::ResolvedRecipe& recipe, const std::string& format) {
  const auto of_format = formats::find(format).tools;
  std::vector<std::string_view> names(of_format.begin(), of_format.end());
  if (is_signed_disk(recipe, format))
    names.insert(names.end(), formats::kSecureDiskTools.begin(), formats::kSecureDiskTools.end());
  return machine::tool_versions(names, tools.processes, tools.cache_dir, tools.cancel).get<engine::Tools>();
}

engine::Tools format_tools(Toolbox& tools, const recipe::ResolvedRecipe& recipe) {
  engine::Tools all;
  for (const recipe::Marked& format : recipe.formats) all.merge(format_tools(tools, recipe, format.value));
  return all;
}

std::string artifact_words(const ArtifactResult& result) {
  std::uint64_t size = 0;
  for (const ArtifactFile& file : result.files_of_format) size += file.size;
  const std::uint64_t disk = result.files_of_format.front().virtual_size;
  return core::Bytes{size}.human() +
         (disk == 0 ? "" : fmt::format(" for a disk of {}", core::Bytes{disk}.to_string()));
}

}  // namespace imgforge::steps
