#include "builder/vm/boot.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "builder/image/boot/init_script.hpp"
#include "builder/machine/tools.hpp"
#include "builder/vm/boot_run.hpp"
#include "builder/vm/qemu_arguments.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/file_bytes.hpp"
#include "core/process.hpp"
#include "core/text.hpp"

namespace imgforge::vm {
namespace {

namespace fs = std::filesystem;
using core::Error;
using core::Kind;

void append_file(const core::Fd& out, const fs::path& source, const fs::path& target) {
  const core::Fd in = core::open_regular(source);
  const std::uint64_t size = core::read_whole(
      in.get(), source.native(),
      [&](std::span<const std::byte> data) { core::write_all(out.get(), data, target.native()); });
  const std::array<std::byte, 4> zeros{};
  core::write_all(out.get(), std::span(zeros.data(), (4 - size % 4) % 4), target.native());
}

/// The kernel takes several archives one after the other, each at a multiple of 4 bytes (kernel
/// documentation, "initramfs buffer format").
fs::path joined_initrds(const BootSpec& spec) {
  const std::vector<fs::path>& parts = spec.kernel.initrds;
  if (parts.size() < 2) return parts.empty() ? fs::path() : parts.front();
  const fs::path target = spec.work_dir / "joined-initrds.img";
  core::Fd out = core::open_file(target, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
  for (const fs::path& part : parts) append_file(out, part, target);
  out.close(target.native());
  return target;
}

fs::path writable_variables(const BootSpec& spec) {
  if (!spec.variables.empty()) {
    if (!fs::is_regular_file(spec.variables))
      throw Error(Kind::kUsage, fmt::format("{} is no file of UEFI variables", spec.variables.native()));
    return spec.variables;
  }
  if (spec.path.firmware == Firmware::kSecureBoot) {
    throw Error(Kind::kUsage,
                "a boot with Secure Boot needs a file of UEFI variables in which keys are enrolled");
  }
  const fs::path variables = spec.work_dir / "ovmf-variables.fd";
  fs::remove(variables);
  core::clone_file(machine::require_file(fresh_variables(spec).native(), "ovmf"), variables);
  return variables;
}

PreparedFiles prepare(const BootSpec& spec) {
  PreparedFiles files;
  if (is_uefi(spec.path)) {
    machine::require_file(firmware_code(spec).native(), "ovmf");
    files.variables = writable_variables(spec);
  }
  if (spec.path.attachment == Attachment::kKernel) {
    if (spec.kernel.kernel.empty()) throw Error(Kind::kUsage, "the path \"kernel\" needs a kernel");
    files.initramfs = joined_initrds(spec);
  }
  if (spec.path.attachment == Attachment::kNetwork) {
    if (spec.network.folder.empty() || spec.network.file.find(',') != std::string::npos)
      throw Error(Kind::kUsage, "the path \"network\" needs a folder and a file name without a comma");
    machine::require_file("/usr/lib/ipxe/qemu/pxe-virtio.rom", "ipxe-qemu");
  }
  fs::remove(spec.work_dir / kMonitorSocket);
  return files;
}

}  // namespace

double BootEvidence::seconds_to(std::string_view name) const {
  const auto found =
      std::find_if(markers.begin(), markers.end(), [&](const BootMarker& m) { return m.name == name; });
  return found == markers.end() ? -1 : found->seconds;
}

BootEvidence boot(const BootSpec& wanted, const core::CancelToken& cancel) {
  BootSpec spec = wanted;
  if (spec.expect.empty()) spec.expect.push_back({std::string(image::kHandOverMarker)});
  BootEvidence evidence;
  evidence.path_name = boot_path_name(spec.path);
  evidence.accelerator = machine::accelerator_name(spec.accelerator);
  evidence.memory = spec.memory;
  evidence.cpus = spec.cpus;
  evidence.log = spec.log;
  const PreparedFiles files = prepare(spec);
  core::Command command;
  command.program = machine::require_program("qemu-system-x86_64").native();
  command.args = qemu_arguments(spec, files);
  command.directory = fs::absolute(spec.work_dir);             // of the monitor's socket and the picture
  command.environment["TMPDIR"] = command.directory.native();  // of the overlay
  evidence.command_line = "qemu-system-x86_64 " + core::join(command.args, " ");
  core::ChildProcess qemu(command);
  BootRun(spec, evidence, qemu, cancel).run();
  return evidence;
}

}  // namespace imgforge::vm
