#include "builder/fetch/alpine/alpine_releases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <regex>

#include "builder/fetch/apk/apk_names.hpp"
#include "builder/recipe/document/document.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

constexpr std::string_view kPrefix = "alpine-";

core::Error wrong(core::Kind kind, std::string_view source, const std::string& why) {
  return core::Error(kind, fmt::format("{}: {}", source, why));
}

std::string field(const recipe::Node& entry, std::string_view key) {
  const recipe::Node* node = entry.find(key);
  return node != nullptr && node->kind() == recipe::NodeKind::kScalar ? node->text() : std::string();
}

recipe::Document parse_yaml(const std::string& text, std::string_view source) {
  try {
    return recipe::Document::parse(text, std::string(source), recipe::Document::TopLevel::kAny);
  } catch (const core::Error& error) {
    throw wrong(core::Kind::kFetch, source, "not a release file: " + error.message())
        .hint("does the mirror's URL end where v3.22/ and the other branches lie?");
  }
}

/// Fields of one entry, each checked before it is used for anything.
Release validated(const recipe::Node& entry, std::string_view source, const ReleaseName& wanted,
                  std::string_view flavor, std::string_view arch) {
  static const std::regex branch_form("v[0-9]{1,3}\\.[0-9]{1,3}|edge");
  static const std::regex version_form("[0-9][0-9A-Za-z._]{0,31}");
  const auto expect = [&](bool good, std::string_view key) {
    if (good) return;
    throw wrong(core::Kind::kIntegrity, source,
                fmt::format("{}{}: field {} is not acceptable: \"{}\"", kPrefix, flavor, key,
                            core::escaped(field(entry, key), 80)));
  };
  Release release{
      .branch = field(entry, "branch"), .version = field(entry, "version"), .file = field(entry, "file")};
  expect(std::regex_match(release.branch, branch_form), "branch");
  expect(wanted.folder == "latest-stable" || release.branch == wanted.folder, "branch");
  expect(std::regex_match(release.version, version_form), "version");
  expect(field(entry, "arch") == arch, "arch");
  expect(is_plain_file_name(release.file) && release.file == release_file(flavor, release.version, arch),
         "file");
  const std::string size = field(entry, "size");
  const auto [end, code] = std::from_chars(size.data(), size.data() + size.size(), release.size);
  expect(code == std::errc() && end == size.data() + size.size() && release.size > 0, "size");
  const auto digest = [&](core::HashAlgorithm algorithm, std::string_view key) {
    try {
      return core::Digest::from_hex(algorithm, field(entry, key));
    } catch (const core::Error&) {
      expect(false, key);
      throw;
    }
  };
  release.sha256 = digest(core::HashAlgorithm::kSha256, "sha256");
  release.sha512 = digest(core::HashAlgorithm::kSha512, "sha512");
  return release;
}

}  // namespace

ReleaseName ReleaseName::parse(std::string_view text) {
  static const std::regex form("v?([0-9]{1,3}\\.[0-9]{1,3})(\\.[0-9]{1,3}(_(alpha|beta|rc)[0-9]{1,3})?)?");
  if (text == "edge" || text == "latest-stable") return {std::string(text), {}};
  const std::string copy(text);
  if (static const std::regex snapshot("20[0-9]{6}"); std::regex_match(copy, snapshot)) return {"edge", copy};
  std::smatch match;
  if (!std::regex_match(copy, match, form)) {
    throw core::Error(core::Kind::kRecipe, "not an Alpine release: \"" + core::escaped(text, 60) + "\"")
        .hint("write a branch (3.22, edge, latest-stable) or an exact version (3.22.2, or 20251016 of edge)");
  }
  return {"v" + match[1].str(), match[2].matched ? match[1].str() + match[2].str() : std::string()};
}

bool is_flavor(std::string_view text) {
  static const std::regex form("[a-z][a-z0-9]{0,31}(-[a-z0-9]{1,16}){0,3}");
  return std::regex_match(text.begin(), text.end(), form);
}

Release parse_releases(const std::string& text, std::string_view source, const ReleaseName& wanted,
                       std::string_view flavor, std::string_view arch) {
  const recipe::Document document = parse_yaml(text, source);
  if (document.root().kind() != recipe::NodeKind::kSequence) {
    throw wrong(core::Kind::kFetch, source, "not a release file: no list of releases");
  }
  const recipe::Node* chosen = nullptr;
  const std::string name = std::string(kPrefix) + std::string(flavor);
  std::vector<std::string> others;
  for (const recipe::Node& entry : document.root().items()) {
    if (entry.kind() != recipe::NodeKind::kMapping) continue;
    const std::string own = field(entry, "flavor");
    if (own != name) {
      const std::string word = own.starts_with(kPrefix) ? own.substr(kPrefix.size()) : std::string();
      if (is_flavor(word)) others.push_back(word);
      continue;
    }
    if (chosen != nullptr)
      throw wrong(core::Kind::kIntegrity, source, fmt::format("{} is there twice", name));
    chosen = &entry;
  }
  if (chosen == nullptr) {
    core::Error error = wrong(core::Kind::kFetch, source, fmt::format("no release of flavor {}", name));
    if (!others.empty()) error.hint("its flavors are: " + core::join(others, ", "));
    throw error;
  }
  return validated(*chosen, source, wanted, flavor, arch);
}

core::Digest parse_checksum_file(std::string_view text, core::HashAlgorithm algorithm, std::string_view file,
                                 std::string_view source) {
  core::Digest found;
  int number = 0;
  for (const std::string& raw : core::split(text, '\n')) {
    ++number;
    const std::string_view line = core::trimmed(raw);
    if (line.empty()) continue;
    const auto blank = line.find(' ');
    std::string_view name = blank == std::string_view::npos ? std::string_view() : line.substr(blank + 1);
    if (!name.empty() && (name.front() == ' ' || name.front() == '*')) name.remove_prefix(1);
    if (!is_plain_file_name(name)) {
      throw wrong(core::Kind::kIntegrity, source, fmt::format("line {} is malformed", number));
    }
    core::Digest digest;
    try {
      digest = core::Digest::from_hex(algorithm, line.substr(0, blank));
    } catch (const core::Error&) {
      throw wrong(core::Kind::kIntegrity, source,
                  fmt::format("line {}: malformed {}", number, hash_name(algorithm)));
    }
    if (name != file) continue;
    if (!found.empty() && found != digest) {
      throw wrong(core::Kind::kIntegrity, source, fmt::format("line {}: ambiguous, a second digest", number));
    }
    found = digest;
  }
  if (found.empty()) throw wrong(core::Kind::kIntegrity, source, fmt::format("no checksum of {}", file));
  return found;
}

std::string release_file(std::string_view flavor, std::string_view version, std::string_view arch) {
  return fmt::format("{}{}-{}-{}.{}", kPrefix, flavor, version, arch,
                     flavor == kMiniRootFs ? "tar.gz" : "iso");
}

}  // namespace imgforge::fetch
