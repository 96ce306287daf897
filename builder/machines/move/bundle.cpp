#include "builder/machines/move/bundle.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <span>

#include "builder/image/disk/qcow2.hpp"
#include "builder/machine/qemu_img.hpp"
#include "builder/machines/qemu/machine_words.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/file_bytes.hpp"
#include "core/new_file.hpp"
#include "core/record.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using artifacts::TarEntry;
using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr const char* kHeadFile = "bundle.json";
constexpr std::uint64_t kLongestHead = 256 << 10;
constexpr std::uint64_t kLargestVariables = 64 << 20;
constexpr std::uint64_t kLargestDisk = 64ULL << 40;

void want(bool condition, const char* what) {
  if (!condition) throw Error(Kind::kIntegrity, fmt::format("{}: {} cannot be so", kHeadFile, what));
}

void check(const BundleHead& head) {
  want(head.schema == 1, "schema");
  print_settings(head.settings);  // checks them
  want(!head.settings.disposable, "settings.disposable");
  want(!head.base.empty(), "base");
  want(head.disk_size > 0 && head.disk_size <= kLargestDisk && head.disk_size % 512 == 0, "disk_size");
  want(head.files.size() <= 2, "files");
  for (std::size_t i = 0; i < head.files.size(); ++i) {
    const BundleFile& file = head.files[i];
    want(file.name == (i == 0 ? kDiskFile : kVariablesFile), "files");
    want(file.size > 0 && file.size <= kLargestDisk && !file.sha256.empty(), "files");
  }
  const bool bios = firmware_of(head.settings) == vm::Firmware::kBios;
  want(bios ? head.variables_size == 0 : head.variables_size <= kLargestVariables, "variables_size");
  want(head.files.empty() || head.files.size() == (head.variables_size == 0 ? 1 : 2), "files");
}

TarEntry member(const std::string& name, std::uint64_t size) {
  TarEntry entry;
  entry.path = name;
  entry.mode = 0600;
  entry.size = size;
  return entry;
}

void want_member(const TarEntry& entry, const std::string& name) {
  if (entry.path == name && entry.type == artifacts::EntryType::kFile && entry.xattrs.empty()) return;
  throw Error(Kind::kArchive, fmt::format("the bundle has {} where the file {} belongs",
                                          core::escaped(entry.path, 100), name));
}

void check_disk(const fs::path& file, const BundleHead& head) {
  const image::OverlayFacts facts = image::read_overlay_header(file);
  const bool disk = file.filename() == kDiskFile;
  if (facts.virtual_size.value != (disk ? head.disk_size : head.variables_size))
    throw Error(Kind::kIntegrity, file.filename().native() + " is for another size than bundle.json says");
  const bool stands = disk && head.settings.origin.format != "iso";
  if (facts.has_backing != stands) {
    throw Error(Kind::kImage, fmt::format("{} of the bundle is refused: it {}", file.filename().native(),
                                          stands ? "stands on nothing" : "stands on another file"));
  }
}

}  // namespace

std::uint64_t size_of(const BundleHead& head) {
  std::uint64_t size = 0;
  for (const BundleFile& file : head.files) size += file.size;
  return size;
}

void check_room(std::uint64_t needed, const fs::path& folder) {
  fs::path there = folder;
  while (!fs::exists(there) && there.has_parent_path()) there = there.parent_path();
  struct statvfs room {};
  if (::statvfs(there.c_str(), &room) != 0) throw core::system_error(errno, "cannot examine", there.native());
  const std::uint64_t free = std::uint64_t{room.f_bavail} * room.f_frsize;
  if (needed > free) {
    throw Error(Kind::kNoSpace,
                fmt::format("the machine needs {} below {}, and {} are free", core::Bytes{needed}.human(),
                            folder.native(), core::Bytes{free}.human()));
  }
}

std::string print_head(const BundleHead& head) {
  check(head);
  return core::print_json(core::write_record(head));
}

BundleHead parse_head(std::string_view text) {
  core::Json json = core::parse_json(text, kHeadFile, {kLongestHead, 8});
  if (json.is_object() && json.contains("settings")) add_later_members(json["settings"]);
  BundleHead head = core::read_record<BundleHead>(json, kHeadFile);
  check(head);
  return head;
}

BundleHead describe(const fs::path& folder, const Settings& settings, const core::Digest& base,
                    DiskContent content) {
  BundleHead head;
  head.settings = settings;
  head.base = base;
  head.disk_size = image::read_overlay_header(folder / kDiskFile).virtual_size.value;
  if (firmware_of(settings) != vm::Firmware::kBios && fs::exists(folder / kVariablesFile))
    head.variables_size = image::read_overlay_header(folder / kVariablesFile).virtual_size.value;
  if (content == DiskContent::kLeftOut) return head;
  for (const char* name : {kDiskFile, kVariablesFile}) {
    if (!fs::exists(folder / name)) continue;
    const core::Fd fd = core::open_regular(folder / name, core::FollowLinks::kNo);
    core::Hasher hasher(core::HashAlgorithm::kSha256);
    const std::uint64_t size =
        core::read_whole(fd.get(), name, [&](std::span<const std::byte> data) { hasher.update(data); });
    head.files.push_back({name, size, hasher.finish()});
  }
  return head;
}

void write_bundle(int fd, const std::string& name, const BundleHead& head, const fs::path& folder) {
  artifacts::TarWriter tar(fd, name);
  TarEntry first = member(kHeadFile, 0);
  tar.add(first, print_head(head));
  for (const BundleFile& file : head.files) {
    const core::Fd source = core::open_regular(folder / file.name, core::FollowLinks::kNo);
    if (core::file_size(source.get(), file.name) != file.size)
      throw Error(Kind::kIntegrity, file.name + " changed while it was read");
    tar.begin(member(file.name, file.size));
    core::read_range(source.get(), file.name, 0, file.size,
                     [&](std::span<const std::byte> data) { tar.write(data); });
  }
  tar.finish();
}

artifacts::TarPolicy bundle_policy() {
  artifacts::TarPolicy policy;
  policy.total = core::Bytes{kLargestDisk};
  policy.entries = 3;
  policy.depth = 1;
  policy.ratio = 100'000;  // an empty disk; what it unpacks to is said before, and has to fit
  return policy;
}

BundleHead read_head(artifacts::TarReader& tar) {
  TarEntry entry;
  if (!tar.next(entry)) throw Error(Kind::kArchive, "the bundle is empty");
  want_member(entry, kHeadFile);
  return parse_head(tar.read_text(kLongestHead));
}

void unpack(artifacts::TarReader& tar, const BundleHead& head, const fs::path& folder) {
  check_room(size_of(head), folder);
  TarEntry entry;
  for (const BundleFile& file : head.files) {
    if (!tar.next(entry)) throw Error(Kind::kArchive, "the bundle ends before " + file.name);
    want_member(entry, file.name);
    if (entry.size != file.size)
      throw Error(Kind::kIntegrity, file.name + " has another size than bundle.json says");
    core::NewFile target(folder / file.name, 0600);
    core::Hasher hasher(core::HashAlgorithm::kSha256);
    std::array<std::byte, 1 << 16> buffer;
    while (const std::size_t n = tar.read(buffer)) {
      core::CancelToken::check_signals();
      hasher.update(std::span(buffer).first(n));
      target.write_sparse(std::span(buffer).first(n));
    }
    if (hasher.finish() != file.sha256)
      throw Error(Kind::kIntegrity, file.name + " is not what bundle.json says")
          .reason(core::Reason::kDigestMismatch);
    target.commit(core::Sync::kYes);
    check_disk(folder / file.name, head);
  }
  if (tar.next(entry))
    throw Error(Kind::kArchive, "the bundle has more than its files: " + core::escaped(entry.path, 100));
}

/// With -u `rebase` reads nothing but the disk's own header.
void take_off(const fs::path& disk, core::ProcessRunner& processes, const core::CancelToken& cancel) {
  processes.check(
      machine::qemu_img({"rebase", "-q", "-u", "-f", "qcow2", "-b", "", disk.filename()}, disk.parent_path()),
      cancel, Kind::kImage);
  processes.check(machine::qemu_img({"check", "-q", "-f", "qcow2", disk.filename()}, disk.parent_path()),
                  cancel, Kind::kImage);
}

void stand_on(const fs::path& disk, const std::string& backing, const std::string& format,
              core::ProcessRunner& processes, const core::CancelToken& cancel) {
  if (backing.empty()) return;
  processes.check(
      machine::qemu_img({"rebase", "-q", "-u", "-f", "qcow2", "-F", format, "-b", backing, disk.filename()},
                        disk.parent_path()),
      cancel, Kind::kImage);
}

}  // namespace imgforge::machines
