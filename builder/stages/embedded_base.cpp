#include "builder/stages/embedded_base.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include "artifacts/tar/tar.hpp"
#include "builder/image/boot/elf.hpp"
#include "builder/image/boot/module_closure.hpp"
#include "builder/machine/doctor.hpp"
#include "builder/machine/tools.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/new_file.hpp"
#include "core/text.hpp"

namespace imgforge::stages {
namespace {

namespace fs = std::filesystem;
using artifacts::EntryType;
using artifacts::TarEntry;

constexpr std::string_view kPackages = "sudo apt-get install busybox-static linux-image-cloud-amd64";

/// What a small system on virtual hardware or common disks loads. Names a kernel lacks are left out.
const std::vector<std::string> kModules{
    "virtio_pci",     "virtio_blk", "virtio_scsi",  "virtio_net",  "virtio_balloon", "virtio_console",
    "virtio_rng",     "ahci",       "ata_piix",     "nvme",        "sd_mod",         "sr_mod",
    "usb_storage",    "uas",        "xhci_pci",     "ehci_pci",    "ext4",           "overlay",
    "squashfs",       "isofs",      "vfat",         "nls_cp437",   "nls_ascii",      "nls_iso8859_1",
    "crc32c_generic", "9p",         "9pnet_virtio", "qemu_fw_cfg", "loop",           "af_packet",
    "e1000",          "e1000e",     "dm_verity",    "efivarfs",    "virtiofs",
};

struct TextFile {
  std::string_view path;
  std::uint32_t mode;
  std::string_view content;
};

constexpr TextFile kFiles[] = {
    {"etc/passwd", 0644,
     "root:x:0:0:root:/root:/bin/sh\n"
     "nobody:x:65534:65534:nobody:/:/sbin/nologin\n"},
    {"etc/group", 0644, "root:x:0:\ntty:x:5:\ndisk:x:6:\nnogroup:x:65533:\nnobody:x:65534:\n"},
    {"etc/shadow", 0640, "root:*::0:::::\nnobody:!::0:::::\n"},
    {"etc/shells", 0644, "/bin/sh\n/bin/ash\n"},
    {"etc/hostname", 0644, "localhost\n"},
    {"etc/hosts", 0644, "127.0.0.1\tlocalhost\n::1\tlocalhost\n"},
    {"etc/fstab", 0644, ""},
    {"etc/modules", 0644, ""},
    {"etc/issue", 0644, "\\n \\l (\\s \\r)\n\n"},
    {"etc/profile", 0644, "export PATH=/usr/sbin:/usr/bin:/sbin:/bin\nPS1='\\h:\\w\\$ '\numask 022\n"},
    {"etc/os-release", 0644,
     "ID=imgforge-embedded\nNAME=\"imgforge embedded\"\nPRETTY_NAME=\"imgforge embedded base\"\n"},
    {"etc/inittab", 0644,
     "# busybox init\n"
     "::sysinit:/etc/init.d/rcS\n"
     "tty1::respawn:/sbin/getty 38400 tty1\n"
     "ttyS0::respawn:/sbin/getty -L ttyS0 115200 vt100\n"
     "::ctrlaltdel:/sbin/reboot\n"
     "::shutdown:/bin/umount -a -r\n"},
    {"etc/init.d/rcS", 0755,
     "#!/bin/sh\n"
     "# Brings the system up: kernel file systems, host name, modules, kernel parameters, then every\n"
     "# executable /etc/local.d/*.start in order.\n"
     "mountpoint -q /proc || mount -t proc proc /proc\n"
     "mountpoint -q /sys || mount -t sysfs sysfs /sys\n"
     "mountpoint -q /dev || mount -t devtmpfs devtmpfs /dev\n"
     "mkdir -p /dev/pts /dev/shm\n"
     "mount -t devpts devpts /dev/pts 2>/dev/null\n"
     "mount -t tmpfs -o mode=1777 tmpfs /dev/shm\n"
     "mountpoint -q /run || mount -t tmpfs -o mode=0755 tmpfs /run\n"
     "hostname -F /etc/hostname\n"
     "ip link set lo up 2>/dev/null\n"
     "while read -r module _; do\n"
     "  case $module in ''|'#'*) ;; *) modprobe \"$module\" ;; esac\n"
     "done < /etc/modules\n"
     "for file in /etc/sysctl.d/*.conf; do\n"
     "  [ -e \"$file\" ] && sysctl -q -p \"$file\"\n"
     "done\n"
     "for script in /etc/local.d/*.start; do\n"
     "  [ -x \"$script\" ] && \"$script\"\n"
     "done\n"},
};

constexpr std::string_view kFolders[] = {
    "bin",  "boot",    "dev",     "etc",       "etc/init.d", "etc/local.d", "etc/sysctl.d",
    "home", "lib",     "mnt",     "opt",       "proc",       "run",         "sbin",
    "srv",  "sys",     "usr",     "usr/bin",   "usr/sbin",   "usr/lib",     "usr/share",
    "var",  "var/log", "var/lib", "var/cache", "var/spool",  "var/empty",   "lib/modules",
};

std::int64_t modified(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) throw core::system_error(errno, "cannot examine", path.native());
  return status.st_mtim.tv_sec;
}

/// Newest readable kernel with modules, by version number.
std::string newest_release() {
  std::string best;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/boot", error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("vmlinuz-")) continue;
    const std::string release = name.substr(8);
    if (!fs::exists(fs::path("/lib/modules") / release / "modules.dep")) continue;
    if (::access(entry.path().c_str(), R_OK) != 0) continue;
    std::string number = release;
    std::replace(number.begin(), number.end(), '-', '.');
    std::string best_number = best;
    std::replace(best_number.begin(), best_number.end(), '-', '.');
    if (best.empty() || machine::compare_versions(best_number, number) < 0) best = release;
  }
  if (best.empty()) {
    throw core::Error(core::Kind::kMachine, "/boot has no readable kernel with modules for the embedded base")
        .hint(std::string(kPackages));
  }
  return best;
}

fs::path static_busybox() {
  const fs::path path = core::find_program("busybox");
  if (!path.empty()) {
    const auto needs = image::read_elf_needs(core::read_text_file(path, 16 << 20), path.native());
    if (needs.interpreter.empty() && needs.needed.empty()) return path;
  }
  throw core::Error(core::Kind::kMachine, "the embedded base needs a static busybox")
      .hint(std::string(kPackages));
}

/// Lines of modules.dep whose module is in `kept`.
std::string filtered_dep(const std::string& dep, const std::set<std::string>& kept) {
  std::string out;
  for (const std::string& line : core::split(dep, '\n')) {
    if (kept.contains(line.substr(0, line.find(':')))) out += line + "\n";
  }
  return out;
}

class Tree {
 public:
  Tree(artifacts::TarWriter& tar, std::int64_t time) : tar_(tar), time_(time) {}

  void folder(const std::string& path, std::uint32_t mode = 0755) {
    if (seen_.insert(path).second) tar_.add(entry(path, EntryType::kDirectory, mode));
  }
  void folders_above(const std::string& path) {
    for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      folder(path.substr(0, slash));
    }
  }
  void text(const std::string& path, std::uint32_t mode, std::string_view content) {
    folders_above(path);
    tar_.add(entry(path, EntryType::kFile, mode), content);
  }
  void link(const std::string& path, const std::string& target) {
    TarEntry row = entry(path, EntryType::kSymlink, 0777);
    row.link_target = target;
    tar_.add(row);
  }
  void copy(const std::string& path, std::uint32_t mode, const fs::path& source) {
    folders_above(path);
    const core::Fd fd = core::open_regular(source);
    TarEntry row = entry(path, EntryType::kFile, mode);
    row.size = core::file_size(fd.get(), source.native());
    tar_.begin(row);
    std::vector<std::byte> buffer(1 << 18);
    while (const std::size_t n = core::read_some(fd.get(), buffer, source.native())) {
      tar_.write(std::span<const std::byte>(buffer.data(), n));
    }
  }

 private:
  TarEntry entry(const std::string& path, EntryType type, std::uint32_t mode) const {
    TarEntry row;
    row.path = path;
    row.type = type;
    row.mode = mode;
    row.mtime = time_;
    return row;
  }
  artifacts::TarWriter& tar_;
  std::int64_t time_;
  std::set<std::string> seen_;
};

void add_applets(Tree& tree, const EmbeddedSource& source, core::ProcessRunner& processes,
                 const core::CancelToken& cancel) {
  core::Command command;
  command.program = source.busybox;
  command.args = {"--list-full"};
  std::vector<std::string> applets = core::split(processes.check(command, cancel).out, '\n');
  std::sort(applets.begin(), applets.end());
  for (const std::string& applet : applets) {
    if (applet.empty() || applet == "bin/busybox" || applet.find('/') == std::string::npos) continue;
    tree.link(applet, "/bin/busybox");
  }
}

void add_kernel(Tree& tree, const EmbeddedSource& source) {
  tree.copy("boot/vmlinuz-" + source.release, 0644, source.kernel);
  if (!source.config.empty()) tree.copy("boot/config-" + source.release, 0644, source.config);
  const fs::path from = fs::path("/lib/modules") / source.release;
  const std::string to = "lib/modules/" + source.release + "/";
  for (const std::string& module : source.modules) tree.copy(to + module, 0644, from / module);
  tree.text(to + "modules.dep", 0644, source.modules_dep);
  for (const char* name : {"modules.builtin", "modules.order", "modules.softdep"}) {
    if (fs::exists(from / name)) tree.copy(to + name, 0644, from / name);
  }
}

}  // namespace

EmbeddedSource find_embedded_source() {
  EmbeddedSource source;
  source.release = newest_release();
  source.busybox = static_busybox();
  source.kernel = "/boot/vmlinuz-" + source.release;
  if (const fs::path config = "/boot/config-" + source.release; fs::exists(config)) source.config = config;
  const fs::path folder = fs::path("/lib/modules") / source.release;
  const auto read = [&](const char* name) {
    return fs::exists(folder / name) ? core::read_text_file(folder / name, 16 << 20) : std::string();
  };
  const std::string dep = read("modules.dep");
  source.modules =
      image::ModuleTable(dep, read("modules.builtin"), read("modules.softdep")).closure(kModules);
  std::sort(source.modules.begin(), source.modules.end());
  source.modules_dep = filtered_dep(dep, {source.modules.begin(), source.modules.end()});
  source.newest = std::max(modified(source.busybox), modified(source.kernel));
  return source;
}

std::map<std::string, std::string> embedded_identity(const EmbeddedSource& source,
                                                     artifacts::DigestMemory& memory) {
  const auto sha256 = [&](const fs::path& path) { return memory.digest_of_foreign(path).hex(); };
  core::Hasher modules(core::HashAlgorithm::kSha256);
  modules.update(source.modules_dep);
  for (const std::string& module : source.modules) {
    modules.update(sha256(fs::path("/lib/modules") / source.release / module));
  }
  return {{"release", source.release},
          {"busybox", sha256(source.busybox)},
          {"kernel", sha256(source.kernel)},
          {"modules", modules.finish().hex()},
          {"newest", std::to_string(source.newest)}};
}

void write_embedded_base(const EmbeddedSource& source, const fs::path& target, core::ProcessRunner& processes,
                         const core::CancelToken& cancel) {
  core::NewFile out(target);
  artifacts::TarWriter tar(out.fd(), target.native());
  Tree tree(tar, source.newest);
  tree.folder(".");
  for (const std::string_view folder : kFolders) tree.folder(std::string(folder));
  tree.folder("root", 0700);
  tree.folder("tmp", 01777);
  tree.folder("var/tmp", 01777);
  for (const TextFile& file : kFiles) tree.text(std::string(file.path), file.mode, file.content);
  tree.copy("bin/busybox", 0755, source.busybox);
  add_applets(tree, source, processes, cancel);
  add_kernel(tree, source);
  tar.finish();
  out.commit();
}

}  // namespace imgforge::stages
