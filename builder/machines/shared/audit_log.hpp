// The file shared.log in the folder of a machine: who asked it what by which number, and what came of it.
// Lines of JSON, each durable before anything else happens; the file only grows, and goes with the machine.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "core/cancel.hpp"
#include "core/clock.hpp"
#include "core/fd.hpp"

namespace imgforge::machines {

inline constexpr const char* kAuditLog = "shared.log";

class AuditLog {
 public:
  static constexpr unsigned kMostInAMinute = 60;

  /// `folder` of the machine. All must outlive it.
  AuditLog(const std::filesystem::path& folder, const core::Clock& clock, const core::CancelToken& cancel);

  /// Notes a command under the next number, then calls `deliver` with it; other commands wait meanwhile, so
  /// that numbers rise in the order of delivery. Throws kUsage for too many in the last minute, kLocked when
  /// another one does not come to an end.
  std::uint32_t ask(const std::string& order, std::string_view way,
                    const std::function<void(std::uint32_t)>& deliver);
  /// Notes what came of it: "done", "refused", "failed", "no answer" or "not sent", and the machine's words.
  void note(std::uint32_t number, std::string_view outcome, std::string_view text);

 private:
  void add(const std::string& line);

  core::Fd fd_;
  const core::Clock& clock_;
  const core::CancelToken& cancel_;
};

}  // namespace imgforge::machines
