#include "builder/image/fs/root_tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "builder/image/fs/rootfs_archive.hpp"
#include "core/cancel.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/new_file.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

using artifacts::EntryType;
using artifacts::TarEntry;

void visit_added(const AddedMember& member, const VisitMember& visit) {
  if (member.entry.type != EntryType::kFile || member.source.empty()) {
    std::size_t at = 0;
    visit(
        member.entry,
        [&](std::span<std::byte> buffer) {
          const std::size_t count = std::min(buffer.size(), member.text.size() - at);
          std::copy_n(core::as_bytes(member.text).begin() + static_cast<std::ptrdiff_t>(at), count,
                      buffer.begin());
          at += count;
          return count;
        },
        &member);
    return;
  }
  const core::Fd fd = core::open_regular(member.source);
  if (core::file_size(fd.get(), member.source.native()) != member.entry.size) {
    throw core::Error(core::Kind::kIntegrity, member.source.native() + " changed its size while it was used");
  }
  visit(
      member.entry,
      [&](std::span<std::byte> buffer) {
        core::CancelToken::check_signals();
        return core::read_some(fd.get(), buffer, member.source.native());
      },
      &member);
}

}  // namespace

void walk_root(const RootTree& tree, const VisitMember& visit) {
  std::map<std::string, std::optional<EntryType>> places;  // of added members, and what the tar has there
  for (const AddedMember& member : tree.added) places.emplace(member.entry.path, std::nullopt);
  artifacts::TarReader reader(tree.tar, rootfs_policy());
  TarEntry entry;
  while (reader.next(entry)) {
    if (const auto place = places.find(entry.path); place != places.end()) place->second = entry.type;
    visit(
        entry, [&reader](std::span<std::byte> buffer) { return reader.read(buffer); }, nullptr);
  }
  for (const AddedMember& member : tree.added) {
    const std::optional<EntryType> there = places.at(member.entry.path);
    if (there == EntryType::kDirectory && member.entry.type == EntryType::kDirectory) continue;
    if (there) {
      throw core::Error(core::Kind::kImage,
                        fmt::format("/{} is {} of the root file system, which is in the way",
                                    core::escaped(member.entry.path),
                                    there == EntryType::kDirectory ? "a directory" : "a file or link"));
    }
    visit_added(member, visit);
  }
}

void write_root_tar(const RootTree& tree, const std::filesystem::path& target,
                    const core::CancelToken& cancel) {
  core::NewFile out(target);
  artifacts::TarWriter tar(out.fd(), target.native());
  std::vector<std::byte> buffer(1 << 20);
  walk_root(tree, [&](const TarEntry& entry, const ReadContent& read, const AddedMember*) {
    cancel.check();
    tar.begin(entry);
    if (entry.type != EntryType::kFile) return;
    while (const std::size_t n = read(buffer)) {
      cancel.check();
      tar.write(std::span<const std::byte>(buffer).first(n));
    }
  });
  tar.finish();
  out.commit();
}

}  // namespace imgforge::image
