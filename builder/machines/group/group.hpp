// Several machines that belong together: a YAML file that says which, what each stands on, and which waits
// for which. The file is read strictly, as policies are.
//
//   group: 1
//   name: shop
//   machines:
//     db: { release: kodeimage, memory: 512M, forward: ["5432:5432"] }
//     web: { release: kodeimage, replicas: 2, after: { db: ready } }
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "builder/machines/registry/wishes.hpp"
#include "core/json.hpp"

namespace imgforge::machines {

/// A machine as the file wants it: shares and an image by their absolute paths.
struct Wanted : Wishes {
  std::string name;    ///< of the machine: "shop-db", "shop-web-2"
  std::string member;  ///< of the group: "db", "web"
  std::map<std::string, std::string>
      after;  ///< names of machines, and the state that each has to reach first

  /// What the machine's own folder keeps, to tell later what differs. What it waits for is no part of it.
  core::Json record() const;
  /// The members of it that can only be had by a new machine.
  core::Json lasting() const;
};

struct Group {
  std::string name;
  std::vector<Wanted> machines;  ///< each behind those that it waits for
};

/// Reads the file's text; relative paths in it are those below `folder`. Throws kUsage with the place for
/// unknown or repeated fields, impossible names and values, machines that wait in a circle or for nobody, and
/// replicas that would want the same port.
Group parse_group(std::string_view text, const std::string& name, const std::filesystem::path& folder);
Group load_group(const std::filesystem::path& file);

}  // namespace imgforge::machines
