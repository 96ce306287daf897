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

}  // namespace

std::string purl_of(const artifacts::ManifestPackage& package, const artifacts::ManifestBase& base) {
  std::string version;
  for (const char c : package.version) version += c == '+' ? std::string("%2B") : std::string(1, c);
  return fmt::format("pkg:apk/alpine/{}@{}?arch={}{}", package.name, version, package.arch,
                     base.release.empty() ? "" : "&distro=" + base.release);
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

}  // namespace imgforge::sbom
