#include "builder/export/virt_builder_index.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "artifacts/manifest/version.hpp"
#include "core/text.hpp"

namespace imgforge::exports {
namespace {

/// Names of sections have letters, digits, '-', '.' and '_'; a name that is taken gets a further '_'.
std::string section_name(std::string name, std::set<std::string>& taken) {
  std::replace(name.begin(), name.end(), '+', '_');
  while (!taken.insert(name).second) name += '_';
  return name;
}

/// "alpinelinux3.22", the identifier of osinfo-db for a numbered Alpine release; empty for anything else.
std::string osinfo_id(const artifacts::ManifestBase& base) {
  if (base.kind != "minirootfs") return {};
  const std::vector<std::string> numbers = core::split(base.release, '.');
  const auto is_number = [](const std::string& text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  if (numbers.size() < 2 || !is_number(numbers[0]) || !is_number(numbers[1])) return {};
  return "alpinelinux" + numbers[0] + "." + numbers[1];
}

/// A value has one line; a line that begins with a blank would continue the one before.
std::string one_line(std::string_view text) {
  return core::escaped(core::trimmed(text), 1000);
}

/// A whole number that grows with the releases of a line; virt-builder keeps downloads by it.
std::int64_t revision_of(const artifacts::Manifest& manifest) {
  constexpr std::int64_t kPerDay = 10000;
  const std::optional<artifacts::Version> version = artifacts::Version::parse(manifest.version);
  if (!version || !version->chosen.empty()) return unix_time(manifest.created);
  return std::stoll(version->date) * kPerDay + version->revision;
}

std::string print_template(const Release& release, const std::string& section, bool is_current) {
  const artifacts::ManifestArtifact& disk = *find_disk(release);
  const artifacts::Manifest& manifest = release.manifest;
  std::string text = fmt::format("[{}]\n", section);
  text += fmt::format("name={}\n", one_line(manifest.line() + " " + manifest.version));
  if (const std::string id = osinfo_id(manifest.base); !id.empty()) text += fmt::format("osinfo={}\n", id);
  text += fmt::format("arch={}\n", one_line(arch_of(manifest)));
  text += fmt::format("file={}\n", percent_encoded(release.path_of(disk.file)));
  text += fmt::format("revision={}\n", revision_of(manifest));
  text += fmt::format("checksum[sha512]={}\n", disk.sha512.hex());
  text += fmt::format("format={}\n", disk.format);
  text += fmt::format("size={}\n", disk_size(disk));
  text += fmt::format("compressed_size={}\n", disk.size);
  if (!is_current) text += "hidden=true\n";
  text += fmt::format(
      "notes={}, {} packages, built {}\n",
      one_line(manifest.kernel_release.empty() ? "no kernel" : "Kernel " + manifest.kernel_release),
      manifest.packages.size(), one_line(date_of(manifest)));
  return text + "\n";
}

}  // namespace

std::string print_virt_builder_index(const Catalogue& catalogue) {
  std::set<std::string> taken;
  std::string current;
  std::string older;
  for (const Line& line : catalogue.lines) {
    if (find_disk(line.releases.front()) != nullptr)
      current += print_template(line.releases.front(), section_name(line.name, taken), true);
  }
  for (const Line& line : catalogue.lines) {
    for (std::size_t i = 1; i < line.releases.size(); ++i) {
      const Release& release = line.releases[i];
      if (find_disk(release) == nullptr) continue;
      older += print_template(release, section_name(release.manifest.stem(), taken), false);
    }
  }
  return current + older;
}

}  // namespace imgforge::exports
