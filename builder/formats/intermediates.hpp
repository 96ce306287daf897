// What the formats of one profile are made from. What several formats need is made once, by the one that asks
// first.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/blobs/blob_store.hpp"
#include "builder/image/boot/boot_menu.hpp"
#include "builder/image/disk/disk.hpp"
#include "builder/image/fs/root_tree.hpp"
#include "builder/recipe/recipe.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::formats {

/// What is there before any format is made.
struct Ingredients {
  const recipe::ResolvedRecipe& recipe;
  artifacts::VerifiedFile rootfs;  ///< the normalised tar
  image::BootFiles boot;
  std::vector<image::AddedMember> added;            ///< members that join the rootfs: models
  core::Digest added_identity;                      ///< of `added`; empty when there are none
  std::optional<artifacts::VerifiedFile> squashfs;  ///< of both; there when a format carries it
  std::filesystem::path secure_boot_keys;           ///< folder; there when the recipe asks for Secure Boot
  std::int64_t epoch = 0;                           ///< time that file systems tell, seconds
  std::filesystem::path work;  ///< folder for shared results, on the file system of the blobs
  core::ProcessRunner& processes;
  core::CancelToken cancel;
};

class Intermediates {
 public:
  explicit Intermediates(Ingredients ingredients) : parts_(std::move(ingredients)) {}

  const recipe::ResolvedRecipe& recipe() const { return parts_.recipe; }
  /// What file systems are made of.
  image::RootTree tree() const { return {parts_.rootfs.path(), parts_.added}; }
  const image::BootFiles& boot() const { return parts_.boot; }
  std::int64_t epoch() const { return parts_.epoch; }
  core::ProcessRunner& processes() const { return parts_.processes; }
  const core::CancelToken& cancel() const { return parts_.cancel; }

  /// Path of the squashfs. kInternal when the plan did not foresee it.
  const std::filesystem::path& squashfs() const;
  /// Text that identifiers inside images derive from: the line and the rootfs.
  std::string identity() const;
  /// The same for a medium of `size`: with its size and its boot menu, so that two releases of one line, or
  /// two builds with other settings, are told apart when both are plugged in.
  std::string medium_identity(core::Bytes size) const;
  image::MenuOptions menu() const;
  /// The raw disk, made when first asked for; shared, so nobody may change it.
  struct Disk {
    std::filesystem::path path;
    image::DiskLayout layout;
  };
  const Disk& disk();
  /// All of the root file system as a tar, zstd compressed; made when first asked for, shared likewise.
  struct PackedRoot {
    std::filesystem::path path;
    core::Digest tar;  ///< sha256 of what it unpacks to
  };
  const PackedRoot& packed_rootfs();

 private:
  image::DiskLayout make_plain_disk(const std::filesystem::path& output);
  image::DiskLayout make_signed_disk(const std::filesystem::path& output);

  Ingredients parts_;
  std::mutex disk_mutex_, rootfs_mutex_;
  std::optional<Disk> disk_;
  std::optional<PackedRoot> packed_;
};

/// What to tell people when the first kernel has no driver for any disk controller of the machines that
/// `format` is for; empty when it has one.
std::string missing_disk_drivers(const image::BootFiles& boot, std::string_view format);
/// Throws kImage when the first kernel lacks one of the modules that `format` needs to start.
void require_modules(const image::BootFiles& boot, std::span<const std::string_view> modules,
                     std::string_view format);

}  // namespace imgforge::formats
