// What all ways of making a machine have in common: a clone of a verified release.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "artifacts/manifest/manifest.hpp"
#include "builder/cli/vm/vm.hpp"
#include "builder/machines/registry/settings.hpp"

namespace imgforge::cli {

struct Stand {
  std::string release;  ///< as people name it
  std::string format;   ///< of its disk; empty: qcow2 where there is one
  std::vector<std::string> public_keys;
  /// Makes the disk, as artifacts::CloneRequest wants it.
  std::function<void(const std::filesystem::path& target, const std::string& backing,
                     const std::string& format)>
      make_disk;
};

/// Makes the folder `settings.name` below `root` with a disk on a release of --output-dir, which is verified
/// first, and says in `settings.origin` where that is. Returns the release's manifest. Throws kUsage when
/// there is a machine of that name; what is wrong with the release otherwise.
artifacts::Manifest stand_on_release(const Context& context, const std::filesystem::path& root,
                                     const Stand& stand, machines::Settings& settings);

/// Takes what the manifest says is inside.
void take_contents(machines::Settings& settings, const artifacts::Manifest& manifest);

}  // namespace imgforge::cli
