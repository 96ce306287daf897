#include "builder/machines/supervisor/duties/move_guard.hpp"

#include <optional>

#include "builder/machines/control/qmp_request.hpp"
#include "builder/machines/registry/move_mark.hpp"
#include "core/error.hpp"
#include "core/json.hpp"

namespace imgforge::machines {
namespace {

using core::Json;

constexpr std::chrono::seconds kPatience{20};

void ask(Dialogue& monitor, const char* command, const Json& arguments = Json::object()) {
  monitor.ask(qmp_request(command, arguments), kPatience, [](const Answer&) {});
}

/// What is not under way is refused by QEMU, which does not matter. One that was only about to hand over
/// resumes by itself when that is cancelled.
void go_on(Dialogue& monitor) {
  ask(monitor, "migrate_cancel");
  ask(monitor, "block-job-cancel", {{"device", kMirrorJob}, {"force", true}});
  ask(monitor, "blockdev-del", {{"node-name", kMirrorNode}});
  ask(monitor, "cont");
}

}  // namespace

void settle_abandoned_move(const std::filesystem::path& folder, Dialogue& monitor,
                           const std::function<void()>& stop) {
  std::optional<MoveMark> mark;
  try {
    mark = read_mark(folder);
  } catch (const core::Error&) {
    return stop();
  }
  if (!mark) return go_on(monitor);
  if (mark->state == "gone") return stop();
  if (mark->state == "leaving") {
    go_on(monitor);
    try {
      remove_mark(folder);
    } catch (const core::Error&) {
      // The next start removes it.
    }
    return;
  }
  monitor.ask({{"execute", "query-status"}}, kPatience, [stop](const Answer& answer) {
    if (answer.line.find("\"paused\"") == std::string::npos) stop();
  });
}

}  // namespace imgforge::machines
