#include "builder/stages/medium.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/fetch/apk/repository/package_closure.hpp"
#include "builder/image/boot/kernel.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::stages {
namespace {

namespace fs = std::filesystem;
using artifacts::EntryType;
using guest::PathKind;

constexpr std::uint64_t kIndexLimit = std::uint64_t{16} << 20;
constexpr std::uint64_t kPackageLimit = std::uint64_t{1} << 30;
constexpr std::uint64_t kKernelLimit = std::uint64_t{64} << 20;
constexpr std::uint64_t kTextLimit = std::uint64_t{1} << 20;
constexpr int kMaxLinks = 40;
constexpr std::string_view kInitScripts = "/etc/init.d/";

/// Alpine's initramfs adds a log-in on each console= of its command line to this file itself.
constexpr std::string_view kInittab = "/etc/inittab";

bool is_wanted_text(const std::string& path) {
  return path != kInittab && std::find(std::begin(guest::kTextsRead), std::end(guest::kTextsRead), path) !=
                                 std::end(guest::kTextsRead);
}

std::vector<std::string> components(std::string_view path) {
  std::vector<std::string> parts = core::split(path, '/');
  std::erase_if(parts, [](const std::string& part) { return part.empty() || part == "."; });
  return parts;
}

std::vector<recipe::Marked> world_of(const recipe::ResolvedRecipe& recipe) {
  std::vector<recipe::Marked> world{{"alpine-base", {}}};
  world.insert(world.end(), recipe.packages.add.begin(), recipe.packages.add.end());
  return world;
}

}  // namespace

void PackageTree::add(const artifacts::TarEntry& entry, const fetch::ReadContent& read) {
  const std::string path = "/" + entry.path;
  // A folder that a package names again is the same folder.
  if (!nodes_.try_emplace(path, Node{entry.type, entry.link_target}).second) return;
  if (entry.type == EntryType::kFile && is_wanted_text(path)) texts_[path] = read(kTextLimit);
}

std::optional<std::string> PackageTree::real_path(const std::string& path) const {
  std::vector<std::string> ahead = components(path);
  std::vector<std::string> done;
  int links = 0;
  while (!ahead.empty()) {
    const std::string part = ahead.front();
    ahead.erase(ahead.begin());
    if (part == "..") {
      if (!done.empty()) done.pop_back();
      continue;
    }
    done.push_back(part);
    const auto node = nodes_.find("/" + core::join(done, "/"));
    if (node == nodes_.end()) return std::nullopt;
    if (node->second.type != EntryType::kSymlink) continue;
    if (++links > kMaxLinks) return std::nullopt;
    if (node->second.link_target.starts_with('/')) {
      done.clear();
    } else {
      done.pop_back();
    }
    const std::vector<std::string> target = components(node->second.link_target);
    ahead.insert(ahead.begin(), target.begin(), target.end());
  }
  return "/" + core::join(done, "/");
}

guest::Facts PackageTree::facts() const {
  guest::Facts facts;
  facts.texts = texts_;
  for (const auto& [path, node] : nodes_) {
    const std::optional<std::string> real = real_path(path);
    const auto target = real ? nodes_.find(*real) : nodes_.end();
    const bool folder = target != nodes_.end() && target->second.type == EntryType::kDirectory;
    guest::PathFact& fact = facts.paths[path];
    if (node.type == EntryType::kSymlink) {
      fact.kind = folder ? PathKind::kLinkToDirectory : PathKind::kLink;
    } else {
      fact.kind = folder ? PathKind::kDirectory : PathKind::kOther;
    }
    if (folder) fact.real = *real;
    if (path.starts_with(kInitScripts) && node.type == EntryType::kFile)
      facts.services.push_back(path.substr(kInitScripts.size()));
  }
  std::sort(facts.services.begin(), facts.services.end());
  return facts;
}

Medium read_medium(Toolbox& tools, const recipe::ResolvedRecipe& recipe, const fs::path& file,
                   const image::AlpineIso& iso, const fs::path& work) {
  const core::TempDir folder(work, "medium");
  const auto extract = [&](const std::vector<std::string>& paths, std::uint64_t limit) {
    image::extract_files(file, iso, paths, limit, folder.path(), tools.processes, tools.cancel);
  };
  const std::string arch = iso.packages.substr(iso.packages.rfind('/') + 1);
  const std::string index_path = iso.packages + "/APKINDEX.tar.gz";
  extract({index_path}, kIndexLimit);
  extract({iso.kernel}, kKernelLimit);
  const fetch::Index index = fetch::read_medium_index(
      core::read_text_file(folder / "APKINDEX.tar.gz", kIndexLimit), arch, iso.title + ": " + index_path);
  const std::vector<const fetch::IndexEntry*> chosen =
      fetch::package_closure(index, world_of(recipe), iso.title);
  std::vector<std::string> paths;
  for (const fetch::IndexEntry* entry : chosen) paths.push_back(iso.packages + "/" + entry->file_name());
  extract(paths, kPackageLimit);
  Medium medium;
  PackageTree tree;
  for (const fetch::IndexEntry* entry : chosen) {
    tools.cancel.check();
    fetch::read_package(
        folder / entry->file_name(), *entry,
        [&](const artifacts::TarEntry& member, const fetch::ReadContent& read) { tree.add(member, read); });
    medium.packages.push_back(*entry);
  }
  medium.facts = tree.facts();
  const std::string kernel = fs::path(iso.kernel).filename().native();
  medium.kernel_release =
      image::kernel_release(core::read_text_file(folder / kernel, kKernelLimit), iso.kernel);
  return medium;
}

}  // namespace imgforge::stages
