#include "builder/guest/overlay.hpp"

#include <fmt/format.h>

#include "core/fd.hpp"

namespace imgforge::guest {
namespace {

using artifacts::EntryType;

core::Error conflict(std::string message, const core::Mark& mark) {
  core::Error error(core::Kind::kCustomize, std::move(message));
  if (!mark.file.empty()) error.at(mark);
  return error;
}

bool is_folder(PathKind kind) {
  return kind == PathKind::kDirectory || kind == PathKind::kLinkToDirectory;
}

}  // namespace

Overlay::Resolved Overlay::resolve(const std::string& path, const core::Mark& mark) const {
  std::string real;
  std::size_t begin = 0;  // of the part of `path` that is not in `real` yet
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string above = path.substr(0, slash);
    const PathFact fact = facts_.at(above);
    if (fact.kind == PathKind::kAbsent) break;
    if (!is_folder(fact.kind))
      throw conflict(fmt::format("{}: {} is not a directory in the image", path, above), mark);
    real = fact.real;
    begin = slash;
  }
  return {real + path.substr(begin), real.size()};
}

void Overlay::add_parents(const Resolved& path, const core::Mark& mark) {
  const std::string& real = path.real;
  for (std::size_t slash = real.find('/', 1); slash != std::string::npos; slash = real.find('/', slash + 1)) {
    const std::string above = real.substr(0, slash);
    const auto found = nodes_.find(above);
    if (found != nodes_.end()) {
      if (found->second.entry.type == EntryType::kDirectory) continue;
      throw conflict(
          fmt::format("{} cannot be made: the recipe makes {} something else than a directory", real, above),
          mark);
    }
    if (slash <= path.existing) continue;
    Node& node = nodes_[above];
    node.implicit = true;
    node.entry.path = above.substr(1);
    node.entry.type = EntryType::kDirectory;
    node.entry.mode = 0755;
    node.entry.mtime = time_;
  }
}

Overlay::Node& Overlay::place(const std::string& path, EntryType type, Ownership owner,
                              const core::Mark& mark) {
  Resolved resolved = resolve(path, mark);
  const PathFact fact = facts_.at(path);
  const bool wants_folder = type == EntryType::kDirectory;
  if (wants_folder && is_folder(fact.kind)) resolved = {fact.real, fact.real.size()};
  if (!wants_folder && is_folder(fact.kind)) {
    throw conflict(fmt::format("{} is a directory in the image and cannot be replaced", path), mark);
  }
  if (wants_folder && fact.kind != PathKind::kAbsent && !is_folder(fact.kind)) {
    throw conflict(fmt::format("{} is in the image and is not a directory", path), mark);
  }
  add_parents(resolved, mark);
  const std::string& real = resolved.real;
  const auto [found, is_new] = nodes_.try_emplace(real);
  Node& node = found->second;
  if (!is_new && !(node.implicit && wants_folder)) {
    throw conflict(fmt::format("{} is written twice", path), mark);
  }
  node.implicit = false;
  node.entry.path = real.substr(1);
  node.entry.type = type;
  node.entry.mode = owner.mode;
  node.entry.uid = owner.uid;
  node.entry.gid = owner.gid;
  node.entry.mtime = time_;
  return node;
}

void Overlay::add_directory(const std::string& path, Ownership owner, const core::Mark& mark) {
  place(path, EntryType::kDirectory, owner, mark);
}

void Overlay::add_file(const std::string& path, core::Content content, Ownership owner,
                       const core::Mark& mark) {
  Node& node = place(path, EntryType::kFile, owner, mark);
  node.entry.size = content.size();
  node.content = std::move(content);
}

void Overlay::add_link(const std::string& path, const std::string& target, const core::Mark& mark) {
  Node& node = place(path, EntryType::kSymlink, {0777, 0, 0}, mark);
  node.entry.link_target = target;
}

bool Overlay::has(const std::string& path) const {
  return nodes_.contains(resolve(path, {}).real);
}

const artifacts::TarEntry* Overlay::file_at(const std::string& path) const {
  const auto found = nodes_.find(resolve(path, {}).real);
  if (found == nodes_.end() || found->second.entry.type != EntryType::kFile) return nullptr;
  return &found->second.entry;
}

void Overlay::write(int fd, std::string_view name) const {
  artifacts::TarWriter writer(fd, std::string(name));
  for (const auto& [path, node] : nodes_) {
    writer.begin(node.entry);
    node.content.read([&](std::span<const std::byte> data) { writer.write(data); });
  }
  writer.finish();
}

}  // namespace imgforge::guest
