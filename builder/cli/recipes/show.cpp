#include "builder/recipe/show/show.hpp"

#include <fmt/format.h>

#include "artifacts/check/release_check.hpp"
#include "artifacts/store/release_reference.hpp"
#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/arguments/recipe_arguments.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;
using artifacts::InventoryRelease;
using artifacts::Manifest;

/// A file that ends in .yaml or .yml, or any file that is not in the store, is a recipe; the rest are
/// releases.
bool is_recipe(const fs::path& argument, const fs::path& store) {
  if (argument.extension() == ".yaml" || argument.extension() == ".yml") return true;
  std::error_code error;
  if (!fs::is_regular_file(argument, error)) return false;
  const fs::path below = fs::canonical(argument, error).lexically_relative(fs::canonical(store, error));
  return error || below.empty() || *below.begin() == "..";
}

int show_recipe(Context& context, const RecipeArguments& arguments) {
  std::string text;
  for (const recipe::ResolvedRecipe& profile : resolve_profiles(arguments, core::build_time(context.clock))) {
    if (context.options.json) {
      text += recipe::show_json(profile);
    } else {
      text += (text.empty() ? "" : "---\n") + recipe::show_yaml(profile);
    }
  }
  print(text);
  return 0;
}

std::string as_text(const InventoryRelease& release, const Manifest& manifest, const std::string& signer,
                    const Style& style) {
  std::string text = style.bold(manifest.line() + " " + manifest.version) + "\n";
  const auto row = [&](const char* name, const std::string& value) {
    if (!value.empty()) text += fmt::format("  {:<10} {}\n", name, core::escaped(value, 1000));
  };
  row("state", std::string(artifacts::state_name(release.state)));
  if (release.pin)
    row("pinned", fmt::format("by {} at {} {}", release.pin->who, release.pin->when, release.pin->reason));
  row("folder", release.directory.native());
  row("built", manifest.created + " with imgforge " + manifest.tool_version);
  row("signed by", signer);
  row("draft", manifest.is_draft ? "packed fast, does not become current" : "");
  row("insecure", core::join(manifest.insecure, ", "));
  row("made in", manifest.isolation);
  row("base", fmt::format("{} {}", manifest.base.kind, manifest.base.release));
  row("kernel",
      manifest.kernel_release + (manifest.kernel_cmdline.empty() ? "" : " · " + manifest.kernel_cmdline));
  row("machines", artifacts::features_text(manifest.kernel_features));
  row("needs", fmt::format("{}, {} CPU{}", manifest.required_memory.to_string(), manifest.required_cpus,
                           manifest.required_cpus == 1 ? "" : "s"));
  row("packages", std::to_string(manifest.packages.size()));
  for (const auto& artifact : manifest.artifacts) {
    const artifacts::StoredFile* file = release.holder(artifact.file);
    row(artifact.format.c_str(),
        fmt::format(
            "{} · {}{}{} · sha256 {}", artifact.file, core::Bytes{artifact.size}.human(),
            file == nullptr ? ", MISSING" : ", " + core::Bytes{file->stored}.human() + " on disk",
            artifact.virtual_size == 0 ? "" : ", disk of " + core::Bytes{artifact.virtual_size}.to_string(),
            artifact.sha256.hex()));
  }
  for (const auto& boot : manifest.boots) {
    std::string markers;
    for (const auto& [marker, milliseconds] : boot.markers)
      markers += fmt::format(" · {} after {:.1f} s", marker, static_cast<double>(milliseconds) / 1000);
    row("boots", fmt::format("{} by {} ({}, {}){}", boot.artifact, boot.path, boot.accelerator,
                             boot.memory.to_string(), markers));
  }
  for (const auto& document : manifest.documents) row("document", document.file);
  return text;
}

int show_release(Context& context, const std::string& reference) {
  const artifacts::Store store = open_store(context);
  const artifacts::ReleaseLocation location = artifacts::find_release(store, reference);
  const artifacts::Inventory inventory = artifacts::read_inventory(store, {location.line});
  const artifacts::InventoryLine* line = inventory.find(location.line);
  const InventoryRelease* release = line == nullptr ? nullptr : line->find(location.version);
  if (release == nullptr)
    throw core::Error(core::Kind::kStore, location.reference() + " went away while it was looked at");
  const std::string text =
      core::read_text_file(release->directory / artifacts::kManifestFile, artifacts::kMaxManifestBytes);
  const Manifest manifest = artifacts::parse_manifest(text);
  const signing::TrustStore trust = load_trust({});
  std::string signer;
  try {
    signer = trust.verify(text, release->signature).signer;
  } catch (const core::Error& error) {
    signer = release->signature.empty() ? signature_claim(*release, trust).text()
                                        : "NOBODY TRUSTED: " + error.message();
  }
  if (context.options.json) {
    core::Json json = release_json(*release, trust);
    json["manifest"] =
        core::parse_json(text, "manifest", {.bytes = artifacts::kMaxManifestBytes, .depth = 8});
    print(core::print_json({{"schema", 1}, {"release", json}}));
  } else {
    print(as_text(*release, manifest, signer, context.out));
  }
  return 0;
}

}  // namespace

Runner declare_show(OptionSet& set) {
  const auto arguments = declare_recipe(set);
  set.find("recipe").describe("recipe file (YAML), or a release: LINE, LINE@VERSION, LINE-VERSION or a path");
  set.set_footer(
      "A file that ends in .yaml or .yml, or that is not in the output folder, is a recipe; everything else "
      "names\n"
      "a release. The options below apply to recipes.\n"
      "Example: imgforge show hello-boot@v20261120");
  return [arguments](Context& context) {
    if (is_recipe(arguments->file, context.options.output_dir)) return show_recipe(context, *arguments);
    if (!arguments->profiles.empty() || !arguments->formats.empty() || !arguments->set.empty() ||
        !arguments->mirrors.empty()) {
      throw core::Error(core::Kind::kUsage, core::escaped(arguments->file.native(), 200) +
                                                " is no recipe file, and a release has nothing to override");
    }
    return show_release(context, arguments->file.native());
  };
}

}  // namespace imgforge::cli
