#include "artifacts/manifest/release_diff.hpp"

#include <algorithm>
#include <cstdio>

#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using Values = std::map<std::string, std::string>;

Values fields_of(const Manifest& manifest) {
  Values fields{{"base", manifest.base.kind + " " + manifest.base.release},
                {"base digest", manifest.base.sha256.hex()},
                {"kernel", manifest.kernel_release},
                {"command line", manifest.kernel_cmdline},
                {"kernel features", features_text(manifest.kernel_features)},
                {"memory", manifest.required_memory.to_string()},
                {"cpus", std::to_string(manifest.required_cpus)},
                {"boot marker", core::join(manifest.boot_expect, ", ")},
                {"recipe digest", manifest.recipe_sha256.hex()},
                {"imgforge", manifest.tool_version},
                {"unsigned", manifest.is_unsigned ? "yes" : "no"},
                {"insecure", core::join(manifest.insecure, ", ")}};
  if (manifest.is_draft) fields["draft"] = "yes";
  if (manifest.derived_from)
    fields["derived from"] = manifest.derived_from->release + ", " + manifest.derived_from->operation;
  std::erase_if(fields, [](const auto& field) { return field.second.empty(); });
  return fields;
}

/// Releases of Alpine from before manifests held what came with the base cannot be compared in that.
bool lacks_base_packages(const Manifest& manifest) {
  return manifest.base.kind == "minirootfs" &&
         std::none_of(manifest.packages.begin(), manifest.packages.end(),
                      [](const ManifestPackage& package) { return package.from_base; });
}

Values packages_of(const Manifest& manifest, const Manifest& other) {
  Values packages;
  for (const ManifestPackage& package : manifest.packages) {
    if (!package.from_base || !lacks_base_packages(other)) packages[package.name] = package.version;
  }
  return packages;
}

/// Size, and the beginning of the digest where only that differs.
Values artifacts_of(const Manifest& manifest, const Manifest& other) {
  Values rows;
  for (const ManifestArtifact& artifact : manifest.artifacts) {
    const std::string suffix = artifact.file.substr(manifest.stem().size());
    std::string text = core::Bytes{artifact.size}.human();
    if (artifact.virtual_size != 0) text += ", disk of " + core::Bytes{artifact.virtual_size}.to_string();
    for (const ManifestArtifact& twin : other.artifacts) {
      const bool same = twin.file.substr(other.stem().size()) == suffix && twin.size == artifact.size &&
                        twin.virtual_size == artifact.virtual_size;
      if (same && twin.sha256 != artifact.sha256)
        text += " (sha256 " + artifact.sha256.hex().substr(0, 12) + ")";
    }
    rows[manifest.line() + suffix] = text;
  }
  return rows;
}

Values boots_of(const Manifest& manifest) {
  Values rows;
  for (const ManifestBoot& boot : manifest.boots) {
    std::string what = boot.artifact;
    for (const ManifestArtifact& artifact : manifest.artifacts) {
      if (artifact.file == boot.artifact) what = artifact.format;
    }
    char text[40] = "seen";
    if (!boot.markers.empty())
      std::snprintf(text, sizeof text, "%.1f s", static_cast<double>(boot.markers.back().second) / 1000);
    rows[what + " " + boot.path] = text;
  }
  return rows;
}

}  // namespace

std::string_view change_name(Change change) {
  switch (change) {
    case Change::kAdded:
      return "added";
    case Change::kRemoved:
      return "removed";
    case Change::kChanged:
      return "changed";
  }
  return "?";
}

std::vector<DiffRow> diff_values(const Values& before, const Values& after) {
  std::vector<DiffRow> rows;
  for (const auto& [name, value] : before) {
    const auto now = after.find(name);
    if (now == after.end()) {
      rows.push_back({name, value, "", Change::kRemoved});
    } else if (now->second != value) {
      rows.push_back({name, value, now->second, Change::kChanged});
    }
  }
  for (const auto& [name, value] : after) {
    if (!before.contains(name)) rows.push_back({name, "", value, Change::kAdded});
  }
  std::sort(rows.begin(), rows.end(), [](const DiffRow& a, const DiffRow& b) { return a.name < b.name; });
  return rows;
}

ReleaseDiff diff_releases(const Manifest& before, const Manifest& after) {
  return {diff_values(fields_of(before), fields_of(after)),
          diff_values(packages_of(before, after), packages_of(after, before)),
          diff_values(artifacts_of(before, after), artifacts_of(after, before)),
          diff_values(boots_of(before), boots_of(after))};
}

}  // namespace imgforge::artifacts
