// The root file system that an Alpine medium makes when it starts, as far as it can be known before: which
// packages of the medium come together, what they put where, and the texts that the recipe's configuration
// builds on. Nothing of it is run.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/tar/tar.hpp"
#include "builder/fetch/apk/apk_package.hpp"
#include "builder/guest/facts.hpp"
#include "builder/image/medium/alpine_iso.hpp"
#include "builder/recipe/recipe.hpp"
#include "builder/stages/toolbox.hpp"

namespace imgforge::stages {

struct Medium {
  guest::Facts facts;
  std::vector<fetch::IndexEntry> packages;  ///< alpine-base and what the recipe adds, with all they need
  std::string kernel_release;               ///< of the first kernel
};

/// Reads index, packages and kernel out of an image. Each package is checked against the index. Throws
/// kPackage at the recipe's place for a package that the medium does not carry, else kImage, kIntegrity,
/// kUnsafe. `work` takes copies that are removed again.
Medium read_medium(Toolbox& tools, const recipe::ResolvedRecipe& recipe, const std::filesystem::path& file,
                   const image::AlpineIso& iso, const std::filesystem::path& work);

/// The facts of a root that consists of the files, folders and links of packages.
class PackageTree {
 public:
  void add(const artifacts::TarEntry& entry, const fetch::ReadContent& read);
  guest::Facts facts() const;

 private:
  struct Node {
    artifacts::EntryType type;
    std::string link_target;
  };
  /// The path without links, as far as it leads; nothing when it leads nowhere.
  std::optional<std::string> real_path(const std::string& path) const;
  std::map<std::string, Node, std::less<>> nodes_;  ///< by absolute path
  std::map<std::string, std::string, std::less<>> texts_;
};

}  // namespace imgforge::stages
