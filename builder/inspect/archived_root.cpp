#include "builder/inspect/archived_root.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "artifacts/tar/tar.hpp"
#include "builder/image/boot/live_root.hpp"
#include "builder/inspect/boot_texts.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/new_file.hpp"
#include "core/text.hpp"

namespace imgforge::inspect {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::uint64_t kMaxIndex = 1 << 20;

/// Writes the first member that `wanted` accepts to `target`.
void extract_member(const fs::path& archive, const fs::path& target, const char* what,
                    const std::function<bool(const artifacts::TarEntry&)>& wanted,
                    const core::CancelToken& cancel) {
  artifacts::TarReader reader(archive, {});
  artifacts::TarEntry entry;
  while (reader.next(entry)) {
    if (entry.type != artifacts::EntryType::kFile || !wanted(entry)) continue;
    core::NewFile out(target, 0600);
    std::vector<std::byte> buffer(1 << 20);
    while (const std::size_t n = reader.read(buffer)) {
      cancel.check();
      out.write(std::span<const std::byte>(buffer).first(n));
    }
    out.commit();
    return;
  }
  throw Error(Kind::kImage, archive.native() + " has no " + what);
}

/// A file that was copied out of a foreign image: a link there would stand for a file of this machine.
bool is_plain_file(const fs::path& copy) {
  return fs::symlink_status(copy).type() == fs::file_type::regular;
}

core::Json json_member(const fs::path& archive, const std::string& path) {
  artifacts::TarReader reader(archive, {});
  artifacts::TarEntry entry;
  while (reader.next(entry)) {
    if (entry.path == path)
      return core::parse_json(reader.read_text(kMaxIndex), "container image",
                              {.bytes = kMaxIndex, .depth = 32});
  }
  throw Error(Kind::kImage, archive.native() + " has no " + path);
}

/// "blobs/sha256/<hex>" of a descriptor (OCI image specification).
std::string blob_of(const core::Json& descriptor) {
  const core::Digest digest = core::Digest::parse(descriptor.at("digest").get<std::string>());
  return "blobs/sha256/" + digest.hex();
}

}  // namespace

fs::path extract_from_iso(const fs::path& iso, FoundArtifact& found, const InspectTools& tools) {
  const fs::path squashfs = tools.work / "root.squashfs";
  const fs::path entries = tools.work / "entries";
  core::Command command;
  command.program = "xorriso";
  command.args = {"-abort_on",      "FAILURE",
                  "-osirrox",       "on",
                  "-indev",         "stdio:" + iso.native(),
                  "-extract",       "/" + std::string(image::kMediumRoot),
                  squashfs.native()};
  try {
    tools.processes.check(command, tools.cancel, Kind::kImage);
  } catch (const Error&) {
    throw Error(Kind::kImage, iso.native() + " is no live system of imgforge: it has no " +
                                  std::string(image::kMediumRoot));
  }
  if (!is_plain_file(squashfs))
    throw Error(Kind::kImage, fmt::format("{}: {} is no file", iso.native(), image::kMediumRoot));
  const fs::path menu = tools.work / "isolinux.cfg";
  command.args = {"-osirrox",   "on", "-indev", "stdio:" + iso.native(), "-extract", "/isolinux/isolinux.cfg",
                  menu.native()};
  if (tools.processes.run(command, tools.cancel).exit_code == 0 && is_plain_file(menu)) {
    BootTexts texts = parse_isolinux_menu(core::read_text_file(menu));
    found.boot_entries = std::move(texts.titles);
    found.kernel_cmdline = std::move(texts.cmdline);
  }
  return squashfs;
}

fs::path extract_layer(const fs::path& archive, const InspectTools& tools) {
  try {
    const core::Json index = json_member(archive, "index.json");
    const core::Json manifest = json_member(archive, blob_of(index.at("manifests").at(0)));
    const std::string layer = blob_of(manifest.at("layers").at(0));
    const fs::path target = tools.work / "layer.tar";
    extract_member(
        archive, target, "layer", [&](const artifacts::TarEntry& entry) { return entry.path == layer; },
        tools.cancel);
    return target;
  } catch (const core::Json::exception& error) {
    throw Error(Kind::kImage, archive.native() + ": " + core::escaped(error.what(), 200));
  }
}

fs::path extract_vm_disk(const fs::path& archive, const InspectTools& tools) {
  const fs::path target = tools.work / "disk.qcow2";
  extract_member(
      archive, target, "disk",
      [](const artifacts::TarEntry& entry) { return entry.path.ends_with(".qcow2"); }, tools.cancel);
  return target;
}

}  // namespace imgforge::inspect
