// Which files below some folders are opened, as the kernel tells it (inotify): what was not opened was not
// hashed.
#pragma once

#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "core/fd.hpp"

namespace imgforge::testing {

class OpenWatch {
 public:
  /// All that is below `folder` now.
  explicit OpenWatch(const std::filesystem::path& folder) { add(folder); }
  void add(const std::filesystem::path& folder) {
    watch(folder);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (entry.is_directory() && !entry.is_symlink()) watch(entry.path());
    }
  }
  /// Files that were opened since this was asked last.
  std::set<std::filesystem::path> opened() {
    std::set<std::filesystem::path> files;
    alignas(inotify_event) std::array<char, 1 << 16> buffer{};
    for (ssize_t n = 0; (n = ::read(fd_.get(), buffer.data(), buffer.size())) > 0;) {
      for (const char* at = buffer.data(); at < buffer.data() + n;) {
        inotify_event event{};
        std::memcpy(&event, at, sizeof event);
        EXPECT_EQ(event.mask & IN_Q_OVERFLOW, 0U);
        if ((event.mask & IN_ISDIR) == 0 && event.len > 0)
          files.insert(folders_.at(event.wd) / (at + sizeof event));
        at += sizeof event + event.len;
      }
    }
    return files;
  }

 private:
  void watch(const std::filesystem::path& folder) {
    const int id = ::inotify_add_watch(fd_.get(), folder.c_str(), IN_OPEN);
    ASSERT_GE(id, 0) << std::strerror(errno);
    folders_[id] = folder;
  }
  core::Fd fd_{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
  std::map<int, std::filesystem::path> folders_;
};

}  // namespace imgforge::testing
