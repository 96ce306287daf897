#include "builder/export/latest_releases.hpp"

#include <fmt/format.h>

#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::exports {
namespace {

/// A JSON string is a double-quoted YAML scalar.
std::string yaml_text(std::string_view text) {
  return core::Json(core::escaped(text, 1000)).dump();
}

/// "v3.22" out of "3.22.2"; a rolling release ("edge") is its own branch. Other bases give their kind.
std::string branch_of(const artifacts::ManifestBase& base) {
  if (base.kind != "minirootfs") return base.kind;
  const std::vector<std::string> parts = core::split(base.release, '.');
  return parts.size() >= 2 ? "v" + parts[0] + "." + parts[1] : base.release;
}

std::string print_entry(const Release& release, const artifacts::ManifestArtifact& artifact) {
  const artifacts::Manifest& manifest = release.manifest;
  const std::string path = percent_encoded(release.path_of(artifact.file));
  return fmt::format(
      "-\n"
      "  title: {}\n"
      "  branch: {}\n"
      "  arch: {}\n"
      "  version: {}\n"
      "  flavor: {}\n"
      "  file: {}\n"
      "  iso: {}\n"
      "  date: {}\n"
      "  time: {}\n"
      "  size: {}\n"
      "  sha256: {}\n"
      "  sha512: {}\n",
      yaml_text(manifest.line() + " (" + artifact.format + ")"), yaml_text(branch_of(manifest.base)),
      yaml_text(arch_of(manifest)), yaml_text(manifest.version), yaml_text(manifest.line()), yaml_text(path),
      yaml_text(path), yaml_text(date_of(manifest)), yaml_text(time_of(manifest)), artifact.size,
      yaml_text(artifact.sha256.hex()), yaml_text(artifact.sha512.hex()));
}

}  // namespace

std::string print_latest_releases(const Catalogue& catalogue) {
  std::string text = "---\n";
  for (const Line& line : catalogue.lines) {
    const Release& release = line.releases.front();
    for (const artifacts::ManifestArtifact& artifact : release.manifest.artifacts) {
      if (stands_alone(artifact)) text += print_entry(release, artifact);
    }
  }
  return text == "---\n" ? "--- []\n" : text;
}

}  // namespace imgforge::exports
