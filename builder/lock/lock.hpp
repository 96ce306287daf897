// The lock of a recipe (`<recipe>.lock.json`): exactly which base, packages and models its profiles are made
// of, each with digest and address, so that a build years later takes the same bytes whatever the mirrors
// hold by then. Everything is a row of its own line, sorted by name, so that two people's changes merge.
// The members `version`, `config` and `contents` follow apko's lock file
// (https://github.com/chainguard-dev/apko, pkg/lock); what imgforge adds stands beside them. The code is in
// lock.cpp and lock_text.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/models/model.hpp"
#include "core/digest.hpp"

namespace imgforge::lock {

struct LockedBase {
  std::string flavor;   ///< "minirootfs", "virt"
  std::string version;  ///< exact: "3.22.2"
  std::string branch;   ///< folder of the mirrors: "v3.22"
  std::string arch;
  std::string url;
  core::Digest sha256;
  std::uint64_t size = 0;
  bool operator==(const LockedBase&) const = default;
};

/// An index that packages were chosen from; kept so that it is known what the choice rests on.
struct LockedIndex {
  std::string name;  ///< as in the recipe: "main", or a URL
  std::string url;
  std::string arch;
  core::Digest sha256;
  bool operator==(const LockedIndex&) const = default;
};

struct LockedPackage {
  std::string name;
  std::string version;
  std::string arch;
  std::string repository;  ///< as in the recipe
  std::string url;
  core::Digest identity;  ///< C of an index of the lock's packages, `checksum` "Q1..." or "Q2..."
  core::Digest sha256;    ///< of the whole file
  std::uint64_t size = 0;
  std::uint64_t build_time = 0;  ///< seconds since the epoch
  bool operator==(const LockedPackage&) const = default;

  std::string full_name() const { return name + "-" + version; }
};

/// What is done to the base, in apk's order.
struct LockedStep {
  std::string action;  ///< "install", "upgrade", "downgrade", "replace", "remove"
  std::string name;
  std::string version;
  std::string old_version;  ///< empty unless something is exchanged
  bool operator==(const LockedStep&) const = default;
};

/// What a profile asked for when it was locked. A profile that asks for something else has a stale lock.
struct LockRequest {
  std::string base;  ///< "alpine 3.22 x86_64 minirootfs", with the recipe's own pin when there is one
  std::vector<std::string> repositories, add, remove;
  std::vector<std::string> models;  ///< "name source", with the recipe's own digest when there is one
  bool operator==(const LockRequest&) const = default;
};

struct LockedProfile {
  std::string name;  ///< empty for a recipe without profiles
  LockRequest request;
  std::optional<std::size_t> base;  ///< in Lock::bases; none for the embedded base
  std::vector<LockedStep> steps;    ///< empty for an ISO image
};

/// A model that goes into images, or whose list does (`is_in_image` false: fetched at the first start).
struct LockedModel {
  models::Model model;
  bool is_in_image = true;
};

struct Lock {
  Lock();
  Lock(const Lock&);
  Lock(Lock&&) noexcept;
  Lock& operator=(const Lock&);
  Lock& operator=(Lock&&) noexcept;
  ~Lock();

  std::string recipe;  ///< file name
  std::vector<LockedBase> bases;
  std::vector<LockedIndex> indexes;
  std::vector<LockedPackage> packages;       ///< by name, then version
  std::vector<LockedModel> models;           ///< by name, then source
  std::vector<LockedProfile> profiles;       ///< in the recipe's order
  std::map<std::string, std::string> tools;  ///< versions of the programs that shaped bytes

  const LockedProfile* find_profile(std::string_view name) const;
  /// The model that a recipe calls by this name and takes from this source.
  const LockedModel* find_model(std::string_view name, std::string_view source) const;
  const LockedPackage* find_package(std::string_view name, std::string_view version) const;
};

/// "recipes/hello.lock.json" of "recipes/hello.yaml".
std::filesystem::path lock_path(const std::filesystem::path& recipe);

/// Throws kIntegrity naming `what` for a text that is no lock, or that contradicts itself: names, versions
/// and URLs out of it are checked as those out of an index are.
Lock parse_lock(std::string_view text, std::string_view what);
std::string print_lock(const Lock& lock);

}  // namespace imgforge::lock
