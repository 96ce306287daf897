#include "builder/machines/agent/hardware.hpp"

#include <charconv>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

// Linux documentation, admin-guide/mm/memory-hotplug and core-api/cpu_hotplug. The events take a moment.
constexpr const char* kScript =
    "sleep 1; for file in /sys/devices/system/memory/memory*/state; do "
    "[ ! -e \"$file\" ] || [ \"$(cat \"$file\")\" = online ] || echo online > \"$file\" || exit 1; done; "
    "for file in /sys/devices/system/cpu/cpu[0-9]*/online; do "
    "[ ! -e \"$file\" ] || [ \"$(cat \"$file\")\" = 1 ] || echo 1 > \"$file\" || exit 1; done; "
    "grep -c '^processor' /proc/cpuinfo";

}  // namespace

unsigned use_all_hardware(Agent& agent) {
  const ExecStatus status = agent.run({"sh", "-c", kScript}, {}, std::chrono::seconds(60));
  const std::string_view text = core::trimmed(status.out);
  unsigned count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (status.exit_code != 0 || error != std::errc() || end != text.data() + text.size())
    throw core::Error(core::Kind::kBoot, "the machine does not take its memory or processors")
        .quote(core::tail_lines(status.err));
  return count;
}

}  // namespace imgforge::machines
