#include "builder/machines/supervisor/duties/pauses.hpp"

namespace imgforge::machines {
namespace {

using core::Json;

constexpr std::chrono::seconds kPatience{20};
constexpr std::chrono::milliseconds kBetweenLooks{2000};

/// Whether it is worth trying again to write there: each try that fails is told as another pause.
bool has_room(const std::filesystem::path& folder) {
  constexpr std::uintmax_t kRoom = 4U << 20;
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(folder, error);
  return error || space.available >= kRoom;
}

}  // namespace

std::optional<Json> Pauses::take(const std::string& event, const Json& data) {
  if (event == "BLOCK_IO_ERROR") {
    const bool full = data.value("nospace", false);
    why_ = full ? "the disk of the host is full" : "the disk cannot be used";
    if (full) look_at_ = Clock::now() + kBetweenLooks;
    return Json{{"event", "paused"}, {"why", why_}};
  }
  if (event == "RESUME") {
    why_.clear();
    return Json{{"event", "resumed"}};
  }
  if (event == "STOP" && why_.empty()) why_ = "stopped";
  return std::nullopt;
}

void Pauses::restart() {
  why_.clear();
  look_at_.reset();
}

void Pauses::work(Dialogue& monitor, Clock::time_point now) {
  if (!look_at_ || now < *look_at_) return;
  if (!has_room(folder_)) {
    look_at_ = now + kBetweenLooks;
    return;
  }
  look_at_.reset();
  monitor.ask({{"execute", "cont"}}, kPatience, [](const Answer&) {});
}

}  // namespace imgforge::machines
