#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "artifacts/manifest/formats.hpp"
#include "artifacts/manifest/manifest.hpp"
#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/frame/command.hpp"
#include "builder/machine/accelerator.hpp"
#include "builder/stages/secure_boot_keys.hpp"
#include "builder/vm/artifact_boot.hpp"
#include "builder/vm/claimed_paths.hpp"
#include "builder/vm/enrol_keys.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  fs::path artifact;
  std::vector<std::string> paths;
  std::string firmware = "both";
  std::string memory;
  unsigned cpus = 0;
  int timeout = 180;
  int stall = 60;
  std::vector<std::string> expect;
  std::vector<std::string> commands;
  std::string log_in = "root";
  fs::path screenshot;
  fs::path log;
  fs::path shared;
  fs::path variables;
  std::string secure_boot_keys;
  bool find_minimum_memory = false;
};

/// The manifest beside the artifact. It is only asked for defaults here, nothing is trusted because of it.
std::optional<artifacts::Manifest> manifest_beside(const fs::path& artifact) {
  const fs::path file = artifact.parent_path() / "manifest.json";
  if (!fs::exists(file)) return std::nullopt;
  return artifacts::parse_manifest(core::read_text_file(file, artifacts::kMaxManifestBytes));
}

/// What the artifact is: the manifest says so, or its content. Returns whether it is signed for Secure Boot.
vm::BootSigning describe(vm::BootRequest& request, const fs::path& named) {
  vm::BootSigning signing = vm::BootSigning::kNone;
  std::error_code error;
  const fs::path artifact = fs::canonical(named, error);
  if (error) throw core::system_error(error.value(), "cannot read", named.native());
  const std::optional<artifacts::Manifest> manifest = manifest_beside(artifact);
  request.image = artifact;
  request.name = named.filename();
  if (manifest) {
    request.requirements.memory = manifest->required_memory;
    request.requirements.cpus = manifest->required_cpus;
    request.expect = manifest->boot_expect;
    for (const artifacts::ManifestArtifact& row : manifest->artifacts) {
      if (row.file != artifact.filename()) continue;
      if (artifacts::is_packed(row)) {
        throw core::Error(core::Kind::kUsage, artifact.native() + " is compressed: unpack it first")
            .hint("zstd -d " + artifact.native());
      }
      request.format = row.format;
      signing = vm::signing_of(row);
    }
  }
  if (request.format.empty()) request.format = vm::detect_format(artifact);
  const artifacts::Format* known = artifacts::find_format(request.format);
  if (known != nullptr && known->root == artifacts::RootPlace::kFiles)
    request.netboot = vm::find_netboot_files(artifact, manifest ? &*manifest : nullptr);
  return signing;
}

/// The paths named, or all that the format claims; `--firmware` filters them. Secure Boot is tried only when
/// there are keys to enrol or variables that hold some.
std::vector<vm::BootPath> chosen_paths(const Arguments& arguments, const std::string& format,
                                       vm::BootSigning signing) {
  std::vector<vm::BootPath> paths;
  for (const std::string& name : arguments.paths) {
    paths.push_back(vm::parse_boot_path(name));
    vm::check_path_fits(paths.back(), format);
  }
  if (paths.empty()) {
    paths = vm::boot_paths_of(format, signing);
    if (arguments.secure_boot_keys.empty() && arguments.variables.empty()) {
      std::erase_if(paths,
                    [](const vm::BootPath& path) { return path.firmware == vm::Firmware::kSecureBoot; });
    }
  }
  if (paths.empty())
    throw core::Error(core::Kind::kUsage, fmt::format("the format {} does not boot", format));
  if (arguments.firmware != "both") {
    std::erase_if(
        paths, [&](const vm::BootPath& path) { return vm::is_uefi(path) != (arguments.firmware == "uefi"); });
  }
  if (paths.empty()) {
    throw core::Error(core::Kind::kUsage,
                      fmt::format("none of the paths boots by --firmware {}", arguments.firmware));
  }
  return paths;
}

vm::BootRequest make_request(const Arguments& arguments) {
  vm::BootRequest request;
  const vm::BootSigning signing = describe(request, arguments.artifact);
  request.paths = chosen_paths(arguments, request.format, signing);
  if (!arguments.memory.empty()) request.requirements.memory = core::Bytes::parse(arguments.memory);
  if (arguments.cpus > 0) request.requirements.cpus = arguments.cpus;
  if (!arguments.expect.empty()) request.expect = arguments.expect;
  request.deadline = std::chrono::seconds(arguments.timeout);
  request.silence = std::chrono::seconds(arguments.stall);
  const std::size_t colon = arguments.log_in.find(':');
  request.log_in.user = arguments.log_in.substr(0, colon);
  if (colon != std::string::npos) request.log_in.password = arguments.log_in.substr(colon + 1);
  for (const std::string& command : arguments.commands) request.commands.push_back({command});
  request.screenshot = arguments.screenshot;
  request.log = arguments.log;
  request.shared = arguments.shared;
  request.variables = arguments.variables;
  if (!request.shared.empty() && !fs::is_directory(request.shared))
    throw core::Error(core::Kind::kUsage, request.shared.native() + " is no folder");
  return request;
}

std::string render(const vm::BootEvidence& boot, const Style& style) {
  std::string text = fmt::format("  {} {:<12}", style.good("✓"), boot.path_name);
  for (const vm::BootMarker& marker : boot.markers)
    text += fmt::format(" {} {:.1f} s ·", marker.name, marker.seconds);
  text += fmt::format(" {} · {} · {} cpu\n", boot.accelerator, boot.memory.to_string(), boot.cpus);
  for (const std::string& line : boot.complaints) text += fmt::format("    {} {}\n", style.warn("!"), line);
  for (const vm::CommandResult& result : boot.commands) {
    text += fmt::format("    {} status {}, {:.1f} s\n", style.bold("# " + core::escaped(result.command)),
                        result.status, result.seconds);
    for (const std::string& line : core::split(core::trimmed(result.output), '\n')) {
      if (!line.empty()) text += fmt::format("    {}\n", core::escaped(line));
    }
  }
  if (!boot.log.empty()) text += fmt::format("    console in {}\n", boot.log.native());
  if (!boot.screenshot.empty()) text += fmt::format("    screen in {}\n", boot.screenshot.native());
  return text;
}

void print_boots(const Context& context, const std::vector<vm::BootEvidence>& boots) {
  std::string text;
  core::Json rows = core::Json::array();
  for (const vm::BootEvidence& boot : boots) {
    rows.push_back(vm::evidence_json(boot));
    text += render(boot, context.out);
  }
  print(context.options.json ? core::print_json({{"schema", 1}, {"boots", rows}}) : text);
}

void print_minimums(const Context& context, const std::vector<vm::MinimumMemory>& minimums) {
  std::string text;
  core::Json rows = core::Json::array();
  for (const vm::MinimumMemory& row : minimums) {
    rows.push_back({{"path", row.path_name}, {"memory", row.memory.value}, {"boots", row.boots}});
    text += fmt::format("  {} {:<12} boots with {} or more · {} boots\n", context.out.good("✓"),
                        row.path_name, row.memory.to_string(), row.boots);
  }
  print(context.options.json ? core::print_json({{"schema", 1}, {"minimum_memory", rows}}) : text);
}

/// Variables with the keys that the user named, in `work`.
fs::path enrolled_variables(Context& context, const core::Activity& activity, const std::string& keys,
                            machine::Accelerator accelerator, const fs::path& work) {
  activity.say("enrolling the Secure Boot keys");
  vm::BootSpec machine;
  machine.accelerator = accelerator;
  machine.work_dir = work;
  vm::enrol_keys(stages::secure_boot_folder(keys_folder(), fs::current_path(), keys), work / "variables.fd",
                 machine, context.processes, context.cancel);
  return work / "variables.fd";
}

int boot(Context& context, const Arguments& arguments) {
  vm::BootRequest request = make_request(arguments);
  const machine::Accelerator accelerator =
      machine::find_accelerator(context.processes, context.options.cache_dir, context.cancel).accelerator;
  const fs::path scratch = context.options.cache_dir / "tmp";
  core::Activity activity = context.progress.begin("boot");
  const core::TempDir work(scratch, "enrol");
  if (!arguments.secure_boot_keys.empty())
    request.enrolled =
        enrolled_variables(context, activity, arguments.secure_boot_keys, accelerator, work.path());
  if (arguments.find_minimum_memory) {
    const auto minimums = vm::find_minimum_memory(request, accelerator, scratch, activity, context.cancel);
    activity.done(request.name);
    print_minimums(context, minimums);
  } else {
    const auto boots = vm::boot_artifact(request, accelerator, scratch, activity, context.cancel);
    activity.done(request.name);
    print_boots(context, boots);
  }
  return 0;
}

void declare_machine(OptionSet& set, Arguments& arguments) {
  set.option("-m,--memory", arguments.memory, "RAM, as in 128M [what the release's manifest says]");
  set.option("--cpus", arguments.cpus, "processors [what the release's manifest says]");
  set.option("--shared", arguments.shared,
             "folder that the guest may mount: -t 9p -o trans=virtio shared /mnt");
  const Option variables = set.option("--uefi-variables", arguments.variables,
                                      "file of UEFI's variables, used in place [fresh ones for each boot]");
  set.option("--secure-boot-keys", arguments.secure_boot_keys,
             "name or folder of Secure Boot keys, enrolled for the paths with Secure Boot")
      .excludes(variables);
}

void declare_limits(OptionSet& set, Arguments& arguments) {
  set.option("--timeout", arguments.timeout, "seconds for each boot, and for each command")
      .between(1, 86400)
      .show_default();
  set.option("--stall", arguments.stall, "seconds without output that count as hung")
      .between(1, 86400)
      .show_default();
}

void declare_actions(OptionSet& set, Arguments& arguments) {
  set.option("--expect", arguments.expect,
             "regular expression that the console must show; repeatable [login:]");
  const Option run = set.option("--run", arguments.commands,
                                "shell command to run once it is ready; must end with 0; repeatable");
  set.option("--log-in", arguments.log_in, "who runs the commands: USER or USER:PASSWORD").show_default();
  const Option shot =
      set.option("--screenshot", arguments.screenshot, "writes a PNG of the screen at the end");
  const Option log = set.option("--log", arguments.log, "writes what the serial console showed");
  set.flag("--find-minimum-memory", arguments.find_minimum_memory,
           "finds the smallest memory that boots, for each path")
      .excludes(run)
      .excludes(shot)
      .excludes(log);
}

}  // namespace

Runner declare_boot(OptionSet& set) {
  auto arguments = std::make_shared<Arguments>();
  set.positional("artifact", arguments->artifact,
                 "disk image (qcow2, raw, vmdk, vhdx, vdi), ISO, stick or a file of a netboot set; it is not "
                 "changed")
      .required();
  set.option("--path", arguments->paths,
             "way to boot, as in \"cd UEFI\"; repeatable [all that the format claims]");
  set.option("--firmware", arguments->firmware, "only paths of this firmware: bios, uefi or both")
      .one_of({"bios", "uefi", "both"})
      .show_default();
  declare_machine(set, *arguments);
  declare_limits(set, *arguments);
  declare_actions(set, *arguments);
  return [arguments](Context& context) { return boot(context, *arguments); };
}

}  // namespace imgforge::cli
