#include "builder/vm/artifact_boot.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/image/bundle/netboot.hpp"
#include "builder/vm/claimed_paths.hpp"
#include "builder/vm/console/console_marks.hpp"
#include "builder/vm/minimum_memory.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::vm {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kMaxScript = 1 << 16;

/// The files of a netboot set, as the two paths take them.
void add_netboot(BootSpec& spec, const NetbootFiles& files) {
  if (spec.path.attachment == Attachment::kNetwork) {
    spec.network = {fs::absolute(files.script).parent_path(), files.script.filename()};
    return;
  }
  spec.kernel.kernel = files.kernel;
  spec.kernel.initrds = {files.initramfs};
  spec.kernel.cmdline = image::netboot_cmdline(core::read_text_file(files.script, kMaxScript));
  if (!files.root.empty()) {
    spec.kernel.initrds.push_back(spec.work_dir / "root.cpio");
    write_root_archive(files.root, spec.kernel.initrds.back());
  }
}

BootSpec spec_for(const BootRequest& request, const BootPath& path, machine::Accelerator accelerator,
                  const fs::path& work) {
  check_path_fits(path, request.format);
  BootSpec spec;
  spec.path = path;
  spec.image = fs::absolute(request.image);
  spec.format = disk_format_of(request.format);
  spec.variables = request.variables;
  if (path.firmware == Firmware::kSecureBoot && !request.enrolled.empty()) {
    spec.variables = work / "enrolled-variables.fd";
    core::clone_file(request.enrolled, spec.variables);
  }
  spec.memory = request.requirements.memory;
  spec.cpus = request.requirements.cpus;
  spec.accelerator = accelerator;
  spec.deadline = request.deadline;
  spec.silence = request.silence;
  for (const std::string& pattern : request.expect) spec.expect.push_back({pattern, ""});
  if (request.expect.empty()) spec.expect.push_back({kLoginPrompt, ""});
  spec.log_in = request.log_in;
  spec.commands = request.commands;
  spec.shared = request.shared;
  if (!request.screenshot.empty())
    spec.screenshot = file_of_path(fs::absolute(request.screenshot), path, request.paths.size());
  if (!request.log.empty()) spec.log = file_of_path(fs::absolute(request.log), path, request.paths.size());
  spec.work_dir = work;
  if (request.format == "netboot") add_netboot(spec, request.netboot);
  return spec;
}

/// Bisects below one boot that went well.
MinimumMemory find_minimum(BootSpec spec, const core::Activity& activity, const core::CancelToken& cancel) {
  MinimumMemory minimum{boot_path_name(spec.path), {}, 1};
  activity.say(fmt::format("{} with {}", minimum.path_name, spec.memory.to_string()));
  const double ready = boot(spec, cancel).seconds_to("ready");
  // A guest with too little memory may panic, hang or never speak.
  spec.deadline = std::chrono::milliseconds(static_cast<std::int64_t>(ready * 3000) + 5000);
  spec.silence = spec.deadline;
  minimum.memory = smallest_memory(spec.memory, [&](core::Bytes memory) {
    ++minimum.boots;
    spec.memory = memory;
    activity.say(fmt::format("{} with {}", minimum.path_name, memory.to_string()));
    try {
      boot(spec, cancel);
      return true;
    } catch (const core::Error& error) {
      if (error.kind() != core::Kind::kBoot) throw;
      return false;
    }
  });
  return minimum;
}

}  // namespace

fs::path file_of_path(const fs::path& file, const BootPath& path, std::size_t paths) {
  if (paths < 2) return file;
  std::string suffix = "-" + boot_path_name(path);
  std::replace(suffix.begin(), suffix.end(), ' ', '-');
  fs::path name = file.stem();
  name += suffix;
  name += file.extension();
  return file.parent_path() / name;
}

std::vector<BootEvidence> boot_artifact(const BootRequest& request, machine::Accelerator accelerator,
                                        const fs::path& scratch, const core::Activity& activity,
                                        const core::CancelToken& cancel) {
  std::vector<BootEvidence> seen;
  for (const BootPath& path : request.paths) {
    activity.say(fmt::format("{} by {}", request.name, boot_path_name(path)));
    const core::TempDir work(scratch, "boot");
    seen.push_back(boot(spec_for(request, path, accelerator, work.path()), cancel));
  }
  return seen;
}

std::vector<MinimumMemory> find_minimum_memory(const BootRequest& request, machine::Accelerator accelerator,
                                               const fs::path& scratch, const core::Activity& activity,
                                               const core::CancelToken& cancel) {
  std::vector<MinimumMemory> found;
  for (const BootPath& path : request.paths) {
    const core::TempDir work(scratch, "boot");
    BootSpec spec = spec_for(request, path, accelerator, work.path());
    spec.commands.clear();
    spec.screenshot.clear();
    spec.log.clear();
    found.push_back(find_minimum(std::move(spec), activity, cancel));
  }
  return found;
}

}  // namespace imgforge::vm
