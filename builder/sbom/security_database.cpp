#include "builder/sbom/security_database.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/sbom/apk_version.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"

namespace imgforge::sbom {
namespace {

using core::Json;

constexpr std::size_t kMaxFile = std::size_t{64} << 20;

core::Error malformed(const std::string& file, const std::string& why) {
  return core::Error(core::Kind::kIntegrity,
                     fmt::format("{} is no security database of Alpine: {}", file, why));
}

}  // namespace

void add_security_database(std::string_view text, const std::string& what, SecurityDatabase& database) {
  const Json json = core::parse_json(text, what, {kMaxFile, 16});
  if (!json.is_object() || !json.contains("packages") || !json.at("packages").is_array())
    throw malformed(what, "no list \"packages\"");
  const auto text_of = [&](const Json& object, const char* member) {
    const auto found = object.find(member);
    if (found == object.end() || !found->is_string())
      throw malformed(what, fmt::format("no text \"{}\"", member));
    return found->get<std::string>();
  };
  database.origins.push_back(text_of(json, "distroversion") + " " + text_of(json, "reponame"));
  for (const Json& row : json.at("packages")) {
    if (!row.is_object() || !row.contains("pkg") || !row.at("pkg").is_object())
      throw malformed(what, "a row without \"pkg\"");
    const Json& package = row.at("pkg");
    if (!package.contains("secfixes")) continue;
    if (!package.at("secfixes").is_object()) throw malformed(what, "\"secfixes\" is no mapping");
    std::vector<Fix>& fixes = database.by_source_package[text_of(package, "name")];
    for (const auto& [version, ids] : package.at("secfixes").items()) {
      Fix& fix = fixes.emplace_back();
      fix.version = version;
      if (!ids.is_array()) throw malformed(what, "a fix whose vulnerabilities are no list");
      for (const Json& id : ids) {
        if (!id.is_string()) throw malformed(what, "a vulnerability that is no text");
        fix.ids.push_back(id.get<std::string>());
      }
    }
  }
}

SecurityDatabase read_security_database(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".json" && entry.is_regular_file()) files.push_back(entry.path());
  }
  if (error)
    throw core::Error(core::Kind::kUsage,
                      fmt::format("cannot read the folder {}: {}", folder.native(), error.message()));
  if (files.empty()) {
    throw core::Error(core::Kind::kUsage, folder.native() + " holds no security database (*.json)")
        .hint("main.json and community.json of the release, from https://secdb.alpinelinux.org");
  }
  std::sort(files.begin(), files.end());
  SecurityDatabase database;
  for (const std::filesystem::path& file : files)
    add_security_database(core::read_text_file(file, kMaxFile), file.native(), database);
  return database;
}

std::vector<Vulnerable> vulnerable_packages(const std::vector<artifacts::ManifestPackage>& packages,
                                            const SecurityDatabase& database) {
  std::vector<Vulnerable> found;
  for (const artifacts::ManifestPackage& package : packages) {
    const std::string& source = package.origin.empty() ? package.name : package.origin;
    const auto known = database.by_source_package.find(source);
    if (known == database.by_source_package.end()) continue;
    for (const Fix& fix : known->second) {
      if (fix.version == "0" || fix.ids.empty() || compare_apk_versions(package.version, fix.version) >= 0)
        continue;
      found.push_back({package.name, source, package.version, fix.version, fix.ids});
    }
  }
  std::sort(found.begin(), found.end(), [](const Vulnerable& a, const Vulnerable& b) {
    if (a.package != b.package) return a.package < b.package;
    return compare_apk_versions(a.fixed, b.fixed) < 0;
  });
  return found;
}

}  // namespace imgforge::sbom
