#include "builder/machines/registry/state.hpp"

#include "builder/machines/registry/machine_lock.hpp"
#include "builder/machines/registry/move_mark.hpp"

namespace imgforge::machines {

std::string state_of(const Entry& entry, bool runs) try {
  if (runs && !entry.settings) return "running";
  const auto mark = read_mark(entry.folder);
  if (runs) return mark && mark->state == "arriving" ? "arriving" : "running";
  if (!entry.settings) return "damaged";
  return mark && mark->state != "leaving" ? mark->state : "stopped";
} catch (const core::Error&) {
  return "damaged";
}

std::string state_of(const Entry& entry) {
  return state_of(entry, is_running(entry.folder));
}

std::optional<core::Error> obstacle_of(const Entry& entry) try {
  if (!entry.settings) return core::Error(core::Kind::kIntegrity, entry.problem);
  const auto mark = read_mark(entry.folder);
  return mark ? refusal_to_run(entry.name, *mark) : std::nullopt;
} catch (const core::Error& error) {
  return error;
}

}  // namespace imgforge::machines
