#include "builder/stages/root_source.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>

#include "artifacts/formats.hpp"
#include "builder/image/disk_convert.hpp"
#include "builder/image/rootfs_archive.hpp"
#include "builder/stages/archived_root.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::stages {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;
using namespace std::string_view_literals;

constexpr std::string_view kOsRelease = "etc/os-release";
constexpr std::string_view kInstalled = "lib/apk/db/installed";
constexpr std::string_view kModules = "lib/modules";
constexpr std::uint64_t kMaxFacts = 64u << 20;
constexpr std::uint64_t kMaxEntry = 64u << 10;

struct Magic {
  std::string_view name;
  std::uint64_t offset;
  std::string_view bytes;
};
constexpr std::array kMagics{
    Magic{"ext4", 1080, "\x53\xef"sv}, Magic{"squashfs", 0, "hsqs"sv}, Magic{"verity", 0, "verity\0\0"sv},
    Magic{"vfat", 54, "FAT1"sv},       Magic{"vfat", 82, "FAT32"sv},
};

/// Copies files of a FAT file system into a folder; false when there are none.
bool copy_from_fat(const fs::path& raw, std::uint64_t offset, const char* pattern, const fs::path& folder,
                   const InspectTools& tools) {
  core::Command command;
  command.program = "mcopy";
  command.args = {"-n", "-i", fmt::format("{}@@{}", raw.native(), offset), pattern, folder.native()};
  return tools.processes.run(command, tools.cancel).exit_code == 0;
}

/// What follows `word` and a blank at the beginning of a line; empty when no line has it.
std::string value_of(const std::string& text, std::string_view word) {
  for (const std::string& line : core::split(text, '\n')) {
    if (line.starts_with(std::string(word) + " "))
      return std::string(core::trimmed(std::string_view(line).substr(word.size())));
  }
  return {};
}

/// Titles and command line of systemd-boot's entries in a FAT partition, read by mtools.
void read_boot_entries(const fs::path& raw, std::uint64_t offset, FoundArtifact& found,
                       const InspectTools& tools) {
  const fs::path folder = tools.work / "entries";
  fs::create_directory(folder);
  if (!copy_from_fat(raw, offset, "::/loader/entries/*.conf", folder, tools)) return;  // another boot loader
  std::string first;
  if (copy_from_fat(raw, offset, "::/loader/loader.conf", tools.work, tools))
    first = value_of(core::read_text_file(tools.work / "loader.conf", kMaxEntry), "default");
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end(), [&](const fs::path& a, const fs::path& b) {
    return std::pair(a.filename() != first, a) < std::pair(b.filename() != first, b);
  });
  for (const fs::path& file : files) {
    const std::string text = core::read_text_file(file, kMaxEntry);
    const std::string title = value_of(text, "title");
    found.boot_entries.push_back(title.empty() ? file.stem().native() : title);
    if (found.kernel_cmdline.empty()) found.kernel_cmdline = value_of(text, "options");
  }
}

/// The partitions of a raw disk; the last ext4 or squashfs that is named root or system carries the root.
void look_at_disk(const fs::path& raw, FoundArtifact& found, const InspectTools& tools) {
  const image::GptLayout layout = image::read_gpt(raw);
  found.disk_uuid = layout.disk_uuid;
  found.virtual_size = fs::file_size(raw);
  for (std::size_t i = 0; i < layout.partitions.size(); ++i) {
    const image::GptPartition& entry = layout.partitions[i];
    found.partitions.push_back({entry, file_system_at(raw, entry.start)});
    const std::string& type = found.partitions.back().file_system;
    const bool root = type == "squashfs" || (type == "ext4" && entry.type_uuid == image::kRootX86Type);
    if (root && found.root.kind == RootSource::Kind::kNone)
      found.root = {RootSource::Kind::kDisk, raw, static_cast<unsigned>(i + 1), type};
    if (type == "vfat" && found.boot_entries.empty()) read_boot_entries(raw, entry.start, found, tools);
  }
}

guest::Guest look_inside(const RootSource& root, const InspectTools& tools) {
  core::Activity activity = tools.progress.begin("appliance");
  activity.say("starting");
  guest::LaunchOptions options;
  options.work_dir = tools.work;
  options.cache_dir = tools.cache_dir / "appliance";
  fs::create_directories(tools.cache_dir / "logs");
  options.log_file = tools.cache_dir / "logs" / "inspect.log";
  fs::remove(options.log_file);
  options.accelerator = machine::find_accelerator(tools.processes, tools.cache_dir, tools.cancel).accelerator;
  options.cpus = 2;
  options.cancel = tools.cancel;
  options.inspected = guest::ForeignDisk{root.path, "raw"};
  guest::Guest guest = guest::launch(std::move(options));
  guest.mount_inspected(root.partition, root.file_system);
  activity.done(root.file_system + " mounted read-only");
  return guest;
}

RootFacts facts_of_tar(const fs::path& tar) {
  const image::RootfsArchive archive(tar);
  std::set<std::string> paths;
  const auto release = archive.resolve(kOsRelease);
  const auto installed = archive.resolve(kInstalled);
  if (release) paths.insert(*release);
  if (installed) paths.insert(*installed);
  const auto texts = archive.read(paths, kMaxFacts);
  RootFacts facts;
  if (release) facts.os_release = parse_os_release(texts.at(*release));
  if (installed) facts.packages = parse_installed(texts.at(*installed));
  facts.kernels = archive.list(kModules);
  return facts;
}

}  // namespace

std::string file_system_at(const fs::path& file, std::uint64_t offset) {
  const core::Fd fd = core::open_regular(file);
  std::string head(2048, '\0');
  const ssize_t n = ::pread(fd.get(), head.data(), head.size(), static_cast<off_t>(offset));
  if (n < 0) throw core::system_error(errno, "cannot read", file.native());
  for (const Magic& magic : kMagics) {
    if (head.compare(magic.offset, magic.bytes.size(), magic.bytes) == 0) return std::string(magic.name);
  }
  return {};
}

FoundArtifact find_root(const fs::path& file, const std::string& format, const InspectTools& tools) {
  FoundArtifact found;
  found.format = format;
  const fs::path path = fs::absolute(file);
  if (image::is_disk_format(format)) {
    fs::path raw = path;
    if (format != "raw") {
      raw = tools.work / "disk.raw";
      image::unpack_disk(path, format, raw, tools.processes, tools.cancel);
    }
    look_at_disk(raw, found, tools);
  } else if (format == "usb") {
    look_at_disk(path, found, tools);
  } else if (format == "iso") {
    found.root = {RootSource::Kind::kDisk, extract_from_iso(path, found, tools), 0, "squashfs"};
  } else if (format == "rootfs") {
    found.root = {RootSource::Kind::kTar, path, 0, ""};
  } else if (format == "oci") {
    found.root = {RootSource::Kind::kTar, extract_layer(path, tools), 0, ""};
  } else if (format == "vm") {
    const fs::path disk = extract_vm_disk(path, tools);
    const fs::path raw = tools.work / "disk.raw";
    image::unpack_disk(disk, "qcow2", raw, tools.processes, tools.cancel);
    look_at_disk(raw, found, tools);
  } else if (file_system_at(path, 0) == "squashfs") {
    found.root = {RootSource::Kind::kDisk, path, 0, "squashfs"};
  }
  return found;
}

RootFacts read_root_facts(const RootSource& root, const InspectTools& tools) {
  if (root.kind == RootSource::Kind::kNone) return {};
  if (root.kind == RootSource::Kind::kTar) return facts_of_tar(root.path);
  guest::Guest guest = look_inside(root, tools);
  const std::string top = std::string(guest::Guest::kInspected) + "/";
  RootFacts facts;
  facts.os_release = parse_os_release(guest.read(top + std::string(kOsRelease)));
  facts.packages = parse_installed(guest.read(top + std::string(kInstalled)));
  facts.kernels = guest.list(top + std::string(kModules));
  guest.finish();
  return facts;
}

fs::path root_as_tar(const RootSource& root, const InspectTools& tools) {
  if (root.kind == RootSource::Kind::kTar) return root.path;
  if (root.kind == RootSource::Kind::kNone) throw Error(Kind::kUsage, "there is no root file system to read");
  guest::Guest guest = look_inside(root, tools);
  const fs::path tar = tools.work / "root.tar";
  core::Fd fd = core::open_file(tar, O_WRONLY | O_CREAT | O_EXCL, 0600);
  guest.tar_out(guest::Guest::kInspected, fd.get(), {"./lost+found"});
  fd.close(tar.native());
  guest.finish();
  return tar;
}

std::map<std::string, std::string> parse_os_release(std::string_view text) {
  std::map<std::string, std::string> members;
  for (const std::string& line : core::split(text, '\n')) {
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos || line.starts_with('#')) continue;
    std::string_view value = core::trimmed(std::string_view(line).substr(equals + 1));
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front())
      value = value.substr(1, value.size() - 2);
    members[line.substr(0, equals)] = value;
  }
  return members;
}

std::map<std::string, std::string> parse_installed(std::string_view text) {
  std::map<std::string, std::string> packages;
  std::string name;
  for (const std::string& line : core::split(text, '\n')) {
    if (line.starts_with("P:")) name = line.substr(2);
    if (line.starts_with("V:") && !name.empty()) packages[name] = line.substr(2);
    if (line.empty()) name.clear();
  }
  return packages;
}

}  // namespace imgforge::stages
