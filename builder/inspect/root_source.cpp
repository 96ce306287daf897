#include "builder/inspect/root_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "artifacts/codec/recognise.hpp"
#include "artifacts/manifest/formats.hpp"
#include "builder/image/disk/disk_convert.hpp"
#include "builder/image/fs/rootfs_archive.hpp"
#include "builder/inspect/archived_root.hpp"
#include "builder/inspect/boot_texts.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/new_file.hpp"
#include "core/text.hpp"

namespace imgforge::inspect {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::string_view kOsRelease = "etc/os-release";
constexpr std::string_view kModules = "lib/modules";
constexpr std::uint64_t kMaxFacts = 64u << 20;
constexpr std::uint64_t kMaxEntry = 64u << 10;

/// Copies files of a FAT file system into a folder; false when there are none.
bool copy_from_fat(const fs::path& raw, std::uint64_t offset, const char* pattern, const fs::path& folder,
                   const InspectTools& tools) {
  core::Command command;
  command.program = "mcopy";
  command.args = {"-n", "-i", fmt::format("{}@@{}", raw.native(), offset), pattern, folder.native()};
  return tools.processes.run(command, tools.cancel).exit_code == 0;
}

/// Titles and command line of systemd-boot's entries in a FAT partition, read by mtools.
void read_boot_entries(const fs::path& raw, std::uint64_t offset, FoundArtifact& found,
                       const InspectTools& tools) {
  const fs::path folder = tools.work / "entries";
  fs::create_directory(folder);
  if (!copy_from_fat(raw, offset, "::/loader/entries/*.conf", folder, tools)) return;  // another boot loader
  std::string first;
  if (copy_from_fat(raw, offset, "::/loader/loader.conf", tools.work, tools))
    first = default_entry(core::read_text_file(tools.work / "loader.conf", kMaxEntry));
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end(), [&](const fs::path& a, const fs::path& b) {
    return std::pair(a.filename() != first, a) < std::pair(b.filename() != first, b);
  });
  for (const fs::path& file : files) {
    const BootTexts entry = parse_boot_entry(core::read_text_file(file, kMaxEntry), file.stem().native());
    found.boot_entries.push_back(entry.titles.front());
    if (found.kernel_cmdline.empty()) found.kernel_cmdline = entry.cmdline;
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
  std::optional<std::string> installed;
  for (const std::string_view place : image::kPackageDatabases) {
    if (!installed) installed = archive.resolve(place);
  }
  if (release) paths.insert(*release);
  if (installed) paths.insert(*installed);
  const auto texts = archive.read(paths, kMaxFacts);
  RootFacts facts;
  if (release) facts.os_release = parse_os_release(texts.at(*release));
  if (installed) facts.packages = parse_installed(texts.at(*installed));
  for (const std::string& name : archive.list(kModules)) facts.kernels.push_back(printable(name));
  return facts;
}

}  // namespace

std::string file_system_at(const fs::path& file, std::uint64_t offset) {
  return std::string(
      artifacts::content_name(artifacts::recognise_file(file, artifacts::Among::kFileSystems, offset)));
}

FoundArtifact find_root(const fs::path& file, const std::string& format, const InspectTools& tools) {
  FoundArtifact found;
  found.format = format;
  const fs::path path = fs::absolute(file);
  const auto unpacked = [&](const fs::path& disk, std::string_view encoding) {
    const fs::path raw = tools.work / "disk.raw";
    image::unpack_disk(disk, encoding, raw, tools.processes, tools.cancel);
    return raw;
  };
  const artifacts::Format* known = artifacts::find_format(format);
  if (known == nullptr || known->root == artifacts::RootPlace::kFiles) {
    if (file_system_at(path, 0) == "squashfs") found.root = {RootSource::Kind::kDisk, path, 0, "squashfs"};
    return found;
  }
  switch (known->root) {
    case artifacts::RootPlace::kDisk:
      look_at_disk(format == "raw" ? path : unpacked(path, format), found, tools);
      break;
    case artifacts::RootPlace::kStick:
      look_at_disk(path, found, tools);
      break;
    case artifacts::RootPlace::kMedium:
      found.root = {RootSource::Kind::kDisk, extract_from_iso(path, found, tools), 0, "squashfs"};
      break;
    case artifacts::RootPlace::kTar:
      found.root = {RootSource::Kind::kTar, path, 0, ""};
      break;
    case artifacts::RootPlace::kLayers:
      found.root = {RootSource::Kind::kTar, extract_layer(path, tools), 0, ""};
      break;
    case artifacts::RootPlace::kBundle:
      look_at_disk(unpacked(extract_vm_disk(path, tools), "qcow2"), found, tools);
      break;
    case artifacts::RootPlace::kFiles:
      break;
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
  for (const std::string_view place : image::kPackageDatabases) {
    if (facts.packages.empty()) facts.packages = parse_installed(guest.read(top + std::string(place)));
  }
  for (const std::string& name : guest.list(top + std::string(kModules)))
    facts.kernels.push_back(printable(name));
  guest.finish();
  return facts;
}

fs::path root_as_tar(const RootSource& root, const InspectTools& tools) {
  if (root.kind == RootSource::Kind::kTar) return root.path;
  if (root.kind == RootSource::Kind::kNone) throw Error(Kind::kUsage, "there is no root file system to read");
  guest::Guest guest = look_inside(root, tools);
  const fs::path tar = tools.work / "root.tar";
  core::NewFile out(tar, 0600);
  guest.tar_out(guest::Guest::kInspected, out.fd(), {"./lost+found"});
  out.commit();
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
    members[printable(std::string_view(line).substr(0, equals))] = printable(value);
  }
  return members;
}

std::map<std::string, std::string> parse_installed(std::string_view text) {
  std::map<std::string, std::string> packages;
  std::string name;
  for (const std::string& line : core::split(text, '\n')) {
    const std::string_view value = std::string_view(line).substr(std::min<std::size_t>(2, line.size()));
    if (line.starts_with("P:")) name = printable(value);
    if (line.starts_with("V:") && !name.empty()) packages[name] = printable(value);
    if (line.empty()) name.clear();
  }
  return packages;
}

}  // namespace imgforge::inspect
