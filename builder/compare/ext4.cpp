#include "builder/compare/ext4.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "builder/compare/layouts.hpp"
#include "builder/image/fs/ext4_files.hpp"
#include "core/error.hpp"
#include "core/new_file.hpp"

namespace imgforge::compare {
namespace {

constexpr std::uint64_t kSuperblock = 1024;
constexpr std::size_t kSuperblockSize = 1024;
constexpr std::uint32_t kMostGroups = 65536;
/// Blocks that are looked at when no file explains them.
constexpr std::size_t kMostBlocks = 4096;

class Ext4Members : public MemberSource {
 public:
  Ext4Members(const Window& window, const CompareTools& tools)
      : cancel_(tools.cancel), files_(window.file, window.offset) {
    files_.visit([&](const image::Ext4File& file) {
      cancel_.check();
      Member member;
      member.fields = {{"inode", std::to_string(file.inode)}, {"link", file.link_target}};
      for (const Field& field : ext4_inode_fields()) {
        // Which blocks a file has, and the checksum over all of the inode, follow from other differences.
        const std::string_view name = field.name;
        if (name == "i_block" || name == "i_size_lo" || name == "l_i_checksum_lo" ||
            name == "i_checksum_hi" || field.offset >= file.bytes.size())
          continue;
        member.fields.emplace_back(
            field.name, show(field.show, std::string_view(file.bytes).substr(field.offset, field.size)));
      }
      if (file.is_regular) {
        count_bytes(file.size);
        core::Hasher hasher(core::HashAlgorithm::kSha256);
        files_.read(file.inode, [&](std::string_view bytes) {
          cancel_.check();
          hasher.update(bytes);
        });
        member.size = file.size;
        member.sha256 = hasher.finish();
      }
      numbers_[file.path] = file.inode;
      paths_.emplace(file.inode, file.path);
      add(file.path, std::move(member));
    });
  }

  void extract(const std::map<std::string, std::filesystem::path>& wanted) override {
    for (const auto& [path, target] : wanted) {
      core::NewFile out(target, 0600);
      files_.read(numbers_.at(path), [&](std::string_view bytes) { out.write(bytes); });
      out.commit();
    }
  }

  const image::Ext4Files& files() const { return files_; }
  /// "inode 12 (/etc/passwd)"
  std::string inode_name(std::uint32_t inode) const {
    const auto path = paths_.find(inode);
    if (path != paths_.end()) return fmt::format("inode {} (/{})", inode, path->second);
    return fmt::format("inode {}{}", inode, inode == files_.journal_inode() ? " (journal)" : "");
  }

 private:
  core::CancelToken cancel_;
  image::Ext4Files files_;
  std::map<std::string, std::uint32_t> numbers_;
  std::map<std::uint32_t, std::string> paths_;
};

void compare_descriptors(Node& node, const image::Ext4Files& files, const WindowReader& before,
                         const WindowReader& after) {
  const std::uint32_t size = files.descriptor_size();
  for (std::uint32_t group = 0; group < std::min(files.groups(), kMostGroups); ++group) {
    const std::uint64_t at = files.descriptors_start() + std::uint64_t{group} * size;
    Node part{.name = fmt::format("group descriptor {}", group), .kind = ""};
    compare_fields(part, ext4_group_fields(), before.read(at, size), after.read(at, size));
    node.add(std::move(part));
  }
}

/// Which blocks of both differ, at most kMostBlocks of them.
std::set<std::uint64_t> differing_blocks(const Window& before, const Window& after, std::uint32_t size,
                                         const core::CancelToken& cancel) {
  std::set<std::uint64_t> blocks;
  for (const Range& range : differing_ranges(before, after, kMostBlocks, cancel).first) {
    for (std::uint64_t block = range.start / size;
         block <= (range.end - 1) / size && blocks.size() < kMostBlocks; ++block)
      blocks.insert(block);
  }
  return blocks;
}

/// What files and headers do not tell: inodes, bitmaps, the journal, directories, unused blocks.
void compare_blocks(Node& node, const Ext4Members& old_members, const WindowReader& before,
                    const WindowReader& after, const CompareTools& tools) {
  const image::Ext4Files& files = old_members.files();
  const std::uint32_t size = files.block_size();
  const std::set<std::uint64_t> blocks =
      differing_blocks(before.window(), after.window(), size, tools.cancel);
  const auto owners = files.owners_of(blocks);
  for (const std::uint64_t block : blocks) {
    tools.cancel.check();
    const std::string old_bytes = before.read(block * size, size);
    const std::string new_bytes = after.read(block * size, size);
    const auto [first, end] = files.inodes_in(block);
    const std::size_t inode_size = first == end ? 0 : size / (end - first);
    for (std::uint32_t inode = first; inode < end; ++inode) {
      const std::size_t at = (inode - first) * inode_size;
      Node part{.name = old_members.inode_name(inode), .kind = ""};
      compare_fields(part, ext4_inode_fields(), std::string_view(old_bytes).substr(at, inode_size),
                     std::string_view(new_bytes).substr(at, inode_size));
      node.add(std::move(part));
    }
    if (first != end || block == kSuperblock / size) continue;
    std::string name = files.role_of(block);
    const auto owner = owners.find(block);
    if (name.empty()) name = owner == owners.end() ? "unused" : "of " + old_members.inode_name(owner->second);
    Node part{.name = fmt::format("block {}: {}", block, name), .kind = ""};
    compare_fields(part, {}, old_bytes, new_bytes);
    node.add(std::move(part));
  }
}

}  // namespace

std::unique_ptr<MemberSource> ext4_members(const Window& window, const CompareTools& tools) {
  return std::make_unique<Ext4Members>(window, tools);
}

void compare_ext4(Node& node, const Window& before, const Window& after, const CompareTools& tools,
                  const CompareContent& compare) {
  const WindowReader a(before);
  const WindowReader b(after);
  Node superblock{.name = "superblock", .kind = ""};
  compare_fields(superblock, ext4_superblock_fields(), a.read(kSuperblock, kSuperblockSize),
                 b.read(kSuperblock, kSuperblockSize));
  node.add(std::move(superblock));
  Ext4Members old_members(before, tools);
  Ext4Members new_members(after, tools);
  Node files{.name = "files", .kind = ""};
  compare_members(files, old_members, new_members, tools, compare);
  const bool explained = !files.empty();
  for (Difference& row : files.differences) node.add(row.field, row.before, row.after);
  for (Node& part : files.parts) node.add(std::move(part));
  node.omitted += files.omitted;
  const image::Ext4Files& layout = old_members.files();
  if (layout.groups() != new_members.files().groups() ||
      layout.block_size() != new_members.files().block_size())
    return;
  Node groups{.name = "group descriptors", .kind = ""};
  compare_descriptors(groups, layout, a, b);
  node.add(std::move(groups));
  // Blocks of files follow from the files; what is left is told only where nothing else explains it.
  if (!explained) compare_blocks(node, old_members, a, b, tools);
}

}  // namespace imgforge::compare
