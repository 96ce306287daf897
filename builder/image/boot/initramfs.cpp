#include "builder/image/boot/initramfs.hpp"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <set>

#include "builder/image/boot/cpio.hpp"
#include "builder/image/boot/early_program.hpp"
#include "builder/image/boot/elf.hpp"
#include "builder/image/boot/init_script.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

using core::Error;
using core::Kind;

/// Modules loaded together; the script tries the groups in this order until root appears.
struct ModuleGroup {
  std::string name;
  std::vector<std::string> wanted;
};

std::vector<ModuleGroup> module_groups(const InitramfsOptions& options) {
  return {
      {"extra", options.extra_modules},
      // crc32c: ext4 asks for it through the crypto API, which no module dependency tells.
      {"ext4", {"crc32c_generic", "crc32c_intel", "ext4"}},
      {"squashfs", {"squashfs"}},
      {"iso9660", {"isofs"}},
      {"vfat", {"vfat", "nls_cp437", "nls_iso8859_1", "nls_ascii", "nls_utf8"}},
      {"loop", {"loop"}},
      {"overlay", {"overlay"}},
      {"virtio", {"virtio_pci", "virtio_mmio", "virtio_blk", "virtio_scsi", "sd_mod", "sr_mod"}},
      {"verity", {"sha256_ssse3", "dm_mod", "dm_verity"}},
      {"disk",
       {"ata_piix", "ata_generic", "ahci", "nvme", "sd_mod", "sr_mod", "vmw_pvscsi", "mptspi", "mptsas",
        "sym53c8xx", "xen_blkfront", "sdhci_pci", "sdhci_acpi", "mmc_block"}},
      {"hyperv", {"hv_storvsc", "sd_mod"}},
      {"usb", {"xhci_pci", "ehci_pci", "ohci_pci", "uhci_hcd", "usb_storage", "uas", "sd_mod"}},
  };
}

/// Modules that formats and boot paths ask for.
constexpr const char* kAskedFor[] = {"ext4",      "squashfs",    "isofs",    "loop",       "overlay",
                                     "dm_verity", "usb_storage", "xhci_hcd", "virtio_blk", "ata_piix",
                                     "ahci",      "nvme",        "mptspi",   "vmw_pvscsi", "hv_storvsc"};

bool can(const KernelFiles& kernel, std::string_view module) {
  return kernel.modules.has(module) || kernel.modules.is_builtin(module);
}

/// A depmod that cannot unpack a module leaves it out of modules.dep without a word, and the image would not
/// find its disk.
void require_listed_modules(const RootfsArchive& rootfs, const KernelFiles& kernel,
                            const InitramfsOptions& options) {
  std::set<std::string> missing;
  for (const ModuleGroup& group : module_groups(options)) {
    for (const std::string& name : group.wanted) {
      if (!can(kernel, name)) missing.insert(name);
    }
  }
  if (missing.empty()) return;
  for (const std::string& path : rootfs.files_below(kernel.modules_folder)) {
    if (path.find(".ko") == std::string::npos || !missing.contains(module_name(path))) continue;
    throw Error(Kind::kImage, fmt::format("{}/modules.dep leaves out {}, which the initramfs needs",
                                          kernel.modules_folder, core::escaped(path)))
        .hint("make it again with a depmod that can unpack such modules");
  }
}

/// What init_script() calls.
constexpr const char* kApplets[] = {"cat",   "findfs", "insmod", "mkdir",       "mount", "readlink",
                                    "rmdir", "sh",     "sleep",  "switch_root", "umount"};

constexpr const char* kLibraryFolders[] = {
    "lib", "usr/lib", "lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib64", "usr/lib64"};

class Builder {
 public:
  explicit Builder(const RootfsArchive& rootfs) : rootfs_(rootfs) {}

  void add_base() {
    for (const char* folder : {"bin", "dev", "lower", "medium", "overlay", "proc", "sys", "sysroot"})
      cpio_.directory(folder);
    made_ = {"bin", "dev", "lower", "medium", "overlay", "proc", "sys", "sysroot"};
    // The kernel opens the console before devtmpfs is mounted.
    cpio_.character_device("dev/console", 0600, 5, 1);
    cpio_.character_device("dev/null", 0666, 1, 3);
    cpio_.file("init", init_script(), 0755);
    cpio_.file("bin/early", early_program(), 0755);
  }

  void add_busybox() {
    std::optional<std::string> path;
    for (const char* name :
         {"bin/busybox.static", "usr/bin/busybox.static", "bin/busybox", "usr/bin/busybox"}) {
      if (!path) path = rootfs_.resolve(name);
    }
    if (!path) throw Error(Kind::kImage, "the rootfs holds no busybox").hint("add busybox to the packages");
    const std::string program = rootfs_.read({*path}).at(*path);
    cpio_.file("bin/busybox", program, 0755);
    for (const char* applet : kApplets) cpio_.symlink(fmt::format("bin/{}", applet), "busybox");
    add_needs(read_elf_needs(program, *path));
  }

  std::size_t add_modules(const KernelFiles& kernel, const InitramfsOptions& options) {
    std::set<std::string> seen;
    std::map<std::string, std::string> lists;
    std::vector<std::pair<std::string, std::string>> files;  // archive path, resolved path
    std::set<std::string> paths;
    for (const ModuleGroup& group : module_groups(options)) {
      for (const std::string& relative : kernel.modules.closure(group.wanted)) {
        // Every list is complete by itself, because the script loads only some of them.
        const std::string file = module_name(relative) + ".ko";
        lists[group.name] += file + "\n";
        if (!seen.insert(relative).second) continue;
        const std::optional<std::string> path = rootfs_.resolve(kernel.modules_folder + "/" + relative);
        if (!path) {
          throw Error(Kind::kImage, fmt::format("the rootfs has no {}/{}, which modules.dep names",
                                                kernel.modules_folder, core::escaped(relative)));
        }
        files.emplace_back("modules/" + file, *path);
        paths.insert(*path);
      }
    }
    cpio_.directory("modules");
    for (const auto& [name, list] : lists) cpio_.file("modules/" + name, list, 0644);
    const std::map<std::string, std::string> contents = rootfs_.read(paths, 64u << 20);
    for (const auto& [name, path] : files) cpio_.file(name, unpack_module(contents.at(path), path), 0644);
    return files.size();
  }

  std::string finish() { return cpio_.finish(); }

 private:
  void make_parents(const std::string& path) {
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      const std::string parent = path.substr(0, slash);
      if (made_.insert(parent).second) cpio_.directory(parent);
    }
  }

  std::string find_library(const std::string& name) const {
    for (const char* folder : kLibraryFolders) {
      if (auto path = rootfs_.resolve(fmt::format("{}/{}", folder, name))) return *path;
    }
    throw Error(Kind::kImage,
                fmt::format("the rootfs has no library {}, which busybox needs", core::escaped(name)));
  }

  /// Adds loader and libraries, level by level; a library that is the loader itself (musl) becomes a link.
  void add_needs(ElfNeeds needs) {
    if (needs.interpreter.empty() && needs.needed.empty()) return;
    std::map<std::string, std::string> added;  // resolved path -> archive path
    const auto loader = rootfs_.resolve(needs.interpreter);
    if (!loader || !needs.interpreter.starts_with('/') || needs.interpreter.find("..") != std::string::npos) {
      throw Error(Kind::kImage,
                  "the rootfs has no " + core::escaped(needs.interpreter) + ", which busybox needs");
    }
    add_library(needs.interpreter.substr(1), rootfs_.read({*loader}).at(*loader));
    added[*loader] = needs.interpreter;
    std::set<std::string> seen;
    std::vector<std::string> queue = needs.needed;
    while (!queue.empty()) {
      std::set<std::string> level;
      std::map<std::string, std::string> path_by_name;
      for (const std::string& name : queue) {
        if (!seen.insert(name).second) continue;
        const std::string path = find_library(name);
        path_by_name[name] = path;
        if (!added.contains(path)) level.insert(path);
      }
      queue.clear();
      const std::map<std::string, std::string> contents = rootfs_.read(level);
      for (const auto& [name, path] : path_by_name) {
        if (const auto known = added.find(path); known != added.end()) {
          if (known->second != "/lib/" + name) link_library("lib/" + name, known->second);
          continue;
        }
        add_library("lib/" + name, contents.at(path));
        added[path] = "/lib/" + name;
        const ElfNeeds more = read_elf_needs(contents.at(path), path);
        queue.insert(queue.end(), more.needed.begin(), more.needed.end());
      }
    }
  }

  void add_library(const std::string& target, const std::string& content) {
    make_parents(target);
    cpio_.file(target, content, 0755);
  }

  void link_library(const std::string& name, const std::string& target) {
    make_parents(name);
    cpio_.symlink(name, target);
  }

  const RootfsArchive& rootfs_;
  CpioWriter cpio_;
  std::set<std::string> made_;
};

}  // namespace

Initramfs make_initramfs(const RootfsArchive& rootfs, const KernelFiles& kernel,
                         const InitramfsOptions& options) {
  require_listed_modules(rootfs, kernel, options);
  if (!can(kernel, "ext4") && !can(kernel, "squashfs")) {
    throw Error(Kind::kImage,
                fmt::format("the kernel {} can read neither ext4 nor squashfs", kernel.release));
  }
  for (const std::string& name : options.extra_modules) {
    if (!can(kernel, name)) {
      throw Error(Kind::kImage,
                  fmt::format("the kernel {} has no module {}", kernel.release, core::escaped(name)))
          .hint("check kernel.initramfs_modules");
    }
  }
  Builder builder(rootfs);
  builder.add_base();
  builder.add_busybox();
  Initramfs initramfs;
  initramfs.modules = builder.add_modules(kernel, options);
  for (const char* name : kAskedFor) {
    if (!can(kernel, name)) initramfs.lacks.emplace_back(name);
  }
  const std::string archive = builder.finish();
  initramfs.unpacked_size = archive.size();
  initramfs.compression = kernel.initramfs_compression();
  initramfs.bytes = compress_initramfs(archive, initramfs.compression);
  return initramfs;
}

}  // namespace imgforge::image
