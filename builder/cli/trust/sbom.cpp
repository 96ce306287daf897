#include "builder/sbom/sbom.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "builder/cli/arguments/trusted_release.hpp"
#include "builder/cli/frame/diff_sections.hpp"
#include "builder/sbom/difference.hpp"
#include "builder/sbom/security_database.hpp"
#include "builder/sbom/vex.hpp"
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

/// A document of the release, checked against the signed manifest; nothing when it has none of that name.
std::optional<std::string> document_of(const TrustedRelease& release, std::string_view name) {
  const Manifest& manifest = release.manifest.manifest();
  const auto document =
      std::find_if(manifest.documents.begin(), manifest.documents.end(),
                   [&](const artifacts::ManifestDocument& row) { return row.file == name; });
  if (document == manifest.documents.end()) return std::nullopt;
  std::string text = core::read_text_file(release.location.directory / name, document->size);
  if (core::digest_of(core::HashAlgorithm::kSha256, text) != document->sha256) {
    throw core::Error(core::Kind::kIntegrity, fmt::format("{} of {} is not what its signed manifest lists",
                                                          name, release.location.reference()));
  }
  return text;
}

sbom::Inventory inventory_of(const TrustedRelease& release) {
  const auto bill = document_of(release, sbom::kCycloneDxFile);
  return bill ? sbom::read_inventory(*bill) : sbom::Inventory();
}

/// What two releases do not both consist of; the exit code is 0 whatever differs, as that of imgforge diff.
int sbom_diff(Context& context, const SbomArguments& arguments) {
  const TrustedRelease older = find_trusted(context, arguments.before, arguments.public_keys);
  const TrustedRelease newer = find_trusted(context, arguments.after, arguments.public_keys);
  const Manifest& before = older.manifest.manifest();
  const Manifest& after = newer.manifest.manifest();
  const sbom::Difference found = sbom::difference(before, after, inventory_of(older), inventory_of(newer));
  const std::vector<DiffSection> sections{{"Packages", "packages", found.packages},
                                          {"Licences", "licences", found.licences},
                                          {"Models", "models", found.models},
                                          {"Components", "components", found.components}};
  print(context.options.json ? core::print_json(diff_json(before, after, sections))
                             : diff_text(older.location.reference() + " -> " + newer.location.reference(),
                                         sections, context.out));
  return 0;
}

/// The document of the release when it has one; a bill of materials is else made now.
std::string bill_of(const TrustedRelease& release, const std::string& format) {
  const std::string_view name = format == "spdx"        ? sbom::kSpdxFile
                                : format == "cyclonedx" ? sbom::kCycloneDxFile
                                                        : sbom::kVexFile;
  if (auto document = document_of(release, name)) return *std::move(document);
  if (name == sbom::kVexFile) {
    throw core::Error(core::Kind::kStore,
                      release.location.reference() + " says nothing about vulnerabilities")
        .reason(core::Reason::kMissing)
        .hint("write vex: in its recipe");
  }
  const Manifest& manifest = release.manifest.manifest();
  return format == "spdx" ? sbom::make_spdx(manifest) : sbom::make_cyclonedx(manifest);
}

struct ScanArguments {
  std::string reference;
  std::vector<std::string> public_keys;
  std::filesystem::path database;
};

std::size_t packages_of(const std::vector<sbom::Judged>& found) {
  std::set<std::string> names;
  for (const sbom::Judged& row : found) names.insert(row.what.package);
  return names.size();
}

core::Json rows_of(const std::vector<sbom::Judged>& found) {
  core::Json rows = core::Json::array();
  for (const sbom::Judged& row : found) {
    rows.push_back({{"package", row.what.package},
                    {"source_package", row.what.source_package},
                    {"installed", row.what.installed},
                    {"fixed", row.what.fixed},
                    {"ids", row.what.ids}});
    if (row.status.empty()) continue;
    rows.back()["status"] = row.status;
    rows.back()["why"] = row.why;
  }
  return rows;
}

/// For people; the last column is there when the release says something about any.
std::string table_of(const std::vector<sbom::Judged>& found, const Style& out) {
  const bool said =
      std::any_of(found.begin(), found.end(), [](const sbom::Judged& row) { return !row.status.empty(); });
  std::vector<std::vector<std::string>> rows{{"PACKAGE", "INSTALLED", "FIXED IN", "VULNERABILITIES"}};
  if (said) rows.front().push_back("SAYS THE RELEASE");
  for (const sbom::Judged& row : found) {
    rows.push_back({row.what.package, row.what.installed, row.what.fixed, core::join(row.what.ids, ", ")});
    if (said) rows.back().push_back(row.status + (row.why.empty() ? "" : ": " + core::escaped(row.why, 200)));
  }
  return text_table(rows, out);
}

int scan(Context& context, const ScanArguments& arguments) {
  const TrustedRelease release = find_trusted(context, arguments.reference, arguments.public_keys);
  const Manifest& manifest = release.manifest.manifest();
  const sbom::SecurityDatabase database = sbom::read_security_database(arguments.database);
  const auto document = document_of(release, sbom::kVexFile);
  const std::vector<sbom::Judged> all =
      sbom::judged(sbom::vulnerable_packages(manifest.packages, database), manifest,
                   document ? sbom::read_vex(*document) : std::vector<sbom::Statement>());
  std::vector<sbom::Judged> open;
  std::vector<sbom::Judged> excused;
  for (const sbom::Judged& row : all) (row.is_excused() ? excused : open).push_back(row);
  if (context.options.json) {
    print(core::print_json({{"schema", 1},
                            {"release", release.location.reference()},
                            {"database", database.origins},
                            {"packages", manifest.packages.size()},
                            {"vulnerable", rows_of(open)},
                            {"excused", rows_of(excused)}}));
  } else if (!all.empty()) {
    print(table_of(all, context.out));
  }
  const std::string also =
      excused.empty() ? "" : fmt::format("; {} more by what the release says", packages_of(excused));
  context.progress.note(
      fmt::format("{} of {} packages of {} have a newer version that mends vulnerabilities ({}){}",
                  open.empty() ? "none" : std::to_string(packages_of(open)), manifest.packages.size(),
                  release.location.reference(), core::join(database.origins, ", "), also));
  return open.empty() ? 0 : 1;
}

}  // namespace

Runner declare_sbom(OptionSet& set) {
  auto arguments = std::make_shared<SbomArguments>();
  declare_trusted(set, arguments->reference, arguments->public_keys);
  set.find("release").required(false);  // "diff" takes its place
  set.option("--format", arguments->format, "spdx (2.3), cyclonedx (1.6) or openvex (0.2.0), all JSON")
      .one_of({"spdx", "cyclonedx", "openvex"})
      .show_default();
  set.set_footer(
      "Prints the document of the release, checked against its signed manifest.\n"
      "Example: imgforge sbom hello-boot --format cyclonedx");
  set.set_commands(OptionSet::Commands::kOptional);
  OptionSet& comparing =
      set.command("diff", "say which packages, licences, models and boot loaders two releases differ in");
  comparing.positional("before", arguments->before, "a release, as above").required();
  comparing.positional("after", arguments->after, "the release to compare it with").required();
  declare_public_keys(comparing, arguments->public_keys);
  comparing.set_footer(
      "Reads signed manifests and documents alone. Everything else that changed says imgforge diff.\n"
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
      "What the release says is not_affected or fixed (vex: in its recipe) is shown and does not count.\n"
      "Example: imgforge scan unhinged-os-minimal --db secdb/v3.19");
  return [arguments](Context& context) { return scan(context, *arguments); };
}

}  // namespace imgforge::cli
