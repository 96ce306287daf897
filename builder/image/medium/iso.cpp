#include "builder/image/medium/iso.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <ctime>

#include "builder/image/boot/live_root.hpp"
#include "builder/image/disk/boot_partition.hpp"
#include "builder/image/raw_image.hpp"
#include "builder/image/write_file.hpp"
#include "builder/machine/tools.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/new_file.hpp"
#include "core/random.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::size_t kLongestVolumeId = 32;  // ECMA-119, 8.4.8
constexpr const char* kIsolinux = "/usr/lib/ISOLINUX/isolinux.bin";
constexpr const char* kHybridBootSector = "/usr/lib/ISOLINUX/isohdpfx.bin";
constexpr const char* kSyslinuxCore = "/usr/lib/syslinux/modules/bios/ldlinux.c32";

/// The EFI system partition as a file of its own.
fs::path make_boot_image(const BootFiles& boot, const BootMenu& menu, const IsoSpec& spec,
                         const fs::path& work_dir, core::ProcessRunner& processes,
                         const core::CancelToken& cancel) {
  const std::vector<MediumFile> files = boot_partition_files(boot, menu, BiosBoot::kNo, work_dir);
  const std::string uuid = core::derived_uuid("imgforge iso esp " + spec.identity);
  const EspOptions esp{"IMGFORGE", fat_volume_id(uuid), 0, esp_size(files, EspRoom::kNone), spec.epoch};
  // El Torito counts the sectors of a boot image in 16 bits; OVMF finds nothing in a larger one.
  constexpr std::uint64_t kLargestImage = 31 * kMebibyte;
  if (esp.size > kLargestImage) {
    throw Error(Kind::kImage,
                fmt::format("kernel and initramfs take {}, the EFI boot image of a CD holds {}",
                            core::Bytes{esp.size}.to_string(), core::Bytes{kLargestImage}.to_string()))
        .hint("choose a smaller kernel.package, or leave the format iso out");
  }
  RawImage image(work_dir / "esp.img", core::Bytes{esp.size});
  make_boot_partition(image.path(), files, esp, BiosBoot::kNo, work_dir, processes, cancel);
  image.keep();
  return image.path();
}

/// The files of the ISO 9660 tree; nothing is copied, xorriso reads each where it is.
std::vector<MediumFile> tree_of(const fs::path& squashfs, const BootFiles& boot, const BootMenu& menu,
                                const std::string& id, const fs::path& work_dir) {
  write_file(work_dir / "isolinux.cfg", syslinux_config(menu));
  write_file(work_dir / "medium", id + "\n");
  // isolinux.bin is patched with its place on the medium, so it has to be a copy.
  core::clone_file(isolinux().program, work_dir / "isolinux.bin");
  std::vector<MediumFile> files{{"isolinux/isolinux.bin", work_dir / "isolinux.bin"},
                                {"isolinux/isolinux.cfg", work_dir / "isolinux.cfg"},
                                {"isolinux/ldlinux.c32", isolinux().core},
                                {"imgforge/" + id, work_dir / "medium"},
                                {std::string(kMediumRoot), squashfs}};
  for (MediumFile& file : syslinux_menu_modules(menu, "isolinux")) files.push_back(std::move(file));
  // What firmware needs where a program copies the files to a stick of its own: the El Torito image stays
  // behind.
  for (MediumFile& file : boot_partition_files(boot, menu, BiosBoot::kNo, work_dir))
    files.push_back(std::move(file));
  return files;
}

/// xorriso's graft syntax: '=' and '\' are escaped.
std::string graft_escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '=' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

std::vector<std::string> xorriso_arguments(const IsoSpec& spec, const std::vector<MediumFile>& tree,
                                           const fs::path& boot_image, const fs::path& output) {
  std::string guid = core::derived_uuid("imgforge iso disk " + spec.identity);
  std::erase(guid, '-');
  // YYYYMMDDhhmmss and hundredths, in UTC.
  const auto utc = fmt::gmtime(static_cast<std::time_t>(spec.epoch));
  const std::string digits = fmt::format("{:%Y%m%d%H%M%S}00", utc);
  std::vector<std::string> args = {"-no_rc",
                                   "-as",
                                   "mkisofs",
                                   "-quiet",
                                   "-o",
                                   output.native(),
                                   "-V",
                                   spec.volume_id,
                                   "-r",
                                   "-iso-level",
                                   "3",
                                   "--modification-date=" + digits,
                                   "--set_all_file_dates",
                                   fmt::format("={}", spec.epoch),
                                   "--gpt_disk_guid",
                                   guid,
                                   "-partition_offset",
                                   "16",
                                   "-isohybrid-mbr",
                                   isolinux().boot_sector.native(),
                                   "-c",
                                   "isolinux/boot.cat",
                                   "-b",
                                   "isolinux/isolinux.bin",
                                   "-no-emul-boot",
                                   "-boot-load-size",
                                   "4",
                                   "-boot-info-table",
                                   "-append_partition",
                                   "2",
                                   "C12A7328-F81F-11D2-BA4B-00A0C93EC93B",
                                   boot_image.native(),
                                   "-appended_part_as_gpt",
                                   "-eltorito-alt-boot",
                                   "-e",
                                   "--interval:appended_partition_2:all::",
                                   "-no-emul-boot",
                                   "-graft-points"};
  for (const MediumFile& file : tree) {
    args.push_back(fmt::format("/{}={}", file.path, graft_escaped(fs::absolute(file.source).native())));
  }
  return args;
}

/// Date and time of a volume descriptor (ECMA-119, 8.4.26.1): 16 digits, then quarters of an hour from UTC.
std::int64_t volume_time(std::string_view field) {
  constexpr std::size_t kDigits = 16;
  if (field.substr(0, kDigits).find_first_not_of("0123456789") != std::string_view::npos) return 0;
  const auto number = [&](std::size_t at, std::size_t length) {
    int value = 0;
    for (const char c : field.substr(at, length)) value = value * 10 + (c - '0');
    return value;
  };
  std::tm time{};
  time.tm_year = number(0, 4) - 1900;
  time.tm_mon = number(4, 2) - 1;
  time.tm_mday = number(6, 2);
  time.tm_hour = number(8, 2);
  time.tm_min = number(10, 2);
  time.tm_sec = number(12, 2);
  if (number(0, 4) < 1970 || number(4, 2) > 12 || time.tm_mon < 0) return 0;
  const int quarters = static_cast<signed char>(field[kDigits]);
  return std::max<std::int64_t>(0, std::int64_t{::timegm(&time)} - std::int64_t{quarters} * 15 * 60);
}

/// The primary volume descriptor (ECMA-119, 8.4).
IsoFacts read_volume_descriptor(const fs::path& file) {
  constexpr std::size_t kOffset = 32768;
  constexpr std::size_t kBlockSize = 2048;
  const core::Fd fd = core::open_regular(file);
  const std::uint64_t size = core::file_size(fd.get(), file.native());
  std::array<unsigned char, kBlockSize> block{};
  const auto refuse = [&](const std::string& why) {
    return Error(Kind::kImage, fmt::format("{} is not a whole ISO image: {}", file.native(), why));
  };
  if (size < kOffset + kBlockSize || ::pread(fd.get(), block.data(), block.size(), kOffset) != kBlockSize) {
    throw refuse("it is too short");
  }
  const std::string_view text(reinterpret_cast<const char*>(block.data()), block.size());
  if (text.substr(0, 7) != std::string_view("\x01"
                                            "CD001\x01",
                                            7)) {
    throw refuse("it has no volume descriptor");
  }
  const std::uint64_t blocks = block[80] | block[81] << 8 | block[82] << 16 | std::uint64_t{block[83]} << 24;
  if (blocks * kBlockSize > size) {
    throw refuse(fmt::format("it says it takes {} bytes, the file has {}", blocks * kBlockSize, size));
  }
  IsoFacts facts;
  facts.volume_id = core::trimmed(text.substr(40, kLongestVolumeId));
  facts.modified = volume_time(text.substr(830, 17));
  return facts;
}

}  // namespace

Isolinux isolinux() {
  return {machine::require_file(kIsolinux, "isolinux"),
          machine::require_file(kSyslinuxCore, "syslinux-common"),
          machine::require_file(kHybridBootSector, "isolinux")};
}

void check_volume_id(const std::string& id) {
  if (id.size() > kLongestVolumeId) {
    throw Error(Kind::kImage, fmt::format("the volume id {} is {} characters too long: an ISO image holds {}",
                                          core::escaped(id), id.size() - kLongestVolumeId, kLongestVolumeId))
        .hint("shorten iso.volume_id");
  }
  const bool plain = !id.empty() && std::all_of(id.begin(), id.end(), [](unsigned char c) {
    return std::isupper(c) != 0 || std::isdigit(c) != 0 || c == '_';
  });
  if (!plain) {
    throw Error(Kind::kImage, fmt::format("\"{}\" cannot be a volume id: it takes A to Z, 0 to 9 and _",
                                          core::escaped(id)));
  }
}

std::string volume_id_for(const std::string& line) {
  std::string id;
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    id.push_back(std::isalnum(byte) != 0 ? static_cast<char>(std::toupper(byte)) : '_');
  }
  if (id.size() <= kLongestVolumeId) return id;
  std::string end = core::digest_of(core::HashAlgorithm::kSha256, line).hex().substr(0, 8);
  std::transform(end.begin(), end.end(), end.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return id.substr(0, kLongestVolumeId - 9) + "_" + end;
}

IsoResult make_iso(const fs::path& squashfs, const BootFiles& all, const IsoSpec& spec,
                   const fs::path& output, const fs::path& work_dir, core::ProcessRunner& processes,
                   const core::CancelToken& cancel) {
  check_volume_id(spec.volume_id);
  // A medium that is never updated has no use for the kernel before.
  const BootFiles boot{{all.kernels.front()}};
  const std::string id = core::derived_uuid("imgforge medium " + spec.identity);
  const BootMenu menu = make_menu(boot, spec.menu, root_on_medium(id));
  const fs::path boot_image = make_boot_image(boot, menu, spec, work_dir, processes, cancel);
  const fs::path target = fs::absolute(output);
  core::Command command;
  command.program = "xorriso";
  command.environment["SOURCE_DATE_EPOCH"] = std::to_string(spec.epoch);
  command.args = xorriso_arguments(spec, tree_of(squashfs, boot, menu, id, work_dir), boot_image, target);
  core::UnfinishedFile made(target);
  processes.check(command, cancel, Kind::kImage);
  made.keep();
  fs::remove(boot_image);
  return {menu.entries.front().cmdline};
}

IsoFacts check_iso(const fs::path& file, core::ProcessRunner& processes, const core::CancelToken& cancel) {
  IsoFacts facts = read_volume_descriptor(file);
  core::Command command;
  command.program = "xorriso";
  command.args = {"-no_rc",
                  "-abort_on",
                  "FAILURE",
                  "-indev",
                  "stdio:" + fs::absolute(file).native(),
                  "-report_el_torito",
                  "plain",
                  "-find",
                  "/",
                  "-exec",
                  "report_lba",
                  "--"};
  const core::ProcessResult result = processes.check(command, cancel, Kind::kImage);
  for (const std::string& line : core::split(result.out, '\n')) {
    if (!line.starts_with("El Torito boot img :")) continue;
    facts.bios = facts.bios || line.find(" BIOS ") != std::string::npos;
    facts.uefi = facts.uefi || line.find(" UEFI ") != std::string::npos;
  }
  return facts;
}

}  // namespace imgforge::image
