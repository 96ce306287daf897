#include "builder/machines/qemu/failed_start.hpp"

#include <fmt/format.h>

#include "core/text.hpp"

namespace imgforge::machines {

core::Error failed_start(const Settings& settings, const std::string& said) {
  core::Error error(core::Kind::kBoot, "QEMU did not start");
  error.quote(core::tail_lines(said));
  // "bridge helper failed" (net/tap.c), after what qemu-bridge-helper printed itself.
  if (const std::string bridge = settings.bridge();
      !bridge.empty() && said.find("bridge helper") != std::string::npos) {
    error.hint(fmt::format(
        "it takes a bridge {0} (ip link show {0}), the line \"allow {0}\" in /etc/qemu/bridge.conf, "
        "and for who is not root chmod u+s /usr/lib/qemu/qemu-bridge-helper",
        bridge));
  } else if (said.find("host forwarding rule") != std::string::npos) {  // net/slirp.c
    error.hint("a port is taken: ss -lntup shows by whom");
  }
  return error;
}

}  // namespace imgforge::machines
