#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <unordered_map>
#include <vector>

#include "artifacts/tar/tar.hpp"
#include "artifacts/tar/tar_format.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/file_bytes.hpp"
#include "core/random.hpp"

namespace imgforge::artifacts {
namespace {

/// A member with the place of its content in the spool.
struct Member {
  TarEntry entry;
  std::uint64_t offset = 0;
  bool kept = true;
};

/// Parents before what is below them: '/' sorts before every other byte.
bool path_less(std::string_view a, std::string_view b) {
  if (a == "." || b == ".") return a == "." && b != ".";
  const auto rank = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c) + 1; };
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [&](char x, char y) { return rank(x) < rank(y); });
}

core::Fd open_spool(const std::filesystem::path& folder) {
  // Nameless, so that it cannot outlive the process; some file systems have no O_TMPFILE.
  core::Fd fd(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (fd) return fd;
  if (errno != EOPNOTSUPP && errno != EISDIR)
    throw core::system_error(errno, "cannot spool in", folder.native());
  const std::filesystem::path path = folder / (".spool." + core::random_hex(6));
  fd = core::open_file(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
  ::unlink(path.c_str());
  return fd;
}

class Normaliser {
 public:
  Normaliser(const std::filesystem::path& spool_folder, const NormaliseOptions& options)
      : options_(options), spool_name_((spool_folder / "spool").native()), spool_(open_spool(spool_folder)) {}

  void read_all(TarReader& source) {
    TarEntry entry;
    while (source.next(entry)) {
      Member member{entry, spooled_, true};
      if (entry.type == EntryType::kFile) spool(source);
      store(std::move(member));
    }
    spool_buffer_flush();
  }

  /// Folders that nobody named but something lies in.
  void add_missing_folders() {
    std::vector<std::string> missing;
    if (!by_path_.contains(".")) missing.push_back(".");
    const std::size_t count = members_.size();
    for (std::size_t i = 0; i < missing.size() + count; ++i) {
      std::string parent = parent_of(i < count ? members_[i].entry.path : missing[i - count]);
      if (by_path_.contains(parent) || parent == ".") continue;
      by_path_.emplace(parent, 0);
      missing.push_back(std::move(parent));
    }
    for (std::string& path : missing) {
      Member folder;
      folder.entry.path = std::move(path);
      folder.entry.type = EntryType::kDirectory;
      folder.entry.mode = 0755;
      folder.entry.mtime = options_.latest_mtime;
      members_.push_back(std::move(folder));
    }
  }

  void sort() {
    std::sort(members_.begin(), members_.end(),
              [](const Member& a, const Member& b) { return path_less(a.entry.path, b.entry.path); });
    by_path_.clear();
    for (std::size_t i = 0; i < members_.size(); ++i) by_path_.emplace(members_[i].entry.path, i);
  }

  void drop_unwanted() {
    if (!options_.drop) return;
    for (Member& member : members_) {
      const bool below_dropped = member.entry.path != "." && !parent(member).kept;
      member.kept = !below_dropped && !options_.drop(member.entry);
    }
  }

  /// The first kept name of each file carries the content, the others point at it.
  void order_hard_links() {
    std::unordered_map<std::string, std::vector<Member*>> groups;
    for (Member& member : members_) {
      if (member.entry.type == EntryType::kHardlink) groups[file_behind(member)].push_back(&member);
    }
    for (auto& [path, names] : groups) {
      Member& file = members_[by_path_.at(path)];
      const Member original = file;
      names.push_back(&file);
      std::erase_if(names, [](const Member* member) { return !member->kept; });
      std::sort(names.begin(), names.end(),
                [](const Member* a, const Member* b) { return path_less(a->entry.path, b->entry.path); });
      for (Member* name : names) {
        TarEntry entry = original.entry;
        entry.path = name->entry.path;
        if (name != names.front()) {
          entry.type = EntryType::kHardlink;
          entry.size = 0;
          entry.link_target = names.front()->entry.path;
          entry.xattrs.clear();
        }
        name->entry = std::move(entry);
        name->offset = original.offset;
      }
    }
  }

  NormaliseResult write_all(int target) {
    NormaliseResult result;
    TarWriter writer(target, "normalised root file system");
    for (const Member& member : members_) {
      if (!member.kept) continue;
      TarEntry entry = member.entry;
      entry.mtime = std::min(entry.mtime, options_.latest_mtime);
      writer.begin(entry);
      copy_content(member, writer);
      ++result.entries;
      result.content_bytes += entry.size;
    }
    writer.finish();
    return result;
  }

 private:
  void store(Member member) {
    const auto [place, added] = by_path_.emplace(member.entry.path, members_.size());
    if (added) {
      members_.push_back(std::move(member));
    } else {
      members_[place->second] = std::move(member);  // a folder named again: the reader allows nothing else
    }
  }

  void spool(TarReader& source) {
    while (true) {
      if (fill_ == buffer_.size()) spool_buffer_flush();
      const std::size_t n = source.read(std::span(buffer_).subspan(fill_));
      if (n == 0) return;
      fill_ += n;
      spooled_ += n;
    }
  }

  void spool_buffer_flush() {
    core::write_all(spool_.get(), std::span<const std::byte>(buffer_).first(fill_), spool_name_);
    fill_ = 0;
  }

  void copy_content(const Member& member, TarWriter& writer) {
    const std::uint64_t n = core::read_range(spool_.get(), spool_name_, member.offset, member.entry.size,
                                             [&](std::span<const std::byte> data) { writer.write(data); });
    if (n != member.entry.size) throw core::system_error(EIO, "cannot read", spool_name_);
  }

  const Member& parent(const Member& member) const {
    return members_[by_path_.at(parent_of(member.entry.path))];
  }

  /// Path of the file that a chain of hard links ends at.
  std::string file_behind(const Member& link) const {
    const Member* member = &link;
    while (member->entry.type == EntryType::kHardlink) {
      member = &members_[by_path_.at(member->entry.link_target)];
    }
    return member->entry.path;
  }

  const NormaliseOptions& options_;
  std::string spool_name_;
  core::Fd spool_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(1 << 20);
  std::size_t fill_ = 0;
  std::uint64_t spooled_ = 0;
  std::vector<Member> members_;
  std::unordered_map<std::string, std::size_t> by_path_;
};

}  // namespace

NormaliseResult normalise_rootfs(TarReader& source, int target, const std::filesystem::path& spool_folder,
                                 const NormaliseOptions& options) {
  Normaliser normaliser(spool_folder, options);
  normaliser.read_all(source);
  normaliser.add_missing_folders();
  normaliser.sort();
  normaliser.drop_unwanted();
  normaliser.order_hard_links();
  return normaliser.write_all(target);
}

}  // namespace imgforge::artifacts
