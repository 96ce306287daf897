#include "builder/cli/vm_move/place_machine.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "artifacts/store/inventory.hpp"
#include "builder/cli/vm/make/own_kernel.hpp"
#include "builder/cli/vm/make/stand_on_release.hpp"
#include "builder/image/disk/qcow2_overlay.hpp"
#include "builder/machine/qemu_img.hpp"
#include "builder/machines/qemu/machine_words.hpp"
#include "builder/machines/qemu/ports.hpp"
#include "builder/machines/registry/move_mark.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using core::Error;
using core::Kind;
using machines::BundleHead;
using machines::Settings;
namespace fs = std::filesystem;

void run_qemu_img(const Context& context, const fs::path& folder, std::vector<std::string> words) {
  context.processes.check(machine::qemu_img(std::move(words), folder), context.cancel, Kind::kImage);
}

bool has_artifact(const artifacts::InventoryRelease& release, const BundleHead& head) {
  if (!release.manifest || release.state == artifacts::ReleaseState::kArchived) return false;
  return std::any_of(release.manifest->artifacts.begin(), release.manifest->artifacts.end(),
                     [&](const artifacts::ManifestArtifact& artifact) {
                       return artifact.sha256 == head.base && artifact.format == head.settings.origin.format;
                     });
}

/// The release of a store that has the image; empty when none has.
std::string release_with(const fs::path& root, const BundleHead& head) {
  try {
    const artifacts::Store store = artifacts::Store::open(root);
    for (const std::vector<std::string>& lines : {std::vector{head.settings.origin.line}, {}}) {
      const artifacts::Inventory inventory = artifacts::read_inventory(store, lines);
      for (const artifacts::InventoryRelease* release : inventory.releases())
        if (has_artifact(*release, head)) return release->reference();
    }
  } catch (const Error& error) {
    if (error.kind() == Kind::kInterrupted) throw;
  }
  return {};
}

/// The same program with another --output-dir.
template <class Body>
auto with_output_dir(const Context& context, const fs::path& output_dir, Body&& body) {
  GlobalOptions options = context.options;
  options.output_dir = output_dir;
  return body(
      Context{options, context.cancel, context.clock, context.processes, context.progress, context.out});
}

/// The image file that nobody vouches for, checked by its digest.
fs::path file_base(const Placement& placement) {
  const machines::Origin& origin = placement.head.settings.origin;
  const fs::path file = placement.base.empty() ? fs::path(origin.file) : placement.base;
  std::error_code error;
  if (!fs::is_regular_file(file, error)) {
    throw Error(Kind::kStore, fmt::format("the machine stands on {}, which is not here",
                                          core::escaped(fs::path(origin.file).filename().native())))
        .hint("copy that file here, and name it with --base");
  }
  if (core::digest_of_file(core::HashAlgorithm::kSha256, file) != placement.head.base) {
    throw Error(Kind::kIntegrity, fmt::format("{} is not the image that the machine's disk was written on",
                                              core::escaped(file.native())))
        .reason(core::Reason::kDigestMismatch);
  }
  return fs::canonical(file);
}

/// Ports that somebody else has here become others; nobody but this host reaches them unless it is told so.
void adapt(const Context& context, Settings& settings) {
  for (const machines::Share& share : settings.shares)
    context.progress.warn(fmt::format("the folder {} is not shared here", core::escaped(share.folder)));
  settings.shares.clear();
  if (!settings.bridge().empty()) {
    context.progress.warn("it is not in the bridge " + settings.bridge() + " here");
    settings.network = "user";
    settings.ssh_port = machines::free_port();
  }
  for (const machines::Link& link : settings.links)
    context.progress.warn("it is in the network " + core::escaped(link.network) + " of this host's machines");
  if (!settings.hook.empty())
    context.progress.warn(fmt::format("the hook {} is not called here", core::escaped(settings.hook)));
  settings.hook.clear();
  if (settings.autostart) context.progress.warn("it does not start by itself here: imgforge vm autostart");
  settings.autostart = false;
  for (machines::Forward& forward : settings.forwards) {
    const std::string before = forward.text();
    if (!forward.address.starts_with("127.")) forward.address = "127.0.0.1";
    if (!machines::is_free(forward)) forward.host_port = machines::free_port();
    if (forward.text() != before)
      context.progress.warn(fmt::format("the port {} is here {}", before, forward.text()));
  }
  if (settings.ssh_port != 0 && !machines::is_free({"127.0.0.1", settings.ssh_port, 22, "tcp"}))
    settings.ssh_port = machines::free_port();
}

/// Puts the disk there: the one that was sent, or an empty one of that size.
void make_disk(const Context& context, const Placement& placement, const fs::path& target,
               const std::string& backing, const std::string& format) {
  const fs::path sent = placement.staged / machines::kDiskFile;
  if (fs::exists(sent)) {
    fs::rename(sent, target);
    return machines::stand_on(target, backing, format, context.processes, context.cancel);
  }
  const std::string size = std::to_string(placement.head.disk_size);
  if (backing.empty()) {
    run_qemu_img(context, target.parent_path(), {"create", "-q", "-f", "qcow2", target.filename(), size});
  } else {
    image::make_overlay(target, backing, format, context.processes, context.cancel);
    run_qemu_img(context, target.parent_path(), {"resize", "-q", "-f", "qcow2", target.filename(), size});
  }
}

void place_variables(const Context& context, const Placement& placement, const fs::path& folder) {
  if (placement.head.variables_size == 0) return;
  const fs::path sent = placement.staged / machines::kVariablesFile;
  if (fs::exists(sent)) {
    return fs::rename(sent, folder / machines::kVariablesFile);
  }
  run_qemu_img(context, folder,
               {"create", "-q", "-f", "qcow2", machines::kVariablesFile,
                std::to_string(placement.head.variables_size)});
}

void place_on_release(const Context& context, const fs::path& root, const Placement& placement,
                      Settings& settings) {
  const Base base = find_base(context, placement.head);
  Stand stand{base.release, placement.head.settings.origin.format, placement.public_keys, {}};
  stand.make_disk = [&](const fs::path& target, const std::string& backing, const std::string& format) {
    make_disk(context, placement, target, backing, format);
  };
  const artifacts::Manifest manifest = with_output_dir(context, base.output_dir, [&](const Context& there) {
    return stand_on_release(there, root, stand, settings);
  });
  take_contents(settings, manifest);
  if (settings.firmware != "kernel") return;
  try {
    take_own_kernel(context, root / settings.name, manifest, "kernel", settings);
  } catch (const Error&) {
    machines::Registry(root).remove(settings.name, {});
    throw;
  }
}

void place_on_file(const Context& context, const fs::path& root, const Placement& placement,
                   Settings& settings) {
  const std::string format = settings.origin.format;
  if (settings.firmware == "kernel")
    throw Error(Kind::kIntegrity,
                "bundle.json: a machine that stands on no release has no kernel of its own");
  settings.origin = {"file", {}, {}, {}, file_base(placement), format};
  context.progress.warn(core::escaped(settings.origin.file) + " is no release: nobody vouches for it");
  settings.known = settings.agent = settings.ssh = settings.shared = false;
  settings.shared_commands.clear();
  settings.lacks.clear();
  settings.expect.clear();
  const fs::path folder = root / settings.name;
  if (::mkdir(folder.c_str(), 0700) != 0) throw core::system_error(errno, "cannot create", folder.native());
  try {
    make_disk(context, placement, folder / machines::kDiskFile, format == "iso" ? "" : settings.origin.file,
              format);
  } catch (const Error&) {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
    throw;
  }
}

void refuse_taken(const machines::Registry& registry, const std::string& name) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(registry.folder(name), error))) return;
  throw Error(Kind::kUsage, "there is a machine " + name + " already")
      .hint("--name gives it another one, and imgforge vm remove " + name + " removes the one that is there");
}

}  // namespace

Base find_base(const Context& context, const BundleHead& head) {
  const machines::Origin& origin = head.settings.origin;
  for (const fs::path& root : {context.options.output_dir, fs::path(origin.store)}) {
    std::string release = release_with(root, head);
    if (!release.empty()) return {root, std::move(release)};
  }
  const std::string release = core::escaped(origin.text(), 200);
  throw Error(Kind::kStore,
              fmt::format("the machine stands on {} ({}), which is not in {}", release,
                          head.base.to_string().substr(0, 23), context.options.output_dir.native()))
      .hint(fmt::format("imgforge pull URL {} gets it; --output-dir names another folder that has it",
                        release));
}

void check_placement(const Context& context, const machines::Registry& registry, const Placement& placement) {
  refuse_taken(registry, placement.name.empty() ? placement.head.settings.name : placement.name);
  if (placement.head.settings.origin.is_release()) {
    find_base(context, placement.head);
  } else {
    file_base(placement);
  }
}

Settings place_machine(const Context& context, const machines::Registry& registry,
                       const Placement& placement) {
  registry.make_root();
  const fs::path root = fs::canonical(registry.root());
  Settings settings = placement.head.settings;
  if (!placement.name.empty()) settings.name = placement.name;
  machines::check_machine_name(settings.name);
  refuse_taken(registry, settings.name);
  adapt(context, settings);
  if (settings.origin.is_release()) {
    place_on_release(context, root, placement, settings);
  } else {
    place_on_file(context, root, placement, settings);
  }
  const fs::path folder = root / settings.name;
  try {
    place_variables(context, placement, folder);
    if (!placement.move_id.empty())
      machines::write_mark(folder, {1, placement.move_id, "arriving", false, false, {}});
    registry.save(settings);
    core::sync_directory(folder);
  } catch (const Error&) {
    registry.remove(settings.name, {});
    throw;
  }
  return settings;
}

}  // namespace imgforge::cli
