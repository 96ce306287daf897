#include "builder/lock/lock.hpp"

#include <algorithm>

namespace imgforge::lock {

const LockedProfile* Lock::find_profile(std::string_view name) const {
  const auto found = std::find_if(profiles.begin(), profiles.end(),
                                  [&](const LockedProfile& profile) { return profile.name == name; });
  return found == profiles.end() ? nullptr : &*found;
}

const LockedPackage* Lock::find_package(std::string_view name, std::string_view version) const {
  const auto found = std::find_if(packages.begin(), packages.end(), [&](const LockedPackage& package) {
    return package.name == name && package.version == version;
  });
  return found == packages.end() ? nullptr : &*found;
}

const LockedModel* Lock::find_model(std::string_view name, std::string_view source) const {
  const auto found = std::find_if(models.begin(), models.end(), [&](const LockedModel& row) {
    return row.model.name == name && row.model.source.text == source;
  });
  return found == models.end() ? nullptr : &*found;
}

std::filesystem::path lock_path(const std::filesystem::path& recipe) {
  std::filesystem::path path = recipe;
  return path.replace_extension(".lock.json");
}

Lock::Lock() = default;
Lock::Lock(const Lock&) = default;
Lock::Lock(Lock&&) noexcept = default;
Lock& Lock::operator=(const Lock&) = default;
Lock& Lock::operator=(Lock&&) noexcept = default;
Lock::~Lock() = default;

}  // namespace imgforge::lock
