// A machine of elsewhere gets its place here: imported, moved, or forked from one of this host.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "builder/cli/vm/vm.hpp"
#include "builder/machines/move/bundle.hpp"
#include "builder/machines/registry/settings.hpp"

namespace imgforge::cli {

struct Placement {
  machines::BundleHead head;
  std::string name;                      ///< of the machine here; empty: the one that it has
  std::filesystem::path staged;          ///< folder below the registry with the files of the bundle
  std::filesystem::path base;            ///< for a machine that stands on no release; empty: where it was
  std::string move_id;                   ///< it arrives by this move, and may not run yet; empty: it may
  std::vector<std::string> public_keys;  ///< besides those that are trusted
};

/// Where the image is that a machine stands on: found by its digest in --output-dir, or in the folder that
/// the machine's settings name.
struct Base {
  std::filesystem::path output_dir;
  std::string release;  ///< "LINE@VERSION"
};
/// Throws kStore, with the command that gets it, when it is not here.
Base find_base(const Context& context, const machines::BundleHead& head);

/// Throws what keeps the machine from being placed: a name that is taken (kUsage), a base that is not here,
/// or is not the one that the disk was written on (kIntegrity).
void check_placement(const Context& context, const machines::Registry& registry, const Placement& placement);

/// Verifies the base and makes the machine, with ports that are free here and without its shared folders;
/// what changes is said. Nothing is left when it fails.
machines::Settings place_machine(const Context& context, const machines::Registry& registry,
                                 const Placement& placement);

}  // namespace imgforge::cli
