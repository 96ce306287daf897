// Files inside a container (archive, file system, medium), told apart by path: which are on one side only,
// whose attributes differ, and whose content does.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "builder/compare/report/report.hpp"
#include "builder/compare/report/window.hpp"
#include "core/cancel.hpp"
#include "core/digest.hpp"
#include "core/process.hpp"

namespace imgforge::compare {

/// What comparing may use.
struct CompareTools {
  core::ProcessRunner& processes;
  core::CancelToken cancel;
  std::filesystem::path work;  ///< a private folder for what is unpacked
};

/// What stands in a container about one of its files.
struct Member {
  std::vector<std::pair<const char*, std::string>> fields =
      {};  ///< "mode", "0644"; in one order on both sides
  std::uint64_t size = 0;
  core::Digest sha256 = {};  ///< of the content; empty for all but regular files
};

/// Takes content piece by piece.
using Sink = std::function<void(std::string_view)>;

class MemberSource {
 public:
  /// More are kUnsafe: all are held in memory.
  static constexpr std::size_t kMostMembers = 200'000;
  /// Bytes of all files together, hard links and shared blocks counted each time; more is kUnsafe.
  static constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 30;

  virtual ~MemberSource() = default;
  const std::map<std::string, Member>& members() const { return members_; }
  /// Paths as they are stored; empty where the container has no order.
  const std::vector<std::string>& order() const { return order_; }
  /// Writes the content of these files, in one pass where the container must be read in order.
  virtual void extract(const std::map<std::string, std::filesystem::path>& wanted) = 0;

 protected:
  /// Throws kUnsafe beyond kMostMembers, kArchive for a path that is there already.
  void add(const std::string& path, Member member);
  /// Before so many bytes of content are read. Throws kUnsafe beyond kMostBytes.
  void count_bytes(std::uint64_t size);
  std::map<std::string, Member> members_;
  std::vector<std::string> order_;

 private:
  std::uint64_t bytes_ = 0;
};

/// Compares contents: what becomes a part of the node.
using CompareContent = std::function<Node(const std::string& name, const std::filesystem::path& before,
                                          const std::filesystem::path& after)>;

/// Notes what differs. Contents go to `tools.work` and from there to `compare`.
void compare_members(Node& node, MemberSource& before, MemberSource& after, const CompareTools& tools,
                     const CompareContent& compare);

/// Tar archives, not compressed. Throws what artifacts::TarReader throws.
std::unique_ptr<MemberSource> tar_members(const Window& window, const CompareTools& tools);
/// cpio archives of the kind newc, several of them one after the other as the kernel takes them for an
/// initramfs (Linux, Documentation/driver-api/early-userspace/buffer-format.rst). Throws kArchive.
std::unique_ptr<MemberSource> cpio_members(const Window& window, const CompareTools& tools);
/// squashfs, through unsquashfs. Throws kImage.
std::unique_ptr<MemberSource> squashfs_members(const Window& window, const CompareTools& tools);
/// ISO 9660 with Rock Ridge (ECMA-119; IEEE P1282, RRIP). Throws kImage.
std::unique_ptr<MemberSource> iso_members(const Window& window, const CompareTools& tools);
/// FAT12, FAT16 and FAT32 with long names (Microsoft, fatgen103). Throws kImage.
std::unique_ptr<MemberSource> fat_members(const Window& window, const CompareTools& tools);
/// ext4, through libext2fs. Throws kImage.
std::unique_ptr<MemberSource> ext4_members(const Window& window, const CompareTools& tools);

}  // namespace imgforge::compare
