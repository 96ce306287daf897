#include <fmt/format.h>

#include <filesystem>

#include "artifacts/manifest.hpp"
#include "builder/cli/command.hpp"
#include "builder/machine/accelerator.hpp"
#include "builder/stages/boot_test.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  fs::path artifact;
  std::string firmware = "both";
  std::string memory;
  unsigned cpus = 0;
  int timeout = 180;
  int stall = 60;
  std::vector<std::string> expect;
};

/// What the release says that the image needs and shows. The manifest is only asked for defaults here,
/// nothing is trusted because of it.
void take_defaults(stages::BootRequest& request, const fs::path& artifact) {
  std::error_code error;
  const fs::path file = fs::weakly_canonical(artifact, error).parent_path() / "manifest.json";
  if (!error && fs::exists(file)) {
    const artifacts::Manifest manifest =
        artifacts::parse_manifest(core::read_text_file(file, artifacts::kMaxManifestBytes));
    request.requirements.memory = manifest.required_memory;
    request.requirements.cpus = manifest.required_cpus;
    request.expect = manifest.boot_expect;
  }
}

std::string render(const std::vector<artifacts::ManifestBoot>& boots, const Style& style) {
  std::string text;
  for (const artifacts::ManifestBoot& boot : boots) {
    text += fmt::format("  {} {:<12}", style.good("✓"), boot.path);
    for (const auto& [name, milliseconds] : boot.markers) {
      text += fmt::format(" {} {:.1f} s ·", name, static_cast<double>(milliseconds) / 1000);
    }
    text += fmt::format(" {} · {} · {} cpu\n", boot.accelerator, boot.memory.to_string(), boot.cpus);
  }
  return text;
}

int boot(Context& context, const Arguments& arguments) {
  stages::BootRequest request;
  request.image = arguments.artifact;
  request.format = arguments.artifact.extension() == ".qcow2" ? "qcow2" : "raw";
  request.name = arguments.artifact.filename();
  take_defaults(request, arguments.artifact);
  if (!arguments.memory.empty()) request.requirements.memory = core::Bytes::parse(arguments.memory);
  if (arguments.cpus > 0) request.requirements.cpus = arguments.cpus;
  if (!arguments.expect.empty()) request.expect = arguments.expect;
  request.deadline = std::chrono::seconds(arguments.timeout);
  request.silence = std::chrono::seconds(arguments.stall);
  if (arguments.firmware != "both") {
    request.firmware = {arguments.firmware == "bios" ? image::Firmware::kBios : image::Firmware::kUefi};
  }
  const machine::AcceleratorVerdict accelerator =
      machine::find_accelerator(context.processes, context.options.cache_dir, context.cancel);
  context.progress.begin("boot");
  const auto boots = stages::boot_through_firmware(
      request, accelerator.accelerator, context.options.cache_dir / "tmp", context.progress, context.cancel);
  context.progress.end("boot", request.name, core::Progress::Outcome::kDone);
  if (!context.options.json) {
    print(render(boots, context.out));
    return 0;
  }
  core::Json rows = core::Json::array();
  for (const artifacts::ManifestBoot& row : boots) {
    rows.push_back({{"path", row.path},
                    {"accelerator", row.accelerator},
                    {"memory", row.memory.value},
                    {"cpus", row.cpus},
                    {"markers", row.markers}});
  }
  print(core::print_json({{"schema", 1}, {"boots", rows}}));
  return 0;
}

}  // namespace

Runner declare_boot(CLI::App& app) {
  auto arguments = std::make_shared<Arguments>();
  app.add_option("artifact", arguments->artifact, "qcow2 or raw image; it is not changed")->required();
  app.add_option("--firmware", arguments->firmware, "bios, uefi or both")
      ->check(CLI::IsMember({"bios", "uefi", "both"}))
      ->capture_default_str();
  app.add_option("-m,--memory", arguments->memory, "RAM, as in 128M [what the release's manifest says]");
  app.add_option("--cpus", arguments->cpus, "processors [what the release's manifest says]");
  app.add_option("--expect", arguments->expect,
                 "regular expression that the console must show; repeatable [login:]")
      ->allow_extra_args(false);
  app.add_option("--timeout", arguments->timeout, "seconds for each boot")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  app.add_option("--stall", arguments->stall, "seconds without output that count as hung")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  return [arguments](Context& context) { return boot(context, *arguments); };
}

}  // namespace imgforge::cli
