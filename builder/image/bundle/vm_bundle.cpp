#include "builder/image/bundle/vm_bundle.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "artifacts/codec/recognise.hpp"
#include "artifacts/tar/tar.hpp"
#include "builder/image/fs/tar_members.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/new_file.hpp"
#include "core/random.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

using artifacts::EntryType;
using artifacts::TarEntry;
using core::Error;
using core::HashAlgorithm;
using core::Json;
using core::Kind;
namespace fs = std::filesystem;

constexpr const char* kDisk = "disk.qcow2";
constexpr std::uint64_t kLargestText = 1u << 20;

std::string_view card_name(VmCard card) {
  switch (card) {
    case VmCard::kUser:
      return "user";
    case VmCard::kBridge:
      return "bridge";
    case VmCard::kNone:
      break;
  }
  return "none";
}

/// What reading a bundle through found.
struct Contents {
  std::string folder;
  std::map<std::string, TarEntry> members;  // by their names in the folder
  std::string config;
  core::Digest disk;
  std::string disk_head;
};

[[noreturn]] void refuse(const fs::path& file, std::string_view why) {
  throw Error(Kind::kImage, fmt::format("{} is no virtual machine bundle: {}", file.native(), why));
}

void read_disk(artifacts::TarReader& reader, Contents& contents, const core::CancelToken& cancel) {
  core::Hasher hasher(HashAlgorithm::kSha256);
  std::vector<std::byte> buffer(1 << 20);
  while (const std::size_t n = reader.read(buffer)) {
    cancel.check();
    hasher.update(std::span(buffer).first(n));
    if (contents.disk_head.size() < 4) {
      contents.disk_head.append(reinterpret_cast<const char*>(buffer.data()), std::min<std::size_t>(n, 4));
    }
  }
  contents.disk = hasher.finish();
}

Contents read_contents(const fs::path& file, const core::CancelToken& cancel) {
  artifacts::TarPolicy policy;
  policy.total = core::gib(64 << 10);
  artifacts::TarReader reader(file, policy);
  Contents contents;
  TarEntry entry;
  while (reader.next(entry)) {
    if (contents.folder.empty()) {
      if (entry.type != EntryType::kDirectory || entry.path.find('/') != std::string::npos)
        refuse(file, fmt::format("it begins with {} and not with a folder", core::escaped(entry.path)));
      contents.folder = entry.path;
      continue;
    }
    if (!entry.path.starts_with(contents.folder + "/") || entry.type != EntryType::kFile)
      refuse(file, fmt::format("{} has no place in it", core::escaped(entry.path)));
    const std::string name = entry.path.substr(contents.folder.size() + 1);
    if (name == kDisk) read_disk(reader, contents, cancel);
    if (name == "config.json") contents.config = reader.read_text(kLargestText);
    contents.members[name] = entry;
  }
  return contents;
}

}  // namespace

std::string vm_hardware_address(const VmSpec& spec) {
  const std::string hex = core::digest_of(HashAlgorithm::kSha256, "imgforge vm card " + spec.identity).hex();
  return fmt::format("52:54:00:{}:{}:{}", hex.substr(0, 2), hex.substr(2, 2), hex.substr(4, 2));
}

std::string vm_config(const VmSpec& spec, const core::Digest& disk, core::Bytes stored) {
  Json network{{"mode", card_name(spec.network)}};
  if (spec.network != VmCard::kNone) network["mac"] = vm_hardware_address(spec);
  return core::print_json({{"schema", 1},
                           {"name", spec.name},
                           {"profile", spec.profile},
                           {"description", spec.description},
                           {"uuid", core::derived_uuid("imgforge vm " + spec.identity)},
                           {"memory", {{"size", spec.memory.value}, {"maximum", spec.maximum_memory.value}}},
                           {"cpus", spec.cpus},
                           {"disk",
                            {{"file", kDisk},
                             {"format", "qcow2"},
                             {"size", spec.disk_size.value},
                             {"stored", stored.value},
                             {"digest", disk.to_string()}}},
                           {"network", network},
                           {"firmware", {"bios", "uefi"}},
                           {"console", "serial"}});
}

std::string vm_network_conf(const VmSpec& spec) {
  return fmt::format(
      "# Network card of the virtual machine; start.sh reads this file as shell text.\n"
      "# user: QEMU translates, no rights needed. bridge: joins BRIDGE, which the host's\n"
      "# /etc/qemu/bridge.conf must allow. none: no card.\n"
      "NETWORK_MODE={}\n"
      "BRIDGE=br0\n"
      "MAC={}\n"
      "# Ports of the host that lead into the machine, for user only, separated by blanks:\n"
      "# HOST_FORWARDS=\"tcp:127.0.0.1:2222-:22\"\n"
      "HOST_FORWARDS=\n",
      card_name(spec.network), vm_hardware_address(spec));
}

void write_vm_bundle(const fs::path& disk, const VmSpec& spec, const fs::path& output,
                     const core::CancelToken& cancel) {
  const core::Digest digest = core::digest_of_file(HashAlgorithm::kSha256, disk);
  const core::Bytes stored{fs::file_size(disk)};
  const auto text = [&](const char* name, std::uint32_t mode = 0644) {
    return tar_member(spec.name + "/" + name, EntryType::kFile, mode, spec.epoch);
  };
  core::NewFile out(output);
  artifacts::TarWriter tar(out.fd(), output.native());
  tar.add(tar_member(spec.name, EntryType::kDirectory, 0755, spec.epoch));
  tar.add(text("config.json"), vm_config(spec, digest, stored));
  add_file(tar, disk, text(kDisk), cancel);
  tar.add(text("domain.xml"), vm_domain_xml(spec));
  tar.add(text("network.conf"), vm_network_conf(spec));
  tar.add(text("start.sh", 0755), vm_start_script(spec));
  tar.finish();
  out.commit();
}

VmFacts check_vm_bundle(const fs::path& file, const core::CancelToken& cancel) {
  const Contents contents = read_contents(file, cancel);
  for (const char* name : {"config.json", kDisk, "domain.xml", "network.conf", "start.sh"}) {
    if (!contents.members.contains(name)) refuse(file, fmt::format("it has no {}", name));
  }
  if (contents.members.size() != 5) {
    refuse(file, fmt::format("it has {} members, not 5", contents.members.size()));
  }
  if (contents.members.at("start.sh").mode != 0755) refuse(file, "its start.sh cannot be started");
  if (!artifacts::begins_as(contents.disk_head, artifacts::Content::kQcow2))
    refuse(file, "its disk is no qcow2 image");
  try {
    const Json config = core::parse_json(contents.config, "config.json");
    if (config.at("schema") != 1) refuse(file, "its config.json has another schema");
    if (config.at("name") != contents.folder) refuse(file, "its folder has another name than config.json");
    const Json& disk = config.at("disk");
    if (disk.at("file") != kDisk || disk.at("format") != "qcow2" ||
        core::Digest::parse(disk.at("digest").get<std::string>()) != contents.disk ||
        disk.at("stored").get<std::uint64_t>() != contents.members.at(kDisk).size) {
      refuse(file, "its disk is not the one that config.json names");
    }
    return {contents.folder,
            {config.at("memory").at("size").get<std::uint64_t>()},
            config.at("cpus").get<unsigned>(),
            {disk.at("size").get<std::uint64_t>()}};
  } catch (const Json::exception& error) {
    refuse(file, error.what());
  }
}

}  // namespace imgforge::image
