// What a machine's serial console said, and what happened to it: a file of bounded size each, and the last of
// it in memory for whoever attaches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/fd.hpp"

namespace imgforge::machines {

inline constexpr const char* kConsoleLog = "console.log";
/// A JSON object a line: the events of control.hpp, with "time".
inline constexpr const char* kEventLog = "events.jsonl";
inline constexpr std::uint64_t kLargestEventLog = 1 << 20;
inline constexpr std::size_t kConsoleKept = 64 << 10;
/// A fuller file is called `.1` more, and a new one begins.
inline constexpr std::uint64_t kLargestConsoleLog = 16 << 20;

class ConsoleLog {
 public:
  explicit ConsoleLog(std::filesystem::path file, std::uint64_t largest = kLargestConsoleLog);
  /// A file that cannot be written is given up, with all that follows: the machine goes on.
  void take(std::string_view raw) noexcept;
  const std::string& recent() const { return recent_; }

 private:
  void open();

  std::filesystem::path path_;
  std::uint64_t largest_;
  core::Fd file_;
  std::uint64_t size_ = 0;
  std::string recent_;
};

}  // namespace imgforge::machines
