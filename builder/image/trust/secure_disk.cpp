#include "builder/image/trust/secure_disk.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/image/disk/boot_partition.hpp"
#include "builder/image/disk/gpt.hpp"
#include "builder/image/raw_image.hpp"
#include "builder/image/trust/uki.hpp"
#include "builder/image/trust/verity.hpp"
#include "builder/image/write_file.hpp"
#include "core/error.hpp"
#include "core/random.hpp"
#include "signing/efi/secure_boot_keys.hpp"

namespace imgforge::image {
namespace {

namespace fs = std::filesystem;

/// Boot code for the protective MBR: BIOS would otherwise stop without a word. Prints the text behind it by
/// the BIOS's teletype call (int 10h, ah 0Eh), then halts.
std::string bios_notice() {
  using namespace std::string_view_literals;
  std::string code(
      "\x31\xc0"      //     xor ax, ax
      "\x8e\xd8"      //     mov ds, ax
      "\xbe\x19\x7c"  //     mov si, text
      "\xfc"          //     cld
      "\xac"          // 1:  lodsb
      "\x84\xc0"      //     test al, al
      "\x74\x09"      //     jz 2f
      "\xb4\x0e"      //     mov ah, 0eh
      "\xbb\x07\x00"  //     mov bx, 7
      "\xcd\x10"      //     int 10h
      "\xeb\xf2"      //     jmp 1b
      "\xf4"          // 2:  hlt
      "\xeb\xfd"sv);  //     jmp 2b
  code += kBiosNotice;
  code += "\r\n";
  code.push_back('\0');
  return code;
}

/// What systemd-boot shows for an entry and sorts it by.
std::string os_release_of(const BootEntry& entry) {
  std::string title = entry.title;
  std::replace_if(
      title.begin(), title.end(),
      [](unsigned char c) { return c < ' ' || c == 127 || c == '"' || c == '\\' || c == '$' || c == '`'; },
      ' ');
  return fmt::format("ID=imgforge\nPRETTY_NAME=\"{}\"\nVERSION_ID={}\n", title, entry.version);
}

const BootKernel& kernel_of(const BootFiles& boot, const BootEntry& entry) {
  const auto found = std::find_if(boot.kernels.begin(), boot.kernels.end(),
                                  [&](const BootKernel& k) { return k.release == entry.version; });
  if (found == boot.kernels.end()) throw core::Error(core::Kind::kInternal, "an entry without its kernel");
  return *found;
}

/// The files of the boot partition, every program in it signed.
class SignedFiles {
 public:
  SignedFiles(const BootFiles& boot, const SecureDiskSpec& spec, fs::path work_dir,
              core::ProcessRunner& processes, const core::CancelToken& cancel)
      : boot_(boot),
        spec_(spec),
        work_dir_(std::move(work_dir)),
        processes_(processes),
        cancel_(cancel),
        signer_(signing::load_program_signer(spec.keys)) {}

  std::vector<MediumFile> make(const BootMenu& menu) && {
    sign(systemd_boot_program(), "EFI/BOOT/BOOTX64.EFI", "loader.efi");
    const fs::path config = work_dir_ / "loader.conf";
    write_file(config, systemd_boot_config(menu, EntryKind::kUnified) + enrolment_line(spec_.enrolment));
    files_.push_back({"loader/loader.conf", config});
    for (const BootEntry& entry : menu.entries) add_kernel(entry);
    if (spec_.enrolment != Enrolment::kNone) {
      for (MediumFile& file : enrolment_files(spec_.keys)) files_.push_back(std::move(file));
    }
    return std::move(files_);
  }

 private:
  void add_kernel(const BootEntry& entry) {
    const BootKernel& kernel = kernel_of(boot_, entry);
    const fs::path plain = work_dir_ / (entry.id + ".plain.efi");
    make_uki({os_release_of(entry), entry.cmdline, entry.version, kernel.kernel, kernel.initramfs}, plain,
             work_dir_, processes_, cancel_);
    sign(plain, uki_path(entry.id), entry.id + ".efi");
    fs::remove(plain);
  }

  void sign(const fs::path& program, std::string medium_path, const std::string& name) {
    sign_efi_program(program, work_dir_ / name, signer_);
    verify_efi_program(work_dir_ / name, spec_.keys / "db.crt", processes_, cancel_);
    files_.push_back({std::move(medium_path), work_dir_ / name});
  }

  const BootFiles& boot_;
  const SecureDiskSpec& spec_;
  fs::path work_dir_;
  core::ProcessRunner& processes_;
  const core::CancelToken& cancel_;
  signing::EfiSigner signer_;
  std::vector<MediumFile> files_;
};

/// Where the parts of the disk lie, in bytes.
struct Places {
  std::uint64_t esp_size = 0, root_size = 0, tree_start = 0, tree_size = 0;
};

Places place(const SecureDiskSpec& spec, std::uint64_t esp, std::uint64_t root, std::uint64_t tree) {
  Places at{esp, round_up(root, kMebibyte), 0, round_up(tree, kMebibyte)};
  at.tree_start = kMebibyte + at.esp_size + at.root_size;
  const std::uint64_t least = at.tree_start + at.tree_size + kMebibyte;  // the last: second copy of the GPT
  if (spec.size.value >= least) return at;
  throw core::Error(
      core::Kind::kImage,
      fmt::format("a disk of {} is too small: boot loader and kernels take {}, root {}, its hash tree {}",
                  spec.size.to_string(), core::Bytes{esp}.to_string(), core::Bytes{root}.human(),
                  core::Bytes{tree}.human()))
      .hint("raise disk.size to " + core::Bytes{least}.to_string() + " or more");
}

}  // namespace

DiskLayout make_secure_disk(const fs::path& squashfs, const BootFiles& boot, const SecureDiskSpec& spec,
                            const fs::path& output, const fs::path& work_dir, core::ProcessRunner& processes,
                            const core::CancelToken& cancel) {
  const fs::path path = fs::absolute(output);
  const auto uuid = [&](std::string_view what) {
    return core::derived_uuid(fmt::format("imgforge secure disk {} {}", what, spec.identity));
  };
  // A squashfs has no identifier of its own: the names of partitions tell disks apart.
  const std::string mark = uuid("partitions").substr(0, 8);
  const std::string root_name = "root-" + mark;
  const std::string tree_name = "verity-" + mark;

  const fs::path tree = work_dir / "root.verity";
  const std::string root_hash = make_verity_tree(squashfs, tree, spec.identity, processes, cancel);
  std::vector<std::string> words{"root=PARTLABEL=" + root_name, "rootfstype=squashfs", "ro",
                                 "imgforge.overlay=tmpfs"};
  for (std::string& word : verity_words(root_hash, "PARTLABEL=" + tree_name))
    words.push_back(std::move(word));
  const BootMenu menu = make_menu(boot, spec.menu, words);
  const std::vector<MediumFile> files = SignedFiles(boot, spec, work_dir, processes, cancel).make(menu);
  const Places at = place(spec, esp_size(files), fs::file_size(squashfs), fs::file_size(tree));

  DiskLayout layout;
  layout.disk_uuid = uuid("disk");
  layout.esp_uuid = uuid("esp");
  layout.root_uuid = uuid("root");
  layout.esp_start = kMebibyte;
  layout.esp_size = at.esp_size;
  layout.root_start = layout.esp_start + at.esp_size;
  layout.root_size = at.root_size;
  layout.cmdline = menu.entries.front().cmdline;

  RawImage image(path, core::Bytes{round_up(spec.size.value, kMebibyte)});
  write_gpt(
      path, layout.disk_uuid,
      {{"boot", kEspType, layout.esp_uuid, layout.esp_start, layout.esp_size, LegacyBoot::kNo},
       {root_name, kRootX86Type, layout.root_uuid, layout.root_start, layout.root_size, LegacyBoot::kNo},
       {tree_name, kRootVerityX86Type, uuid("tree"), at.tree_start, at.tree_size, LegacyBoot::kNo}},
      bios_notice());
  const EspOptions esp{"IMGFORGE", fat_volume_id(layout.esp_uuid), layout.esp_start, layout.esp_size,
                       spec.epoch};
  make_boot_partition(path, files, esp, BiosBoot::kNo, work_dir, processes, cancel);
  copy_into_image(squashfs, path, layout.root_start, cancel);
  copy_into_image(tree, path, at.tree_start, cancel);
  image.keep();
  return layout;
}

}  // namespace imgforge::image
