// A machine that stands still: because somebody stopped it, or because the host's disk is full. In the latter
// case it goes on as soon as there is room.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "builder/machines/supervisor/talk/dialogue.hpp"
#include "core/json.hpp"

namespace imgforge::machines {

class Pauses {
 public:
  using Clock = std::chrono::steady_clock;
  /// `folder` is on the file system that has to have room.
  explicit Pauses(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Why it stands still; empty: it runs.
  const std::string& why() const { return why_; }
  /// Takes an event of QEMU's monitor (BLOCK_IO_ERROR, STOP, RESUME); returns what others are told.
  std::optional<core::Json> take(const std::string& event, const core::Json& data);
  /// Another QEMU began.
  void restart();
  /// Lets it go on when there is room.
  void work(Dialogue& monitor, Clock::time_point now);
  /// When `work` has to be called next.
  std::optional<Clock::time_point> deadline() const { return look_at_; }

 private:
  std::filesystem::path folder_;
  std::string why_;
  std::optional<Clock::time_point> look_at_;
};

}  // namespace imgforge::machines
