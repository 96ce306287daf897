// What each step's fingerprint holds of the results it reads, and the tools that shape its bytes: said once
// for the build and for the plan that is printed beforehand.
#pragma once

#include <optional>

#include "builder/fetch/packages.hpp"
#include "builder/recipe/recipe.hpp"
#include "builder/stages/secure_boot_keys.hpp"
#include "builder/stages/toolbox.hpp"
#include "core/digest.hpp"
#include "core/json.hpp"

namespace imgforge::stages {

core::Json packages_inputs(const core::Digest& base, const std::vector<fetch::Repository>& repositories);
/// SOURCE_DATE_EPOCH, when set, clamps file times and so is an input too.
core::Json rootfs_inputs(const core::Digest& base, const core::Json& packages);
/// What imgforge itself puts into the root file system of this recipe, by digest.
core::Json rootfs_tools(const recipe::ResolvedRecipe& recipe);
core::Json boot_files_inputs(const core::Json& rootfs);
/// What imgforge itself puts into every initramfs, by digest.
core::Json boot_files_tools();
/// `added`: identity of the members that join the rootfs, empty when there are none.
core::Json squashfs_inputs(const core::Json& rootfs, const core::Digest& added);
/// `squashfs`: the result of that step, needed when the format carries it. `keys`: of Secure Boot, if asked
/// for.
core::Json artifact_inputs(const recipe::ResolvedRecipe& recipe, const std::string& format,
                           const core::Json& rootfs, const core::Json& boot_files, const core::Json& squashfs,
                           const std::optional<SecureBootKeys>& keys, const core::Digest& added);
/// Of the iso that is made from one of Alpine's ISO images.
core::Json remaster_inputs(const core::Digest& base);
/// Versions of the programs that write a format, and of the one that writes squashfs.
core::Json artifact_tools(Toolbox& tools, const recipe::ResolvedRecipe& recipe, const std::string& format);
core::Json squashfs_tools(Toolbox& tools);

/// SOURCE_DATE_EPOCH in seconds, if set.
std::optional<std::int64_t> source_date_epoch();

/// What a recorded result says of a blob: its digest and size.
core::Json blob_result(const artifacts::VerifiedFile& file);
/// The size in such a result, for people.
std::string result_size(const core::Json& result);
/// A digest inside a step's result.
core::Digest result_digest(const core::Json& result, const char* key = "sha256");

}  // namespace imgforge::stages
