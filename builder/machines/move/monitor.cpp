#include "builder/machines/move/monitor.hpp"

#include <algorithm>

#include "builder/machines/control/qmp_request.hpp"
#include "core/error.hpp"
#include "core/json.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Json;
using core::Kind;

constexpr std::chrono::seconds kPatience{30};

/// The last part of a QOM path.
std::string last_part(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

Json ask_qemu(Control& control, const char* command, const Json& arguments, const core::CancelToken& cancel) {
  try {
    return control.ask({{"command", "qmp"}, {"request", qmp_request(command, arguments)}}, kPatience, cancel);
  } catch (const Error& error) {
    if (error.kind() != Kind::kInternal) throw;
    throw Error(Kind::kMachine, "QEMU refuses " + std::string(command) + ": " + error.message());
  }
}

std::string disk_node(Control& control, const core::CancelToken& cancel) {
  for (const Json& row : ask_qemu(control, "query-block", Json::object(), cancel)) {
    if (row.value("device", "") == "disk" && row.contains("inserted"))
      return row.at("inserted").value("node-name", "");
  }
  throw Error(Kind::kInternal, "QEMU has other disks than expected");
}

Devices plugged_devices(Control& control, const core::CancelToken& cancel) {
  Devices devices;
  for (const Json& row : ask_qemu(control, "query-memory-devices", Json::object(), cancel)) {
    const Json& data = row.at("data");
    if (row.value("type", "") != "dimm") throw Error(Kind::kInternal, "QEMU has other memory than expected");
    devices.dimms.push_back({data.at("id").get<std::string>(),
                             last_part(data.at("memdev").get<std::string>()),
                             data.at("size").get<std::uint64_t>(), data.at("addr").get<std::uint64_t>(),
                             data.at("slot").get<std::uint32_t>()});
  }
  for (const Json& row : ask_qemu(control, "query-hotpluggable-cpus", Json::object(), cancel)) {
    const std::string path = row.value("qom-path", "");
    // One of the start has no name of its own: /machine/unattached/device[0].
    if (!path.starts_with("/machine/peripheral/")) continue;
    const Json& props = row.at("props");
    devices.processors.push_back({last_part(path), row.at("type").get<std::string>(),
                                  props.value("socket-id", 0U), props.value("core-id", 0U),
                                  props.value("thread-id", 0U)});
  }
  // In the order in which the processors came, which is that of their names in the state.
  std::sort(devices.processors.begin(), devices.processors.end(),
            [](const Processor& a, const Processor& b) { return a.socket < b.socket; });
  return devices;
}

void plug(Control& control, const Devices& devices, const core::CancelToken& cancel) {
  for (const Dimm& dimm : devices.dimms) {
    ask_qemu(control, "object-add",
             {{"qom-type", "memory-backend-ram"}, {"id", dimm.memory}, {"size", dimm.size}}, cancel);
    ask_qemu(control, "device_add",
             {{"driver", "pc-dimm"},
              {"id", dimm.id},
              {"memdev", dimm.memory},
              {"addr", dimm.address},
              {"slot", dimm.slot}},
             cancel);
  }
  for (const Processor& one : devices.processors) {
    ask_qemu(control, "device_add",
             {{"driver", one.type},
              {"id", one.id},
              {"socket-id", one.socket},
              {"core-id", one.core},
              {"thread-id", one.thread}},
             cancel);
  }
}

}  // namespace imgforge::machines
