#include <fmt/format.h>

#include <algorithm>

#include "builder/export/html.hpp"
#include "builder/export/page_sections.hpp"
#include "core/bytes.hpp"

namespace imgforge::exports {
namespace {

std::uint64_t total_size(const Release& release) {
  std::uint64_t size = 0;
  for (const artifacts::ManifestArtifact& artifact : release.manifest.artifacts) size += artifact.size;
  return size;
}

/// The fastest boot that was seen; nothing when none was.
const artifacts::ManifestBoot* fastest_boot(const Release& release) {
  const auto& boots = release.manifest.boots;
  const auto fastest = std::min_element(boots.begin(), boots.end(), [](const auto& a, const auto& b) {
    return boot_milliseconds(a) < boot_milliseconds(b);
  });
  return fastest == boots.end() ? nullptr : &*fastest;
}

std::string print_files(const Release& release) {
  std::string text = "<ul class=\"files\">\n";
  for (const artifacts::ManifestArtifact& artifact : release.manifest.artifacts) {
    text += fmt::format(
        "<li><a href=\"{}\">{}</a> <span class=\"soft\">{}</span></li>\n",
        escape_html(percent_encoded(release.path_of(artifact.file))),
        escape_html(artifacts::is_image(artifact) ? artifact.format
                                                  : artifact.format + " " + artifacts::role_of(artifact)),
        core::Bytes{artifact.size}.human());
  }
  text += fmt::format("<li><a href=\"{}\">manifest</a></li>\n",
                      escape_html(percent_encoded(release.path_of("manifest.json"))));
  text += fmt::format("<li><a href=\"{}\">sums</a></li>\n",
                      escape_html(percent_encoded(release.path_of("SHA256SUMS"))));
  if (!release.signer.empty()) {
    text += fmt::format("<li><a href=\"{}\">signature</a></li>\n",
                        escape_html(percent_encoded(release.path_of("SHA256SUMS.minisig"))));
  }
  return text + "</ul>\n";
}

std::string print_row(const Release& release, bool is_current) {
  const artifacts::Manifest& manifest = release.manifest;
  const artifacts::ManifestBoot* boot = fastest_boot(release);
  const std::string base =
      manifest.base.kind == "minirootfs" ? "Alpine " + manifest.base.release : manifest.base.kind;
  std::string text =
      fmt::format("<tr>\n<th scope=\"row\" class=\"plain\">{}</th>\n", escape_html(manifest.line()));
  text += fmt::format("<td class=\"plain\" data-label=\"Version\" data-key=\"{}\">{}{}</td>\n",
                      escape_html(manifest.version), escape_html(manifest.version),
                      is_current ? " <span class=\"tag\">current</span>" : "");
  text += fmt::format(
      "<td class=\"plain\" data-label=\"Date\" data-key=\"{}\"><time datetime=\"{}\">{}</time></td>\n",
      escape_html(manifest.created), escape_html(manifest.created), escape_html(date_of(manifest)));
  text += fmt::format("<td data-label=\"Base\">{}</td>\n", escape_html(base));
  text += fmt::format("<td class=\"number\" data-label=\"Packages\">{}</td>\n", manifest.packages.size());
  if (boot == nullptr) {
    text += "<td class=\"number\" data-label=\"Boots in\" data-key=\"\">not tested</td>\n";
  } else {
    text += fmt::format("<td class=\"number\" data-label=\"Boots in\" data-key=\"{}\">{:.1f} s</td>\n",
                        boot_milliseconds(*boot), static_cast<double>(boot_milliseconds(*boot)) / 1000);
  }
  text += fmt::format("<td class=\"number\" data-label=\"Size\" data-key=\"{}\">{}</td>\n",
                      total_size(release), core::Bytes{total_size(release)}.human());
  text += "<td class=\"files-cell\" data-label=\"Files\">" + print_files(release) + "</td>\n</tr>\n";
  return text;
}

}  // namespace

std::string print_release_table(const Catalogue& catalogue) {
  std::string text =
      "<section id=\"releases\" aria-labelledby=\"releases-heading\">\n"
      "<h2 id=\"releases-heading\">Releases</h2>\n"
      "<div class=\"scroll\" role=\"region\" aria-labelledby=\"releases-heading\" tabindex=\"0\">\n"
      "<table class=\"releases\">\n<thead>\n<tr>"
      "<th scope=\"col\" data-sort=\"ascending\">Image</th>"
      "<th scope=\"col\" data-sort=\"descending\">Version</th>"
      "<th scope=\"col\" data-sort=\"descending\">Date</th>"
      "<th scope=\"col\" data-sort=\"descending\">Base</th>"
      "<th scope=\"col\" class=\"number\" data-sort=\"ascending\">Packages</th>"
      "<th scope=\"col\" class=\"number\" data-sort=\"ascending\">Boots in</th>"
      "<th scope=\"col\" class=\"number\" data-sort=\"ascending\">Size</th>"
      "<th scope=\"col\">Files</th></tr>\n</thead>\n<tbody>\n";
  for (const Line& line : catalogue.lines) {
    for (std::size_t i = 0; i < line.releases.size(); ++i) text += print_row(line.releases[i], i == 0);
  }
  return text + "</tbody>\n</table>\n</div>\n</section>\n";
}

}  // namespace imgforge::exports
