// Packages: the base's own apk says which ones a world needs (resolve) and installs what the host has fetched
// and verified (install). Both work on repositories that are folders on a read-only disk; there is no
// network, and apk checks every signature itself unless a lock vouches for the bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "builder/guest/sandbox.hpp"
#include "builder/recipe/recipe.hpp"

namespace imgforge::guest {

/// Which apk a package or an index was made for. apk 3 reads both.
enum class PackageFormat { kApk2, kApk3 };

/// A repository as the host knows it.
struct Repository {
  std::filesystem::path index;  ///< on the host, of either format; empty: apk makes one of the packages given
  std::string arch = "x86_64";
  PackageFormat format = PackageFormat::kApk2;  ///< of the index
};

/// Who vouches for what apk reads. kHost: the host has checked every package against a digest (of a lock), so
/// an index need not be the one that was signed.
enum class Trust { kSignatures, kHost };

/// What the package manager is to reach.
struct World {
  std::vector<Repository> repositories;
  std::vector<std::string> image_repositories;  ///< lines of the image's /etc/apk/repositories
  Trust trust = Trust::kSignatures;
  std::vector<std::filesystem::path> keys;  ///< public keys on the host, added to the image's /etc/apk/keys
  std::vector<recipe::Marked> add;          ///< apk world syntax
  std::vector<recipe::Marked> remove;       ///< names
  /// Packages that apk does not see in the indexes of apk 2, only among the files given; indexes of apk 3
  /// must not have them. Needs Trust::kHost.
  std::vector<std::string> hidden = {};
};

/// One line of apk's plan.
struct PlannedPackage {
  enum class Action { kInstall, kUpgrade, kDowngrade, kReplace, kRemove };
  Action action = Action::kInstall;
  std::string name;
  std::string version;      ///< the version afterwards; kRemove: the version that goes
  std::string old_version;  ///< empty unless kUpgrade, kDowngrade
  bool operator==(const PlannedPackage&) const = default;
};

/// A fetched package.
struct PackageFile {
  std::filesystem::path file;  ///< on the host; any name
  std::string name;
  std::string version;
  std::size_t repository = 0;  ///< index in World::repositories of the one whose index has it
  std::string folder = {};     ///< below the repository, where its index means it; empty: that of its arch
  PackageFormat format = PackageFormat::kApk2;
};

struct InstallOptions {
  /// Installed without their scripts and without triggers: imgforge makes its own initramfs, and the packages
  /// bring modules.dep. May name packages that the plan has not.
  std::set<std::string, std::less<>> kernels;
  std::int64_t epoch = 0;  ///< SOURCE_DATE_EPOCH for scripts
  Seconds limit{600};
};

/// What apk would do, in its order. `files` are packages of repositories without index. Throws kPackage (with
/// the place in the recipe where one is known).
std::vector<PlannedPackage> resolve(Sandbox& guest, const World& world,
                                    const std::vector<PackageFile>& files = {});

/// Does it. `plan` is what resolve returned, `files` the packages of its installs and upgrades. Throws
/// kPackage naming the package whose script failed, kTimeout when a script does not end.
void install(Sandbox& guest, const World& world, const std::vector<PlannedPackage>& plan,
             const std::vector<PackageFile>& files, const InstallOptions& options);

}  // namespace imgforge::guest
