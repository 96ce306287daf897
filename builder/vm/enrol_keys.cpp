#include "builder/vm/enrol_keys.hpp"

#include <fmt/format.h>

#include <chrono>

#include "builder/image/disk/boot_partition.hpp"
#include "builder/image/disk/gpt.hpp"
#include "builder/image/raw_image.hpp"
#include "builder/image/trust/secure_boot.hpp"
#include "builder/image/write_file.hpp"
#include "builder/machine/tools.hpp"
#include "builder/vm/qemu_arguments.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/random.hpp"
#include "core/text.hpp"

namespace imgforge::vm {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kLimit{120};
constexpr std::uint64_t kLargestVariables = 16 << 20;
constexpr std::size_t kQuotedLines = 20;

/// A disk with nothing but systemd-boot and the keys.
void make_medium(const fs::path& keys, const fs::path& medium, const fs::path& work_dir,
                 core::ProcessRunner& processes, const core::CancelToken& cancel) {
  const fs::path config = work_dir / "enrol-loader.conf";
  image::write_file(config, "timeout 0\n" + image::enrolment_line(image::Enrolment::kForced));
  std::vector<image::MediumFile> files = image::enrolment_files(keys);
  files.push_back({"EFI/BOOT/BOOTX64.EFI", image::systemd_boot_program()});
  files.push_back({"loader/loader.conf", config});
  const std::string uuid = core::derived_uuid("imgforge enrolment");
  const image::EspOptions esp{"ENROL", image::fat_volume_id(uuid), image::kMebibyte, image::esp_size(files),
                              0};
  fs::remove(medium);
  image::RawImage image(medium, core::Bytes{esp.size + 2 * image::kMebibyte});
  image::write_gpt(medium, uuid,
                   {{"boot", image::kEspType, uuid, esp.offset, esp.size, image::LegacyBoot::kNo}}, {});
  image::make_boot_partition(medium, files, esp, image::BiosBoot::kNo, work_dir, processes, cancel);
  image.keep();
}

/// Runs QEMU until the guest restarts, which ends it. Returns what the console showed.
std::string run_until_restart(const BootSpec& spec, const PreparedFiles& files,
                              const core::CancelToken& cancel) {
  core::Command command;
  command.program = machine::require_program("qemu-system-x86_64").native();
  command.args = qemu_arguments(spec, files);
  command.directory = fs::absolute(spec.work_dir);
  command.environment["TMPDIR"] = command.directory.native();
  core::ChildProcess qemu(command);
  std::string console;
  const auto end = std::chrono::steady_clock::now() + kLimit;
  while (!(qemu.poll_exit() && qemu.at_end())) {
    cancel.check();
    if (std::chrono::steady_clock::now() > end) {
      throw core::Error(core::Kind::kBoot,
                        fmt::format("the keys were not enrolled within {} s", kLimit.count()))
          .quote(core::tail_lines(core::escaped(console), kQuotedLines));
    }
    console += qemu.read(std::chrono::milliseconds(100));
  }
  return console;
}

}  // namespace

void enrol_keys(const fs::path& keys, const fs::path& variables, const BootSpec& machine,
                core::ProcessRunner& processes, const core::CancelToken& cancel) {
  BootSpec spec = machine;
  spec.path = {Attachment::kDisk, Firmware::kSecureBoot};
  spec.format = ImageFormat::kRaw;
  spec.image = machine.work_dir / "enrol.img";
  spec.memory = core::mib(256);
  spec.shared.clear();
  spec.screenshot.clear();
  machine::require_file(firmware_code(spec).native(), "ovmf");
  make_medium(keys, spec.image, spec.work_dir, processes, cancel);
  core::clone_file(machine::require_file(fresh_variables(spec).native(), "ovmf"), variables);
  const std::string console = run_until_restart(spec, {variables, {}}, cancel);
  const std::string certificate = core::read_text_file(keys / "db.cer");
  if (core::read_text_file(variables, kLargestVariables).find(certificate) == std::string::npos) {
    throw core::Error(core::Kind::kBoot, "the firmware did not take the keys of " + keys.native())
        .quote(core::tail_lines(core::escaped(console), kQuotedLines));
  }
  fs::remove(spec.image);
}

}  // namespace imgforge::vm
