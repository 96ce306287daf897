#include "builder/compare/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "artifacts/codec/packed_file.hpp"
#include "artifacts/codec/recognise.hpp"
#include "builder/compare/ext4.hpp"
#include "builder/compare/iso.hpp"
#include "builder/compare/layouts.hpp"
#include "builder/compare/report/lines.hpp"
#include "builder/compare/report/sections.hpp"
#include "builder/image/disk/disk_convert.hpp"
#include "core/error.hpp"
#include "core/new_file.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::compare {
namespace {

using artifacts::Content;
using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr int kDeepest = 12;
constexpr std::size_t kHead = 33 * 1024;
constexpr std::uint64_t kLargestUnpacked = std::uint64_t{64} << 30;
constexpr std::size_t kTarBlock = 512;
constexpr std::size_t kTextSample = 64 * 1024;

std::string kind_of(const Window& window) {
  const std::string head = WindowReader(window).read(0, kHead);
  for (const auto among : {artifacts::Among::kFileSystems, artifacts::Among::kFiles}) {
    const Content content = artifacts::recognise(head, among);
    if (content != Content::kUnknown) return std::string(artifacts::content_name(content));
  }
  if (head.starts_with("070701") || head.starts_with("070702")) return "cpio";
  if (head.starts_with("\x7f"
                       "ELF"))
    return "ELF";
  if (head.starts_with("MZ")) return "PE";
  const std::string_view sample = std::string_view(head).substr(0, kTextSample);
  // A sample may end within a character, but not within its last whole line.
  const bool text = sample.size() == window.size ? is_text(sample)
                                                 : sample.find('\n') != std::string_view::npos &&
                                                       is_text(sample.substr(0, sample.rfind('\n')));
  return text && window.size <= kLargestText ? "text" : "";
}

bool is_compression(std::string_view kind) {
  return kind == "gzip" || kind == "zstd" || kind == "xz" || kind == "bzip2";
}

/// The bytes of a window as a file of their own, for readers that take no part of a file.
fs::path as_file(const Window& window, const fs::path& target, const core::CancelToken& cancel) {
  if (window.offset == 0 && window.size == fs::file_size(window.file)) return window.file;
  constexpr std::size_t kBlock = 1 << 20;
  const WindowReader reader(window);
  core::NewFile out(target, 0600);
  for (std::uint64_t at = 0; at < window.size; at += kBlock) {
    cancel.check();
    out.write_sparse(core::as_bytes(reader.read(at, kBlock)));
  }
  out.commit();
  return target;
}

class Comparison {
 public:
  explicit Comparison(const CompareTools& tools) : tools_(tools) {}

  Node run(const std::string& name, const Window& before, const Window& after, int depth) const {
    Node node{.name = name, .kind = ""};
    if (equal_bytes(before, after, tools_.cancel)) return node;
    const std::string kind = kind_of(before);
    if (const std::string other = kind_of(after); kind != other) {
      node.add("kind", kind.empty() ? "unknown" : kind, other.empty() ? "unknown" : other);
    } else {
      node.kind = kind;
      try {
        if (depth < kDeepest) explain(node, before, after, depth);
      } catch (const Error& error) {
        if (error.kind() != Kind::kImage && error.kind() != Kind::kArchive && error.kind() != Kind::kUnsafe)
          throw;
        node.note = error.message();
      }
    }
    const bool is_explained = node.note.empty() && (!node.kind.empty() || !node.parts.empty()) &&
                              (!node.parts.empty() || !node.differences.empty());
    if (!is_explained) add_ranges(node, before, after, tools_.cancel);
    return node;
  }

 private:
  void explain(Node& node, const Window& before, const Window& after, int depth) const {
    const std::string& kind = node.kind;
    const CompareWindow part = [&](const std::string& name, const Window& a, const Window& b) {
      return run(name, a, b, depth + 1);
    };
    const CompareContent file = [&](const std::string& name, const fs::path& a, const fs::path& b) {
      return run(name, whole(a), whole(b), depth + 1);
    };
    const auto fields = [&](const char* name, std::span<const Field> table, std::size_t size) {
      Node header{.name = name, .kind = ""};
      compare_fields(header, table, WindowReader(before).read(0, size), WindowReader(after).read(0, size));
      node.add(std::move(header));
    };
    if (kind == "qcow2") fields("qcow2 header", qcow2_header_fields(), 112);
    if (kind == "gzip") fields("gzip header", gzip_header_fields(), 10);
    if (kind == "squashfs") fields("superblock", squashfs_superblock_fields(), 96);
    if (kind == "verity") fields("superblock", verity_superblock_fields(), 512);
    if (kind == "vfat") {
      const bool is_fat32 = little(WindowReader(before).read(0, 512), 22, 2) == 0;
      fields("boot sector", is_fat32 ? fat32_boot_fields() : fat_boot_fields(), 512);
    }
    if (image::is_disk_format(kind) && kind != "raw") {
      const auto unpack = [&](const fs::path& packed, const fs::path& target) {
        image::unpack_disk(packed, kind, target, tools_.processes, tools_.cancel);
      };
      return compare_inside(node, "disk", before, after, unpack, depth);
    }
    if (is_compression(kind)) {
      const auto unpack = [&](const fs::path& packed, const fs::path& target) {
        artifacts::unpack_file(packed, target, kLargestUnpacked, tools_.cancel);
      };
      return compare_inside(node, "unpacked", before, after, unpack, depth);
    }
    if (kind == "raw") return compare_disk(node, before, after, DiskPart::kWhole, tools_, part);
    if (kind == "iso") return compare_iso(node, before, after, tools_, file, part);
    if (kind == "ext4") return compare_ext4(node, before, after, tools_, file);
    if (kind == "squashfs") return members(node, before, after, squashfs_members, file);
    if (kind == "vfat") return members(node, before, after, fat_members, file);
    if (kind == "cpio") return members(node, before, after, cpio_members, file);
    if (kind == "tar") return compare_tars(node, before, after, file);
    if (kind == "text") {
      const auto size = static_cast<std::size_t>(kLargestText);
      compare_lines(node, WindowReader(before).read(0, size), WindowReader(after).read(0, size));
    }
    if (kind == "ELF") compare_sections(node, elf_sections(before), elf_sections(after), part);
    if (kind == "PE" || kind == "kernel")
      compare_sections(node, pe_sections(before), pe_sections(after), part);
  }

  using Open = std::unique_ptr<MemberSource> (*)(const Window&, const CompareTools&);
  void members(Node& node, const Window& before, const Window& after, Open open,
               const CompareContent& file) const {
    const auto old_members = open(before, tools_);
    const auto new_members = open(after, tools_);
    compare_members(node, *old_members, *new_members, tools_, file);
  }

  void compare_tars(Node& node, const Window& before, const Window& after, const CompareContent& file) const {
    const core::TempDir folder(tools_.work, "tar");
    members(node, whole(as_file(before, folder / "before", tools_.cancel)),
            whole(as_file(after, folder / "after", tools_.cancel)), tar_members, file);
    if (node.empty()) compare_tar_headers(node, before, after);
  }

  /// Fields that are not told of members, such as the names of users.
  void compare_tar_headers(Node& node, const Window& before, const Window& after) const {
    const WindowReader a(before);
    const WindowReader b(after);
    for (const Range& range : differing_ranges(before, after, Node::kMostParts, tools_.cancel).first) {
      const std::uint64_t at = range.start / kTarBlock * kTarBlock;
      const std::string old_block = a.read(at, kTarBlock);
      const std::string new_block = b.read(at, kTarBlock);
      if (!artifacts::begins_as(old_block, Content::kTar) || !artifacts::begins_as(new_block, Content::kTar))
        return;
      Node header{
          .name = fmt::format("header at byte {}, of {}", at, show(Show::kText, old_block.substr(0, 100))),
          .kind = ""};
      compare_fields(header, tar_header_fields(), old_block, new_block);
      node.add(std::move(header));
    }
  }

  /// What is packed is equal, the packing is not.
  void add_stored(Node& node, const Window& before, const Window& after) const {
    Node stored{.name = "the same content, stored in other bytes", .kind = ""};
    add_ranges(stored, before, after, tools_.cancel);
    node.add(std::move(stored));
  }

  void compare_sections(Node& node, const std::vector<Section>& before, const std::vector<Section>& after,
                        const CompareWindow& part) const {
    for (std::size_t i = 0; i < std::min(before.size(), after.size()); ++i) {
      if (before[i].name != after[i].name) return;
      node.add(part("section " + before[i].name, before[i].window, after[i].window));
    }
  }

  using Unpack = std::function<void(const fs::path& packed, const fs::path& target)>;
  /// What both sides hold, unpacked.
  void compare_inside(Node& node, const char* name, const Window& before, const Window& after,
                      const Unpack& unpack, int depth) const {
    const core::TempDir folder(tools_.work, name);
    const auto unpacked = [&](const Window& window, const std::string& side) {
      unpack(as_file(window, folder / (side + ".packed"), tools_.cancel), folder / side);
      return whole(folder / side);
    };
    Node content = run(name, unpacked(before, "before"), unpacked(after, "after"), depth + 1);
    if (content.empty()) return add_stored(node, before, after);
    node.add(std::move(content));
  }

  const CompareTools& tools_;
};

}  // namespace

Node compare_files(const std::string& name, const fs::path& before, const fs::path& after,
                   const CompareTools& tools) {
  return Comparison(tools).run(name, whole(fs::canonical(before)), whole(fs::canonical(after)), 0);
}

}  // namespace imgforge::compare
