#include "builder/stages/step_inputs.hpp"

#include <cstdlib>

#include "artifacts/formats.hpp"
#include "builder/first_boot/installation.hpp"
#include "builder/formats/format.hpp"
#include "builder/formats/tool_lists.hpp"
#include "builder/image/early_program.hpp"
#include "builder/image/init_script.hpp"
#include "builder/machine/tool_versions.hpp"
#include "builder/plan/plan.hpp"
#include "builder/stages/sources.hpp"
#include "core/bytes.hpp"
#include "core/clock.hpp"

namespace imgforge::stages {

core::Json packages_inputs(const core::Digest& base, const std::vector<fetch::Repository>& repositories) {
  return {{"base", base.hex()}, {"indexes", index_identity(repositories)}};
}

core::Json rootfs_inputs(const core::Digest& base, const core::Json& packages) {
  core::Json inputs{{"base", base.hex()}, {"packages", packages}};
  if (const auto epoch = source_date_epoch()) inputs["source_date_epoch"] = *epoch;
  return inputs;
}

core::Json rootfs_tools(const recipe::ResolvedRecipe& recipe) {
  if (!recipe.first_boot) return core::Json::object();
  return {{"first boot", first_boot::resources_digest().hex()}};
}

core::Json boot_files_inputs(const core::Json& rootfs) {
  return {{"rootfs", rootfs.at("sha256")}};
}

core::Json boot_files_tools() {
  const auto digest = [](std::string_view bytes) {
    return core::digest_of(core::HashAlgorithm::kSha256, bytes).hex();
  };
  return {{"early", digest(image::early_program())}, {"init", digest(image::init_script())}};
}

core::Json squashfs_inputs(const core::Json& rootfs, const core::Digest& added) {
  core::Json inputs{{"rootfs", rootfs.at("sha256")}};
  if (!added.empty()) inputs["models"] = added.hex();
  return inputs;
}

core::Json artifact_inputs(const recipe::ResolvedRecipe& recipe, const std::string& format,
                           const core::Json& rootfs, const core::Json& boot_files, const core::Json& squashfs,
                           const std::optional<SecureBootKeys>& keys, const core::Digest& added) {
  core::Json inputs{{"rootfs", rootfs.at("sha256")}};
  if (!added.empty()) inputs["models"] = added.hex();
  const artifacts::Carrier carrier = artifacts::find_format(format)->carrier;
  if (carrier != artifacts::Carrier::kArchive) inputs["boot files"] = boot_files.at("kernels");
  if (plan::carries_squashfs(recipe, format)) inputs["squashfs"] = squashfs.at("sha256");
  if (keys && carrier == artifacts::Carrier::kDisk) inputs["secure boot"] = keys->identity;
  return inputs;
}

core::Json remaster_inputs(const core::Digest& base) {
  core::Json inputs{{"base", base.hex()}};
  if (const auto epoch = source_date_epoch()) inputs["source_date_epoch"] = *epoch;
  return inputs;
}

core::Json artifact_tools(Toolbox& tools, const recipe::ResolvedRecipe& recipe, const std::string& format) {
  const auto of_format = formats::find(format).tools;
  std::vector<std::string_view> names(of_format.begin(), of_format.end());
  if (recipe.secure_boot && artifacts::find_format(format)->carrier == artifacts::Carrier::kDisk)
    names.insert(names.end(), formats::kSecureDiskTools.begin(), formats::kSecureDiskTools.end());
  core::Json out = machine::tool_versions(names, tools.processes, tools.cache_dir, tools.cancel);
  // A remastered medium holds the customisation itself.
  if (recipe.iso_base() != nullptr) out.update(rootfs_tools(recipe));
  return out;
}

core::Json squashfs_tools(Toolbox& tools) {
  return machine::tool_versions({"mksquashfs"}, tools.processes, tools.cache_dir, tools.cancel);
}

std::optional<std::int64_t> source_date_epoch() {
  const char* text = std::getenv("SOURCE_DATE_EPOCH");
  if (text == nullptr || *text == '\0') return std::nullopt;
  return core::build_time(core::system_clock()).time_since_epoch().count();
}

core::Json blob_result(const artifacts::VerifiedFile& file) {
  return {{"sha256", file.digest().hex()}, {"size", file.size()}};
}

std::string result_size(const core::Json& result) {
  return core::Bytes{result.at("size").get<std::uint64_t>()}.human();
}

core::Digest result_digest(const core::Json& result, const char* key) {
  return core::Digest::from_hex(core::HashAlgorithm::kSha256, result.at(key).get<std::string>());
}

}  // namespace imgforge::stages
