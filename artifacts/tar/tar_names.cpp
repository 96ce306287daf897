#include "artifacts/tar/tar_names.hpp"

#include <algorithm>

#include "artifacts/tar/tar_format.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;

constexpr unsigned kMaxLinks = 40;  // as Linux follows at most

std::string child_of(const std::string& folder, std::string_view name) {
  return folder == "." ? std::string(name) : folder + "/" + std::string(name);
}

}  // namespace

const TarNames::Node* TarNames::find(const std::string& path) const {
  const auto found = nodes_.find(path);
  return found == nodes_.end() ? nullptr : &found->second;
}

/// Moves `position` (a folder) along `path`, component by component.
void TarNames::walk(std::string& position, std::string_view path, unsigned& links) const {
  if (path.starts_with('/')) position = ".";
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view component = path.substr(begin, end - begin);
    begin = end + 1;
    if (component.empty() || component == ".") continue;
    if (component == "..") {
      if (position == ".") throw Error(Kind::kUnsafe, "a symlink leads out of the archive");
      position = parent_of(position);
      continue;
    }
    const std::string next = child_of(position, component);
    const Node* node = find(next);
    if (node != nullptr && node->type == EntryType::kSymlink) {
      if (++links > kMaxLinks) throw Error(Kind::kUnsafe, "too many levels of symlinks");
      walk(position, node->target, links);
    } else if (node == nullptr && links > 0) {
      throw Error(Kind::kUnsafe, "a symlink leads to no folder of the archive");
    } else if (node != nullptr && node->type != EntryType::kDirectory) {
      throw Error(Kind::kArchive, "\"" + core::escaped(next, 200) + "\" is not a folder");
    } else {
      position = next;
    }
  }
}

std::string TarNames::resolve_parents(std::string_view path) const {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return std::string(path);
  std::string folder = ".";
  for (std::size_t begin = 0; begin < slash;) {
    const std::size_t end = std::min(path.find('/', begin), slash);
    unsigned links = 0;
    walk(folder, path.substr(begin, end - begin), links);
    begin = end + 1;
  }
  return child_of(folder, path.substr(slash + 1));
}

void TarNames::add(const TarEntry& entry) {
  for (std::string parent = parent_of(entry.path); parent != "."; parent = parent_of(parent)) {
    if (!nodes_.try_emplace(parent, Node{EntryType::kDirectory, {}}).second) break;
  }
  const auto [node, added] = nodes_.try_emplace(entry.path, Node{entry.type, entry.link_target});
  if (added) return;
  if (node->second.type != EntryType::kDirectory || entry.type != EntryType::kDirectory) {
    throw Error(Kind::kArchive, "duplicate entry \"" + core::escaped(entry.path, 200) + "\"");
  }
}

bool TarNames::is_file(const std::string& path) const {
  const Node* node = find(path);
  return node != nullptr && (node->type == EntryType::kFile || node->type == EntryType::kHardlink);
}

}  // namespace imgforge::artifacts
