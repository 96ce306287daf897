// The files of an image against the list of what it should hold.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "builder/content/file_list.hpp"
#include "core/error.hpp"

namespace imgforge::content {

using TakeContent = std::function<void(std::string_view)>;

/// A file as an image has it; its row has no digest of the content.
struct FoundFile {
  std::string path;
  FileRow row;
  std::function<void(const TakeContent&)> read;  ///< of a regular file; nothing when it need not be read
};

/// What is not as the list says; sorted by path.
struct Finding {
  std::string path;
  std::string detail;  ///< "changed: mode 0644, is 4755"
  core::Reason reason = core::Reason::kNone;
  bool operator<(const Finding& other) const { return path < other.path; }
};

struct Findings {
  static constexpr std::size_t kMost = 24;
  std::set<Finding> first;  ///< at most kMost of them
  std::uint64_t count = 0;  ///< of all
  std::uint64_t files = 0;  ///< that were compared
  std::uint64_t bytes = 0;  ///< of content that were read
};

class Comparison {
 public:
  explicit Comparison(FileList list) : list_(std::move(list)) {}

  /// Reads the content when all else is as listed; so no more is read than the list has, whatever an image
  /// claims. Throws kImage for a path that came before.
  void take(const FoundFile& file);
  /// A hard link of a tar: `path` is the file `target`, which came before.
  void take_link(const std::string& path, const std::string& target);
  /// A directory that the file system itself brings along: no finding where the list does not have it.
  void allow_own(std::string path) { own_.insert(std::move(path)); }
  /// What is missing becomes findings too. Call once, at the end.
  Findings finish();

 private:
  void add(const std::string& path, std::string detail, core::Reason reason);

  FileList list_;
  std::set<std::string, std::less<>> own_;
  std::set<std::string, std::less<>> seen_;
  std::set<std::string, std::less<>> changed_;
  Findings findings_;
};

}  // namespace imgforge::content
