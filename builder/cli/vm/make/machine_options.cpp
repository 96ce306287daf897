#include "builder/cli/vm/make/machine_options.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "artifacts/store/clones.hpp"
#include "artifacts/store/release_reference.hpp"
#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "builder/cli/arguments/trusted_release.hpp"
#include "builder/cli/vm/make/bases.hpp"
#include "builder/cli/vm/make/own_kernel.hpp"
#include "builder/cli/vm/make/stand_on_release.hpp"
#include "builder/image/disk/qcow2_overlay.hpp"
#include "builder/machine/qemu_img.hpp"
#include "builder/machines/operations/kernel_needs.hpp"
#include "builder/machines/qemu/machine_words.hpp"
#include "builder/machines/qemu/ports.hpp"
#include "builder/machines/supervisor/duties/hook.hpp"
#include "builder/stages/secure_boot_keys.hpp"
#include "builder/vm/claimed_paths.hpp"
#include "builder/vm/enrol_keys.hpp"
#include "core/bytes.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/random.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using core::Error;
using core::Kind;
using machines::Settings;
namespace fs = std::filesystem;

constexpr core::Bytes kLeastMemory = core::mib(256);
constexpr const char* kIsoDiskSize = "8G";

/// The first three bytes are QEMU's own.
std::string new_mac() {
  std::array<std::uint8_t, 3> random{};
  core::random_bytes(random);
  return fmt::format("52:54:00:{:02x}:{:02x}:{:02x}", random[0], random[1], random[2]);
}

/// A card keeps its address as long as its network stays.
void join(Settings& settings, const std::vector<std::string>& networks) {
  const std::vector<machines::Link> before = std::exchange(settings.links, {});
  for (const std::string& network : networks) {
    machines::check_machine_name(network);
    const auto same = [&](const machines::Link& link) { return link.network == network; };
    if (std::any_of(settings.links.begin(), settings.links.end(), same))
      throw Error(Kind::kUsage, "--join names a network twice: " + network);
    const auto link = std::find_if(before.begin(), before.end(), same);
    settings.links.push_back(link != before.end() ? *link : machines::Link{network, new_mac()});
  }
}

/// All that may also change later.
void take_options(Settings& settings, const MachineOptions& options) {
  settings.cpus = std::max(options.cpus, 1U);
  settings.memory = options.memory.empty() ? kLeastMemory.value : core::Bytes::parse(options.memory).value;
  settings.firmware = options.firmware == "auto" ? "bios" : options.firmware;
  settings.cmdline.clear();
  settings.boot_rom.clear();
  settings.network = options.network;
  settings.graphics = options.graphics;
  settings.restart = options.restart;
  machines::check_hook(options.hook);
  settings.hook = options.hook;
  settings.autoscale =
      options.autoscale.empty() ? machines::Autoscale{} : machines::parse_autoscale(options.autoscale);
  settings.forwards.clear();
  settings.shares.clear();
  for (const std::string& text : options.forwards) {
    const machines::Forward forward = machines::parse_forward(text);
    const auto clashes = [&](const machines::Forward& other) {
      return other.address == forward.address && other.host_port == forward.host_port &&
             other.protocol == forward.protocol;
    };
    if (std::any_of(settings.forwards.begin(), settings.forwards.end(), clashes))
      throw Error(Kind::kUsage, "--forward names a port of this host twice: " + forward.text());
    settings.forwards.push_back(forward);
  }
  machines::check_network(settings.network);
  if (settings.network != "user" && !settings.forwards.empty())
    throw Error(Kind::kUsage, settings.network == "none" ? "--forward needs a network"
                                                         : "--forward leads into the network \"user\" only");
  if (settings.network != "user") settings.ssh_port = 0;
  if (settings.network == "user" && settings.ssh_port == 0) settings.ssh_port = machines::free_port();
  join(settings, options.networks);
  for (const std::string& text : options.shares)
    settings.shares.push_back(machines::parse_share(text, settings.shares.size()));
}

Settings settings_from(const MachineOptions& options) {
  Settings settings;
  settings.disposable = options.name.empty();
  settings.name = settings.disposable ? "disposable-" + core::random_hex(4) : options.name;
  machines::check_machine_name(settings.name);
  settings.autostart = options.autostart;
  if (settings.autostart && settings.disposable)
    throw Error(Kind::kUsage, "--autostart and --name go together: a disposable machine is gone at its end");
  settings.created = core::iso_time(core::system_clock().now());
  settings.mac = new_mac();
  take_options(settings, options);
  if ((settings.firmware == "secure-boot") == options.secure_boot_keys.empty()) {
    throw Error(Kind::kUsage, "--firmware secure-boot and --secure-boot-keys go together")
        .hint("firmware without keys starts anything");
  }
  return settings;
}

/// What the manifest says is inside, and needs.
void apply_manifest(Settings& settings, const artifacts::Manifest& manifest, const MachineOptions& options) {
  take_contents(settings, manifest);
  if (options.cpus == 0) settings.cpus = std::max(manifest.required_cpus, 1U);
  if (options.memory.empty())
    settings.memory = std::max(manifest.required_memory.value, kLeastMemory.value) >> 20 << 20;
}

void run_qemu_img(const Context& context, std::vector<std::string> words) {
  context.processes.check(machine::qemu_img(std::move(words)), context.cancel, Kind::kImage);
}

void make_on_release(const Context& context, const fs::path& root, const MachineOptions& options,
                     Settings& settings) {
  const auto make_overlay = [&](const fs::path& target, const std::string& backing,
                                const std::string& format) {
    image::make_overlay(target, backing, format, context.processes, context.cancel);
  };
  const artifacts::Manifest manifest =
      stand_on_release(context, root, {options.source, {}, options.public_keys, make_overlay}, settings);
  apply_manifest(settings, manifest, options);
  try {
    take_own_kernel(context, root / settings.name, manifest, options.firmware, settings);
  } catch (const Error&) {
    machines::Registry(root).remove(settings.name, {});
    throw;
  }
}

void stand_on_file(const Context& context, const fs::path& folder, const fs::path& file,
                   const std::string& format, Settings& settings) {
  context.progress.warn(core::escaped(file.native()) + " is no release: nobody vouches for it");
  settings.origin = {"file", {}, {}, {}, fs::canonical(file), format};
  if (::mkdir(folder.c_str(), 0700) != 0) throw core::system_error(errno, "cannot create", folder.native());
  const fs::path disk = folder / machines::kDiskFile;
  try {
    if (format == "iso") {
      run_qemu_img(context, {"create", "-q", "-f", "qcow2", disk.native(), kIsoDiskSize});
    } else {
      image::make_overlay(disk, settings.origin.file, format, context.processes, context.cancel);
    }
  } catch (const Error&) {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
    throw;
  }
}

/// Format of an image file that is in no release; nothing when the text names no such file.
std::optional<std::string> format_of_file(const Context& context, const std::string& text) {
  std::error_code error;
  if (text.find('/') == std::string::npos || !fs::is_regular_file(text, error)) return std::nullopt;
  try {
    artifacts::find_release_in_place(open_store(context), text);
    return std::nullopt;
  } catch (const Error& fault) {
    if (fault.kind() != Kind::kUsage && fault.kind() != Kind::kStore) throw;
  }
  const std::string format = vm::detect_format(text);
  if (format != "qcow2" && format != "raw" && format != "iso")
    throw Error(Kind::kUsage, fmt::format("{} is of the format {}, and a machine stands on qcow2, raw or iso",
                                          core::escaped(text), format));
  return format;
}

/// Memory that follows begins within its bounds.
void begin_within(Settings& settings) {
  if (settings.autoscale.most != 0)
    settings.memory = std::clamp(settings.memory, settings.autoscale.least, settings.autoscale.most);
}

/// What it may get while it runs, now that it is known what it has.
void apply_bounds(Settings& settings, const MachineOptions& options) {
  if (!options.autoscale.empty()) {
    if (!options.max_memory.empty())
      throw Error(Kind::kUsage, "--autoscale says how much memory it may have, so --max-memory cannot");
  }
  begin_within(settings);
  settings.max_cpus = options.max_cpus;
  settings.max_memory = options.max_memory.empty() ? 0 : core::Bytes::parse(options.max_memory).value;
  if ((settings.max_cpus != 0 && settings.max_cpus < settings.cpus) ||
      (settings.max_memory != 0 && settings.max_memory < settings.memory))
    throw Error(Kind::kUsage, "--max-cpus and --max-memory cannot be below what the machine begins with");
}

/// UEFI's variables with the keys in them, as the machine's own.
void enrol(const Context& context, const fs::path& folder, const std::string& keys) {
  core::Activity activity = context.progress.begin("Secure Boot keys");
  const core::TempDir work(context.options.cache_dir / "tmp", "enrol");
  vm::BootSpec machine;
  machine.work_dir = work.path();
  machine.accelerator =
      machine::find_accelerator(context.processes, context.options.cache_dir, context.cancel).accelerator;
  const fs::path variables = work / "variables.fd";
  vm::enrol_keys(stages::secure_boot_folder(keys_folder(), fs::current_path(), keys), variables, machine,
                 context.processes, context.cancel);
  run_qemu_img(context, {"convert", "-q", "-f", "raw", "-O", "qcow2", variables.native(),
                         (folder / machines::kVariablesFile).native()});
  activity.done("enrolled");
}

/// What its kernel lacks for the settings.
void tell_kernel(const Context& context, const Settings& settings) {
  for (const std::string& warning : machines::check_kernel(settings)) context.progress.warn(warning);
}

void make_folder(const Context& context, const fs::path& root, const MachineOptions& options,
                 Settings& settings) {
  const fs::path folder = root / settings.name;
  const auto format = options.iso.empty() ? format_of_file(context, options.source) : std::nullopt;
  if ((!options.iso.empty() || format) && options.firmware == "kernel")
    throw Error(Kind::kUsage, "--firmware kernel: only a release says which kernel it starts, and how");
  if (!options.iso.empty()) {
    if (vm::detect_format(options.iso) != "iso")
      throw Error(Kind::kUsage, options.iso.native() + " is no ISO image");
    stand_on_file(context, folder, options.iso, "iso", settings);
  } else if (format) {
    stand_on_file(context, folder, options.source, *format, settings);
  } else {
    make_on_release(context, root, options, settings);
  }
}

}  // namespace

Settings changed_machine(const Context& context, Settings settings, const MachineOptions& options) {
  take_options(settings, options);
  if (settings.origin.is_release()) {
    const TrustedRelease release =
        find_trusted(context, settings.origin.line + "@" + settings.origin.version, options.public_keys);
    apply_manifest(settings, release.manifest.manifest(), options);
  }
  begin_within(settings);
  tell_kernel(context, settings);
  return settings;
}

void check_machine(const Context& context, const MachineOptions& options) {
  const std::string source = release_of_base(options.source);
  if (format_of_file(context, source)) return;
  const artifacts::ReleaseLocation location = artifacts::find_release_in_place(open_store(context), source);
  const TrustedRelease release = find_trusted(context, location.reference(), options.public_keys);
  Settings settings = settings_from(options);
  apply_manifest(settings, release.manifest.manifest(), options);
  apply_bounds(settings, options);
  settings.origin = {"release", {}, location.line, location.version, {}, {}};
  machines::check_kernel(settings);
}

Settings make_machine(const Context& context, const machines::Registry& registry,
                      const MachineOptions& given) {
  MachineOptions options = given;
  if (options.source.empty() && options.iso.empty()) options.source = options.base;
  options.source = release_of_base(options.source);
  if (options.source.empty() == options.iso.empty())
    throw Error(Kind::kUsage, "a machine is made from a release, or with --from-iso from an ISO image");
  registry.make_root();
  const fs::path root = fs::canonical(registry.root());
  Settings settings = settings_from(options);
  std::error_code error;
  if (fs::exists(fs::symlink_status(root / settings.name, error))) {
    throw Error(Kind::kUsage, "there is a machine " + settings.name + " already")
        .hint(fmt::format("imgforge vm start {0}, or imgforge vm remove {0}", settings.name));
  }
  make_folder(context, root, options, settings);
  try {
    if (!options.disk_size.empty()) {
      run_qemu_img(context,
                   {"resize", "-q", "-f", "qcow2", (root / settings.name / machines::kDiskFile).native(),
                    std::to_string(core::Bytes::parse(options.disk_size).value)});
    }
    if (!options.secure_boot_keys.empty()) enrol(context, root / settings.name, options.secure_boot_keys);
    apply_bounds(settings, options);
    tell_kernel(context, settings);
    registry.save(settings);
  } catch (const Error&) {
    registry.remove(settings.name, {});
    throw;
  }
  return settings;
}

}  // namespace imgforge::cli
