#include <fmt/format.h>

#include <map>

#include "builder/export/html.hpp"
#include "builder/export/page_sections.hpp"

namespace imgforge::exports {
namespace {

/// Stands for the address of the page; the script puts the real one there.
constexpr std::string_view kHere = "<span class=\"here\">https://example.org/images</span>";

/// `html` is escaped already.
std::string commands(const std::string& html) {
  return "<pre><code>" + html + "</code></pre>\n";
}

std::string command_line(std::string_view text) {
  return escape_html(text) + "\n";
}

/// Any image of the catalogue, as an example.
std::string some_file(const Catalogue& catalogue) {
  for (const Line& line : catalogue.lines) {
    for (const Release& release : line.releases) {
      if (!release.manifest.artifacts.empty()) return release.manifest.artifacts.front().file;
    }
  }
  return "IMAGE";
}

/// Checks one downloaded file with what GNU, busybox and macOS have, and fails when it is not listed.
std::string check_one(const Catalogue& catalogue) {
  return command_line("file=" + some_file(catalogue)) +
         command_line("grep \"  $file\\$\" SHA256SUMS | $(command -v sha256sum || echo shasum -a 256) -c -");
}

/// The commands for one downloaded image, once for each key that signed.
std::string print_one_image(const Catalogue& catalogue) {
  std::map<std::string, std::string> signers;  // key and name
  for (const Line& line : catalogue.lines) {
    for (const Release& release : line.releases) {
      if (!release.public_key.empty()) signers[release.public_key] = release.signer;
    }
  }
  if (signers.empty()) {
    return "<p>These releases are not signed. The sums tell a damaged download, not a forged one.</p>\n" +
           commands(check_one(catalogue));
  }
  std::string text;
  for (const auto& [key, name] : signers) {
    if (signers.size() > 1) text += fmt::format("<p>Releases signed by {}:</p>\n", escape_html(name));
    text += commands(command_line("minisign -Vm SHA256SUMS -P " + key) + check_one(catalogue));
  }
  return text;
}

std::string print_whole_tree(const PageSigners& signers) {
  if (signers.public_key.empty() && signers.gpg_fingerprint.empty()) return {};
  std::string text =
      "<h3>The whole catalogue</h3>\n"
      "<p><a href=\"SHA256SUMS\">SHA256SUMS</a> beside this page lists every file below it.</p>\n";
  std::string lines;
  if (!signers.public_key.empty()) lines += command_line("minisign -Vm SHA256SUMS -P " + signers.public_key);
  if (!signers.gpg_fingerprint.empty()) lines += command_line("gpg --verify SHA256SUMS.asc SHA256SUMS");
  text += commands(lines + command_line("sha256sum --quiet -c SHA256SUMS"));
  if (!signers.gpg_fingerprint.empty()) {
    text += fmt::format("<p>GPG key <a href=\"signing-key.asc\">signing-key.asc</a>: <code>{}</code></p>\n",
                        escape_html(signers.gpg_fingerprint));
  }
  return text;
}

const Release* first_with_disk(const Catalogue& catalogue) {
  for (const Line& line : catalogue.lines) {
    if (find_disk(line.releases.front()) != nullptr) return &line.releases.front();
  }
  return nullptr;
}

}  // namespace

std::string print_verify_section(const Catalogue& catalogue, const PageSigners& signers) {
  return "<section id=\"verify\" aria-labelledby=\"verify-heading\">\n"
         "<h2 id=\"verify-heading\">Verify</h2>\n"
         "<p>Download an image and, out of the same row, its sums and signature. Compare the key below with "
         "one that you got another way: who can forge an image can forge this page.</p>\n" +
         print_one_image(catalogue) + print_whole_tree(signers) + "</section>\n";
}

std::string print_use_section(const Catalogue& catalogue, const PageSigners& signers) {
  const Release* release = first_with_disk(catalogue);
  std::string text =
      "<section id=\"use\" aria-labelledby=\"use-heading\">\n<h2 id=\"use-heading\">Use</h2>\n";
  if (release == nullptr) return text + "<p>No release has a disk for virtual machines.</p>\n</section>\n";
  const std::string name = escape_html(release->manifest.line());
  const bool has_gpg = !signers.gpg_fingerprint.empty();
  const std::string source = has_gpg ? fmt::format("--source {}/index.asc --fingerprint {}", kHere,
                                                   escape_html(signers.gpg_fingerprint))
                                     : fmt::format("--source {}/index --no-check-signature", kHere);
  text += "<h3>virt-builder</h3>\n";
  text +=
      commands(fmt::format("virt-builder {} --list\nvirt-builder {} {} --format qcow2 --output {}.qcow2\n",
                           source, source, name, name));
  text += "<h3>Incus</h3>\n<p>Incus reads the catalogue over HTTPS only.</p>\n";
  text += commands(fmt::format(
      "incus remote add images-here {} --protocol simplestreams\nincus launch images-here:{} --vm\n", kHere,
      name));
  text +=
      "<h3>Other readers</h3>\n<ul>\n"
      "<li><a href=\"streams/v1/index.json\">streams/v1/index.json</a>: Simple Streams</li>\n"
      "<li><a href=\"index\">index</a>: virt-builder</li>\n"
      "<li><a href=\"latest-releases.yaml\">latest-releases.yaml</a>: current images, with Alpine&#39;s "
      "fields</li>\n</ul>\n";
  return text + "</section>\n";
}

}  // namespace imgforge::exports
