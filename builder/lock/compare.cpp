#include "builder/lock/compare.hpp"

#include <map>

namespace imgforge::lock {
namespace {

/// Version -> sha256, by name.
using Versions = std::map<std::string, std::map<std::string, core::Digest>>;

Versions base_versions(const Lock& lock) {
  Versions versions;
  for (const LockedBase& base : lock.bases) versions["alpine-" + base.flavor][base.version] = base.sha256;
  return versions;
}

Versions package_versions(const Lock& lock) {
  Versions versions;
  for (const LockedPackage& package : lock.packages) versions[package.name][package.version] = package.sha256;
  return versions;
}

Versions model_versions(const Lock& lock) {
  Versions versions;
  for (const LockedModel& row : lock.models)
    versions["model " + row.model.name][row.model.version] = row.model.digest();
  return versions;
}

std::string text_of(const std::map<std::string, core::Digest>& versions,
                    const std::map<std::string, core::Digest>& others) {
  std::string text;
  for (const auto& [version, sha256] : versions) {
    const auto other = others.find(version);
    const bool other_bytes = other != others.end() && other->second != sha256;
    text +=
        (text.empty() ? "" : ", ") + version + (other_bytes ? " (" + sha256.hex().substr(0, 8) + ")" : "");
  }
  return text;
}

void add_changes(const Versions& before, const Versions& after, std::vector<LockChange>& changes) {
  static const std::map<std::string, core::Digest> kNone;
  Versions all = before;
  all.insert(after.begin(), after.end());
  for (const auto& [name, unused] : all) {
    const auto old = before.find(name);
    const auto now = after.find(name);
    const auto& old_versions = old == before.end() ? kNone : old->second;
    const auto& new_versions = now == after.end() ? kNone : now->second;
    if (old_versions == new_versions) continue;
    changes.push_back({name, text_of(old_versions, new_versions), text_of(new_versions, old_versions)});
  }
}

}  // namespace

std::vector<LockChange> compare(const Lock& before, const Lock& after) {
  std::vector<LockChange> changes;
  add_changes(base_versions(before), base_versions(after), changes);
  add_changes(model_versions(before), model_versions(after), changes);
  add_changes(package_versions(before), package_versions(after), changes);
  return changes;
}

}  // namespace imgforge::lock
