#include "builder/vm/console/complaints.hpp"

#include <algorithm>
#include <array>

namespace imgforge::vm {
namespace {

using namespace std::string_view_literals;

/// All parts of a row must be in the line, in that order.
struct Pattern {
  std::string_view first;
  std::string_view then;
};

constexpr std::array kPatterns{
    Pattern{"ERROR: "sv, " failed to start"sv},  // OpenRC: " * ERROR: networking failed to start"
    Pattern{"ERROR: cannot start "sv, " would not start"sv},  // OpenRC, of what depends on it
    Pattern{"start-stop-daemon: failed to start"sv, ""sv},    // OpenRC's helper
    Pattern{"respawned too many times"sv, ""sv},              // OpenRC's supervise-daemon
    Pattern{"can't run '"sv, "'"sv},                          // busybox init
    Pattern{"]: segfault at "sv, " error "sv},                // the kernel
    Pattern{"traps: "sv, " general protection"sv},            // the kernel
    Pattern{"Out of memory: Killed process "sv, ""sv}};       // the kernel

}  // namespace

bool is_complaint(std::string_view line) {
  return std::any_of(kPatterns.begin(), kPatterns.end(), [&](const Pattern& pattern) {
    const std::size_t at = line.find(pattern.first);
    return at != std::string_view::npos &&
           line.find(pattern.then, at + pattern.first.size()) != std::string_view::npos;
  });
}

}  // namespace imgforge::vm
