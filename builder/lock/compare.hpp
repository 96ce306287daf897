// What changed between two locks of a recipe, for people and for release notes.
#pragma once

#include <string>
#include <vector>

#include "builder/lock/lock.hpp"

namespace imgforge::lock {

/// A base or package with its versions in both locks; an empty one means that it is not there. Several
/// versions of one package (profiles with different bases) stand as "1.2-r0, 1.3-r0".
struct LockChange {
  std::string name;
  std::string before;
  std::string after;
};

/// Bases first, then models, then packages by name. Other bytes under the same version count as a change,
/// too: the version then has the first digits of the sha256 behind it.
std::vector<LockChange> compare(const Lock& before, const Lock& after);

}  // namespace imgforge::lock
