#include "builder/sbom/sbom.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "builder/cli/diff_sections.hpp"
#include "builder/cli/store_arguments.hpp"
#include "builder/cli/trust/keys.hpp"
#include "builder/cli/trust/trusted_release.hpp"
#include "builder/sbom/difference.hpp"
#include "builder/sbom/security_database.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using artifacts::Manifest;

struct SbomArguments {
  std::string reference;
  std::vector<std::string> public_keys;
  std::string format = "spdx";
  std::string before;
  std::string after;
};

/// What two releases do not both consist of; the exit code is 0 whatever differs, as that of imgforge diff.
int sbom_diff(Context& context, const SbomArguments& arguments) {
  const TrustedRelease older = find_trusted(context, arguments.before, arguments.public_keys);
  const TrustedRelease newer = find_trusted(context, arguments.after, arguments.public_keys);
  const Manifest& before = older.manifest.manifest();
  const Manifest& after = newer.manifest.manifest();
  const sbom::Difference found = sbom::difference(before, after);
  const std::vector<DiffSection> sections{{"Packages", "packages", found.packages},
                                          {"Licences", "licences", found.licences},
                                          {"Models", "models", found.models}};
  print(context.options.json ? core::print_json(diff_json(before, after, sections))
                             : diff_text(older.location.reference() + " -> " + newer.location.reference(),
                                         sections, context.out));
  return 0;
}

/// The document of the release when it has one, checked against the signed manifest; else made now.
std::string bill_of(const TrustedRelease& release, const std::string& format) {
  const Manifest& manifest = release.manifest.manifest();
  const std::string_view name = format == "spdx" ? sbom::kSpdxFile : sbom::kCycloneDxFile;
  const auto document =
      std::find_if(manifest.documents.begin(), manifest.documents.end(),
                   [&](const artifacts::ManifestDocument& row) { return row.file == name; });
  if (document == manifest.documents.end())
    return format == "spdx" ? sbom::make_spdx(manifest) : sbom::make_cyclonedx(manifest);
  std::string text = core::read_text_file(release.location.directory / name, document->size);
  if (core::digest_of(core::HashAlgorithm::kSha256, text) != document->sha256) {
    throw core::Error(core::Kind::kIntegrity, fmt::format("{} of {} is not what its signed manifest lists",
                                                          name, release.location.reference()));
  }
  return text;
}

struct ScanArguments {
  std::string reference;
  std::vector<std::string> public_keys;
  std::filesystem::path database;
};

std::size_t packages_of(const std::vector<sbom::Vulnerable>& found) {
  std::set<std::string> names;
  for (const sbom::Vulnerable& row : found) names.insert(row.package);
  return names.size();
}

int scan(Context& context, const ScanArguments& arguments) {
  const TrustedRelease release = find_trusted(context, arguments.reference, arguments.public_keys);
  const std::vector<artifacts::ManifestPackage>& packages = release.manifest.manifest().packages;
  const sbom::SecurityDatabase database = sbom::read_security_database(arguments.database);
  const std::vector<sbom::Vulnerable> found = sbom::vulnerable_packages(packages, database);
  if (context.options.json) {
    core::Json rows = core::Json::array();
    for (const sbom::Vulnerable& row : found) {
      rows.push_back({{"package", row.package},
                      {"source_package", row.source_package},
                      {"installed", row.installed},
                      {"fixed", row.fixed},
                      {"ids", row.ids}});
    }
    print(core::print_json({{"schema", 1},
                            {"release", release.location.reference()},
                            {"database", database.origins},
                            {"packages", packages.size()},
                            {"vulnerable", rows}}));
  } else if (!found.empty()) {
    std::vector<std::vector<std::string>> rows{{"PACKAGE", "INSTALLED", "FIXED IN", "VULNERABILITIES"}};
    for (const sbom::Vulnerable& row : found)
      rows.push_back({row.package, row.installed, row.fixed, core::join(row.ids, ", ")});
    print(text_table(rows, context.out));
  }
  context.progress.note(
      fmt::format("{} of {} packages of {} have a newer version that mends vulnerabilities ({})",
                  found.empty() ? "none" : std::to_string(packages_of(found)), packages.size(),
                  release.location.reference(), core::join(database.origins, ", ")));
  return found.empty() ? 0 : 1;
}

}  // namespace

Runner declare_sbom(OptionSet& set) {
  auto arguments = std::make_shared<SbomArguments>();
  declare_trusted(set, arguments->reference, arguments->public_keys);
  set.find("release").required(false);  // "diff" takes its place
  set.option("--format", arguments->format, "spdx (2.3) or cyclonedx (1.6), both JSON")
      .one_of({"spdx", "cyclonedx"})
      .show_default();
  set.set_footer(
      "Prints the document of the release, checked against its signed manifest.\n"
      "Example: imgforge sbom hello-boot --format cyclonedx");
  set.set_commands(OptionSet::Commands::kOptional);
  OptionSet& comparing =
      set.command("diff", "say which packages, licences and models two releases differ in");
  comparing.positional("before", arguments->before, "a release, as above").required();
  comparing.positional("after", arguments->after, "the release to compare it with").required();
  declare_public_keys(comparing, arguments->public_keys);
  comparing.set_footer(
      "Reads the signed manifests alone. Everything else that changed says imgforge diff.\n"
      "Example: imgforge sbom diff hello-boot@v20261120 hello-boot");
  comparing.set_runner([arguments](Context& context) { return sbom_diff(context, *arguments); });
  return [arguments](Context& context) {
    if (arguments->reference.empty()) {
      throw core::Error(core::Kind::kUsage, "sbom needs a release, or: sbom diff BEFORE AFTER")
          .hint("imgforge sbom --help");
    }
    print(bill_of(find_trusted(context, arguments->reference, arguments->public_keys), arguments->format));
    return 0;
  };
}

Runner declare_scan(OptionSet& set) {
  auto arguments = std::make_shared<ScanArguments>();
  declare_trusted(set, arguments->reference, arguments->public_keys);
  set.option("--db", arguments->database, "folder with Alpine's security database: main.json, community.json")
      .required();
  set.set_footer(
      "Compares the packages of the signed manifest, by source package and as apk orders versions, with a "
      "local copy of\n"
      "https://secdb.alpinelinux.org/vVERSION/. Exit code 1 when something can be mended. Needs no network.\n"
      "Example: imgforge scan unhinged-os-minimal --db secdb/v3.19");
  return [arguments](Context& context) { return scan(context, *arguments); };
}

}  // namespace imgforge::cli
