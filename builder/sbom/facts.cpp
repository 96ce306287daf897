#include "builder/sbom/facts.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.hpp"

namespace imgforge::sbom {
namespace {

bool is_identifier(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '+' || c == ':';
  });
}

/// Reads "identifier", "(...)" and what operators join, one word after the other.
class Expression {
 public:
  explicit Expression(std::string_view text) {
    std::string spaced;
    for (const char c : text) spaced += c == '(' || c == ')' ? fmt::format(" {} ", c) : std::string(1, c);
    for (std::string& word : core::split(spaced, ' ')) {
      if (!word.empty()) words_.push_back(std::move(word));
    }
  }
  bool is_whole() { return words_.size() <= kMostWords && alternatives() && at_ == words_.size(); }

 private:
  static constexpr std::size_t kMostWords = 200;

  bool take(std::string_view word) {
    if (at_ == words_.size() || words_[at_] != word) return false;
    ++at_;
    return true;
  }
  bool alternatives() {
    do {
      if (!term()) return false;
    } while (take("AND") || take("OR") || take("WITH"));
    return true;
  }
  bool term() {
    if (take("(")) return alternatives() && take(")");
    if (at_ == words_.size() || !is_identifier(words_[at_])) return false;
    const std::string& word = words_[at_++];
    return word != "AND" && word != "OR" && word != "WITH";
  }

  std::vector<std::string> words_;
  std::size_t at_ = 0;
};

/// What a purl writes as it is; the colon stands for itself everywhere.
std::string purl_part(std::string_view text) {
  constexpr std::string_view kPlain = ".-_~:";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       kPlain.find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

}  // namespace

std::string purl_of(const artifacts::ManifestPackage& package, const artifacts::ManifestBase& base) {
  return fmt::format("pkg:apk/alpine/{}@{}?arch={}{}", purl_part(package.name), purl_part(package.version),
                     package.arch, base.release.empty() ? "" : "&distro=" + base.release);
}

std::string apk_purl(std::string_view name) {
  return "pkg:apk/alpine/" + purl_part(name);
}

std::string image_purl(const artifacts::Manifest& manifest) {
  return fmt::format("pkg:generic/{}@{}", purl_part(manifest.line()), purl_part(manifest.version));
}

std::string deb_purl(std::string_view package, std::string_view version, std::string_view arch,
                     std::string_view vendor, std::string_view release) {
  const std::string distro =
      release.empty() ? "" : fmt::format("&distro={}-{}", purl_part(vendor), purl_part(release));
  return fmt::format("pkg:deb/{}/{}@{}?arch={}{}", purl_part(vendor), purl_part(package), purl_part(version),
                     purl_part(arch), distro);
}

bool is_licence_expression(std::string_view text) {
  return Expression(text).is_whole();
}

std::string url_of(const artifacts::ManifestModel& model) {
  const bool url = model.source.starts_with("https://") || model.source.starts_with("http://");
  return url ? model.source : "";
}

std::string about(const artifacts::ManifestModel& model) {
  return fmt::format(
      "AI model, {} bytes, from {}{}", model.size, model.source,
      model.when == "build" ? "" : "; fetched by the machine when it starts for the first time");
}

std::string about(const Component& component) {
  if (component.package.empty()) return component.kind + ", known by its digest alone";
  return fmt::format("{} from the package {}", component.kind, component.package);
}

std::string shown_path(std::string_view root, const ContentFile& file) {
  constexpr std::size_t kAll = 64u << 10;
  return std::string(root) + (core::is_utf8(file.path) ? file.path : core::escaped(file.path, kAll));
}

std::string left_out_note(const Inventory& inventory) {
  if (inventory.files_left_out == 0) return "";
  return fmt::format("{} further files that no package owns are not named here; files.json.zst lists all",
                     inventory.files_left_out);
}

}  // namespace imgforge::sbom
