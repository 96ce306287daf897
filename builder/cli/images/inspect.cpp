#include "builder/inspect/inspect.hpp"

#include <fmt/format.h>

#include "artifacts/check/release_check.hpp"
#include "artifacts/store/release_reference.hpp"
#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "builder/cli/images/inspect_tools.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;
using artifacts::Manifest;
using artifacts::ManifestArtifact;

struct Arguments {
  std::string subject;
  bool deep = false;
  bool checksum = false;
};

/// Lines of a name and a value.
class Sheet {
 public:
  void row(const std::string& name, const std::string& value) {
    if (!value.empty()) text_ += fmt::format("  {:<12} {}\n", name, core::escaped(value, 1000));
  }
  void title(const std::string& text) { text_ += text + "\n"; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

core::Json artifact_json(const ManifestArtifact& artifact) {
  return {{"file", artifact.file},           {"format", artifact.format},
          {"size", artifact.size},           {"virtual_size", artifact.virtual_size},
          {"sha256", artifact.sha256.hex()}, {"media", artifact.media}};
}

/// What the manifest says of a release, or of one file of it.
int tell_manifest(Context& context, const NamedArtifact& named) {
  const Manifest& manifest = *named.manifest;
  core::Json rows = core::Json::array();
  Sheet sheet;
  sheet.title(context.out.bold(manifest.line() + " " + manifest.version) +
              " as its manifest says, signed by " + named.signer + " (--deep reads the file)");
  for (const ManifestArtifact& artifact : manifest.artifacts) {
    if (named.artifact && artifact.file != named.artifact->file) continue;
    rows.push_back(artifact_json(artifact));
    sheet.row(
        artifact.format,
        fmt::format(
            "{} · {}{} · sha256 {}", artifact.file, core::Bytes{artifact.size}.human(),
            artifact.virtual_size == 0 ? "" : ", disk of " + core::Bytes{artifact.virtual_size}.to_string(),
            artifact.sha256.hex()));
  }
  sheet.row("built", manifest.created);
  if (manifest.derived_from)
    sheet.row("derived from", manifest.derived_from->release + " · " + manifest.derived_from->operation);
  sheet.row("base", manifest.base.kind + " " + manifest.base.release);
  sheet.row("kernel", manifest.kernel_release);
  sheet.row("command line", manifest.kernel_cmdline);
  sheet.row("for machines", artifacts::features_text(manifest.kernel_features));
  sheet.row("boots", boots_text(manifest));
  core::Json packages = core::Json::object();
  std::vector<std::string> names;
  for (const artifacts::ManifestPackage& package : manifest.packages) {
    packages[package.name] = package.version;
    names.push_back(package.name + " " + package.version);
  }
  sheet.row("packages", std::to_string(names.size()) + (names.empty() ? "" : ": " + core::join(names, ", ")));
  if (context.options.json) {
    core::Json json{{"schema", 1},
                    {"source", "manifest"},
                    {"line", manifest.line()},
                    {"version", manifest.version},
                    {"signer", named.signer},
                    {"artifacts", rows},
                    {"kernel",
                     {{"release", manifest.kernel_release},
                      {"cmdline", manifest.kernel_cmdline},
                      {"features", manifest.kernel_features}}},
                    {"packages", packages}};
    print(core::print_json(json));
  } else {
    print(sheet.text());
  }
  return 0;
}

core::Json as_json(const fs::path& file, const inspect::Inspection& inspection) {
  const core::Json sha256 = inspection.sha256 ? core::Json(inspection.sha256->hex()) : core::Json();
  core::Json partitions = core::Json::array();
  for (const inspect::FoundPartition& partition : inspection.artifact.partitions) {
    partitions.push_back({{"name", partition.entry.name},
                          {"type", image::partition_type_name(partition.entry.type_uuid)},
                          {"type_uuid", partition.entry.type_uuid},
                          {"uuid", partition.entry.uuid},
                          {"start", partition.entry.start},
                          {"size", partition.entry.size},
                          {"file_system", partition.file_system}});
  }
  return {{"schema", 1},
          {"source", "file"},
          {"file", file.native()},
          {"format", inspection.artifact.format},
          {"size", inspection.size},
          {"virtual_size", inspection.artifact.virtual_size},
          {"sha256", sha256},
          {"disk_uuid", inspection.artifact.disk_uuid},
          {"partitions", partitions},
          {"boot_entries", inspection.artifact.boot_entries},
          {"cmdline", inspection.artifact.kernel_cmdline},
          {"os_release", inspection.root.os_release},
          {"kernels", inspection.root.kernels},
          {"packages", inspection.root.packages}};
}

std::string as_text(const fs::path& file, const inspect::Inspection& inspection, const Style& style) {
  const inspect::FoundArtifact& artifact = inspection.artifact;
  Sheet sheet;
  sheet.title(style.bold(core::escaped(file.native())) + " as read from the file");
  sheet.row("format", artifact.format);
  sheet.row(
      "size",
      core::Bytes{inspection.size}.human() +
          (artifact.virtual_size == 0 ? "" : ", disk of " + core::Bytes{artifact.virtual_size}.to_string()));
  if (inspection.sha256) sheet.row("sha256", inspection.sha256->hex());
  for (const inspect::FoundPartition& partition : artifact.partitions) {
    sheet.row("partition",
              fmt::format("{} · {} · {} at {} · {}", partition.entry.name,
                          image::partition_type_name(partition.entry.type_uuid),
                          core::Bytes{partition.entry.size}.to_string(),
                          core::Bytes{partition.entry.start}.to_string(),
                          partition.file_system.empty() ? "unknown content" : partition.file_system));
  }
  sheet.row("boot menu", core::join(artifact.boot_entries, ", "));
  sheet.row("command line", artifact.kernel_cmdline);
  const auto pretty = inspection.root.os_release.find("PRETTY_NAME");
  if (pretty != inspection.root.os_release.end()) sheet.row("system", pretty->second);
  sheet.row("kernels", core::join(inspection.root.kernels, ", "));
  std::vector<std::string> names;
  for (const auto& [name, version] : inspection.root.packages) names.push_back(name + " " + version);
  sheet.row("packages", std::to_string(names.size()) + (names.empty() ? "" : ": " + core::join(names, ", ")));
  return sheet.text();
}

int inspect(Context& context, const Arguments& arguments) {
  const NamedArtifact named = find_artifact(context, arguments.subject);
  if (named.manifest && !arguments.deep) return tell_manifest(context, named);
  const InspectFolder folder(context);
  const inspect::Inspection inspection =
      inspect::inspect_file(named.file, named.format, folder.tools(),
                            arguments.checksum ? inspect::Checksum::kYes : inspect::Checksum::kNo);
  print(context.options.json ? core::print_json(as_json(named.file, inspection))
                             : as_text(named.file, inspection, context.out));
  return 0;
}

}  // namespace

Runner declare_inspect(OptionSet& set) {
  auto arguments = std::make_shared<Arguments>();
  set.positional("file", arguments->subject,
                 "a file, or a release: LINE, LINE@VERSION, LINE-VERSION or a path")
      .required();
  set.flag("--deep", arguments->deep, "read the file even when a manifest describes it");
  set.flag("--checksum", arguments->checksum, "and all of its bytes, for the sha256");
  set.set_footer(
      "What a manifest describes is told from there; other files are read: partitions, boot menu, system, "
      "kernels,\n"
      "packages. File systems on disks are read by the appliance, never by this machine's kernel.\n"
      "Example: imgforge inspect out/images/hello-boot.qcow2 --deep");
  return [arguments](Context& context) { return inspect(context, *arguments); };
}

}  // namespace imgforge::cli
