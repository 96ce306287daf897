#include "builder/image/fs/rootfs_archive.hpp"

#include <fmt/format.h>

#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

using artifacts::EntryType;

constexpr int kMaxLinks = 40;

std::vector<std::string> components(std::string_view path) {
  std::vector<std::string> out;
  for (std::string& part : core::split(path, '/')) {
    if (!part.empty() && part != ".") out.push_back(std::move(part));
  }
  return out;
}

}  // namespace

artifacts::TarPolicy rootfs_policy() {
  artifacts::TarPolicy policy;
  policy.devices = artifacts::Devices::kAllow;
  return policy;
}

RootfsArchive::RootfsArchive(std::filesystem::path tar) : tar_(std::move(tar)) {
  artifacts::TarReader reader(tar_, rootfs_policy());
  artifacts::TarEntry entry;
  while (reader.next(entry)) nodes_[entry.path] = {entry.type, entry.link_target};
}

std::optional<std::string> RootfsArchive::resolve(std::string_view path) const {
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
    const auto node = nodes_.find(core::join(done, "/"));
    if (node == nodes_.end()) return std::nullopt;
    const Node& found = node->second;
    if (found.type != EntryType::kSymlink && found.type != EntryType::kHardlink) continue;
    if (++links > kMaxLinks) return std::nullopt;
    if (found.type == EntryType::kHardlink || found.link_target.starts_with('/')) {
      done.clear();
    } else {
      done.pop_back();
    }
    std::vector<std::string> target = components(found.link_target);
    ahead.insert(ahead.begin(), target.begin(), target.end());
  }
  return done.empty() ? std::nullopt : std::optional(core::join(done, "/"));
}

std::vector<std::string> RootfsArchive::list(std::string_view directory) const {
  std::vector<std::string> names;
  const std::optional<std::string> folder = resolve(directory);
  if (!folder) return names;
  const std::string prefix = *folder + "/";
  for (auto it = nodes_.lower_bound(prefix); it != nodes_.end() && it->first.starts_with(prefix); ++it) {
    const std::string name = it->first.substr(prefix.size());
    if (name.find('/') == std::string::npos) names.push_back(name);
  }
  return names;
}

std::vector<std::string> RootfsArchive::files_below(std::string_view directory) const {
  const std::string prefix = std::string(directory) + "/";
  std::vector<std::string> paths;
  for (auto node = nodes_.lower_bound(prefix); node != nodes_.end() && node->first.starts_with(prefix);
       ++node) {
    if (node->second.type == artifacts::EntryType::kFile) paths.push_back(node->first);
  }
  return paths;
}

std::map<std::string, std::string> RootfsArchive::read(const std::set<std::string>& paths,
                                                       std::uint64_t limit) const {
  std::map<std::string, std::string> contents;
  if (paths.empty()) return contents;
  artifacts::TarReader reader(tar_, rootfs_policy());
  artifacts::TarEntry entry;
  while (contents.size() < paths.size() && reader.next(entry)) {
    if (entry.type != EntryType::kFile || !paths.contains(entry.path)) continue;
    if (entry.size > limit) {
      throw core::Error(core::Kind::kImage,
                        fmt::format("{} is too large to boot from", core::escaped(entry.path)));
    }
    contents[entry.path] = reader.read_text(limit);
  }
  for (const std::string& path : paths) {
    if (!contents.contains(path)) {
      throw core::Error(core::Kind::kImage, fmt::format("the rootfs has no file {}", core::escaped(path)));
    }
  }
  return contents;
}

}  // namespace imgforge::image
