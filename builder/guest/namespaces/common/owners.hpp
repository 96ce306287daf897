// Owners that the files of a sandbox with one id are to have. The file system knows but one; the others are
// remembered here and written into archives.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace imgforge::guest {

struct Owner {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool operator==(const Owner&) const = default;
};

class Owners {
 public:
  static constexpr std::uint32_t kUnchanged = ~0U;  ///< of chown

  /// As chown would set them; `file`: a descriptor of any kind. False when there are too many records.
  bool record(int file, std::uint32_t uid, std::uint32_t gid);
  /// Of a file as fstatat finds it, through no link; `path` empty: of `folder` itself. Nothing: the file
  /// system knows better.
  std::optional<Owner> find(int folder, const char* path) const;
  bool empty() const { return records_.empty(); }
  /// A folder has, or had, a group that it may hand on.
  bool has_groups() const { return has_groups_; }

 private:
  struct Record {
    std::string identity;
    Owner owner;
  };
  /// By inode, of which there are as many as files; what the identity of another says is forgotten.
  std::map<std::pair<dev_t, ino_t>, Record> records_;
  bool has_groups_ = false;
};

}  // namespace imgforge::guest
