#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "artifacts/manifest/release_diff.hpp"
#include "builder/export/html.hpp"
#include "builder/export/page_chart.hpp"
#include "builder/export/page_sections.hpp"
#include "core/bytes.hpp"
#include "core/text.hpp"

namespace imgforge::exports {
namespace {

using artifacts::ManifestBoot;
using artifacts::ManifestPackage;

/// So many releases stand beside each other in the table of boot times.
constexpr std::size_t kBootColumns = 4;

/// What was booted how, as a row: "qcow2, disk BIOS".
std::string boot_name(const Release& release, const ManifestBoot& boot) {
  for (const artifacts::ManifestArtifact& artifact : release.manifest.artifacts) {
    if (artifact.file == boot.artifact) return artifact.format + ", " + boot.path;
  }
  return boot.path;
}

std::string print_boot_cell(const ManifestBoot* boot) {
  if (boot == nullptr) return "<td class=\"number soft\">–</td>";
  return fmt::format("<td class=\"number\">{:.1f} s <span class=\"soft\">{}, {}</span></td>",
                     static_cast<double>(boot_milliseconds(*boot)) / 1000, boot->memory.to_string(),
                     escape_html(boot->accelerator));
}

std::string print_boots(const Line& line) {
  std::vector<const Release*> columns;
  std::vector<std::string> rows;
  for (const Release& release : line.releases) {
    if (release.manifest.boots.empty() || columns.size() == kBootColumns) continue;
    columns.push_back(&release);
    for (const ManifestBoot& boot : release.manifest.boots) {
      const std::string name = boot_name(release, boot);
      if (std::find(rows.begin(), rows.end(), name) == rows.end()) rows.push_back(name);
    }
  }
  if (columns.empty()) return "<p class=\"soft\">No release was boot-tested.</p>\n";
  std::string text =
      "<div class=\"scroll\" role=\"region\" aria-label=\"Boot times\" tabindex=\"0\">\n<table>\n"
      "<caption>Power-on to the last marker on the console, with the memory and the accelerator of the "
      "virtual machine</caption>\n<thead>\n<tr><th scope=\"col\">Image, path</th>";
  for (const Release* release : columns)
    text += fmt::format("<th scope=\"col\" class=\"number\">{}</th>", escape_html(release->manifest.version));
  text += "</tr>\n</thead>\n<tbody>\n";
  for (const std::string& row : rows) {
    text += fmt::format("<tr><th scope=\"row\">{}</th>", escape_html(row));
    for (const Release* release : columns) {
      const auto& boots = release->manifest.boots;
      const auto found = std::find_if(boots.begin(), boots.end(), [&](const ManifestBoot& boot) {
        return boot_name(*release, boot) == row;
      });
      text += print_boot_cell(found == boots.end() ? nullptr : &*found);
    }
    text += "</tr>\n";
  }
  return text + "</tbody>\n</table>\n</div>\n";
}

/// "2 added, 1 removed, 3 changed since v20261119"; empty when there is nothing before.
std::string print_changes(const Release& release, const Release* before) {
  if (before == nullptr) return {};
  const std::vector<artifacts::DiffRow> rows =
      artifacts::diff_releases(before->manifest, release.manifest).packages;
  if (rows.empty()) return "the same as in " + before->manifest.version;
  const auto count = [&](artifacts::Change change) {
    return std::count_if(rows.begin(), rows.end(),
                         [&](const artifacts::DiffRow& row) { return row.change == change; });
  };
  return fmt::format("{} added, {} removed, {} changed since {}", count(artifacts::Change::kAdded),
                     count(artifacts::Change::kRemoved), count(artifacts::Change::kChanged),
                     before->manifest.version);
}

std::string print_packages(const Release& release, const Release* before) {
  const artifacts::Manifest& manifest = release.manifest;
  std::uint64_t size = 0;
  const auto of_base = std::count_if(manifest.packages.begin(), manifest.packages.end(),
                                     [](const ManifestPackage& package) { return package.from_base; });
  for (const ManifestPackage& package : manifest.packages) size += package.size;
  const std::string changes = print_changes(release, before);
  std::string text = fmt::format("{}: {} {}", manifest.version, manifest.packages.size(),
                                 manifest.packages.size() == 1 ? "package" : "packages");
  if (of_base > 0) text += fmt::format(", {} of them from the base", of_base);
  if (size > 0) text += ", " + core::Bytes{size}.human();
  if (!changes.empty()) text += " · " + changes;
  if (manifest.packages.empty()) return fmt::format("<p>{}</p>\n", escape_html(text));
  text = fmt::format(
      "<details>\n<summary>{}</summary>\n<div class=\"scroll\" role=\"region\" aria-label=\"Packages of {}\" "
      "tabindex=\"0\">\n<table>\n<thead><tr><th scope=\"col\">Package</th><th scope=\"col\">Version</th>"
      "<th scope=\"col\" class=\"number\">Size</th></tr></thead>\n<tbody>\n",
      escape_html(text), escape_html(manifest.stem()));
  for (const ManifestPackage& package : manifest.packages) {
    text += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"number\">{}</td></tr>\n",
                        escape_html(package.name), escape_html(package.version),
                        package.from_base ? "base" : core::Bytes{package.size}.human());
  }
  return text + "</tbody>\n</table>\n</div>\n</details>\n";
}

std::string print_facts(const Release& release) {
  const artifacts::Manifest& manifest = release.manifest;
  std::string text = fmt::format("<p>Current release {}, built {}", escape_html(manifest.version),
                                 escape_html(date_of(manifest)));
  if (!manifest.kernel_release.empty())
    text += fmt::format(", kernel {}", escape_html(manifest.kernel_release));
  text += fmt::format(", needs {} of memory", manifest.required_memory.to_string());
  text += release.signer.empty() ? ". Not signed.</p>\n"
                                 : fmt::format(". Signed by {}.</p>\n", escape_html(release.signer));
  if (!manifest.insecure.empty()) {
    text += fmt::format("<p>Checks that were switched off when it was built: {}.</p>\n",
                        escape_html(core::join(manifest.insecure, ", ")));
  }
  return text;
}

}  // namespace

std::string print_line_section(const Line& line, std::size_t number) {
  const std::string id = fmt::format("line-{}", number);
  std::string text =
      fmt::format("<section id=\"{}\" aria-labelledby=\"{}-heading\">\n<h2 id=\"{}-heading\">{}</h2>\n", id,
                  id, id, escape_html(line.name));
  text += print_facts(line.releases.front());
  if (const std::string chart = print_size_chart(line, id); !chart.empty())
    text +=
        "<h3>Sizes over time</h3>\n<div class=\"scroll\" role=\"region\" aria-label=\"Sizes over time\" "
        "tabindex=\"0\">\n" +
        chart + "</div>\n";
  text += "<h3>Boot times</h3>\n" + print_boots(line);
  text += "<h3>Packages</h3>\n";
  for (std::size_t i = 0; i < line.releases.size(); ++i) {
    const Release* before = i + 1 < line.releases.size() ? &line.releases[i + 1] : nullptr;
    text += print_packages(line.releases[i], before);
  }
  return text + "</section>\n";
}

}  // namespace imgforge::exports
