#include "builder/machines/move/arrival.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>

#include "builder/machines/registry/machine_lock.hpp"
#include "builder/machines/registry/move_mark.hpp"
#include "core/error.hpp"
#include "core/json.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Json;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::chrono::seconds kPatience{60};

/// Its process may not have greeted QEMU yet.
void wait_for_monitor(Control& control, const core::CancelToken& cancel) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (true) {
    try {
      ask_qemu(control, "query-status", Json::object(), cancel);
      return;
    } catch (const Error& error) {
      if (error.kind() != Kind::kBoot || std::chrono::steady_clock::now() > deadline) throw;
    }
    ::usleep(5000);
  }
}

}  // namespace

void open_arrival(Control& control, const Devices& devices, ArrivingDisk disk,
                  const core::CancelToken& cancel) {
  wait_for_monitor(control, cancel);
  plug(control, devices, cancel);
  if (disk == ArrivingDisk::kComes) {
    // Names count from the machine's folder, where QEMU was started.
    ask_qemu(control, "nbd-server-start", {{"addr", {{"type", "unix"}, {"data", {{"path", kDiskSocket}}}}}},
             cancel);
    ask_qemu(control, "block-export-add",
             {{"type", "nbd"},
              {"id", "move"},
              {"node-name", disk_node(control, cancel)},
              {"name", kDiskExport},
              {"writable", true}},
             cancel);
  }
  ask_qemu(control, "migrate-incoming", {{"uri", fmt::format("unix:{}", kMemorySocket)}}, cancel);
}

void wait_for_arrival(Control& control, const core::CancelToken& cancel) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (ask_qemu(control, "query-status", Json::object(), cancel).value("status", "") == "inmigrate") {
    cancel.check();
    if (std::chrono::steady_clock::now() > deadline)
      throw Error(Kind::kTimeout, "the machine's state did not arrive");
    ::usleep(10000);
  }
}

void release_arrival(const fs::path& folder, const std::string& id, const core::CancelToken& cancel) {
  const std::optional<MoveMark> mark = read_mark(folder);
  if (!mark) return;
  if (mark->state != "arriving" || mark->id != id) {
    throw Error(Kind::kUsage,
                fmt::format("the machine {} does not arrive by that move", folder.filename().native()));
  }
  auto control = Control::connect(folder);
  if (control) {
    const Json status = ask_qemu(*control, "query-status", Json::object(), cancel);
    if (status.value("status", "") == "inmigrate")
      throw Error(Kind::kMachine, "the machine's state did not arrive")
          .hint("imgforge vm stop --kill ends it");
  }
  remove_mark(folder);
  if (!control) return;
  try {
    ask_qemu(*control, "nbd-server-stop", Json::object(), cancel);
  } catch (const Error& error) {
    if (error.kind() != Kind::kMachine) throw;  // none was needed
  }
  ask_qemu(*control, "cont", Json::object(), cancel);
  for (const char* socket : {kMemorySocket, kDiskSocket}) fs::remove(folder / socket);
}

void discard_arrival(const Registry& registry, const std::string& name, const std::string& id,
                     const core::CancelToken& cancel) {
  const fs::path folder = registry.folder(name);
  std::error_code error;
  if (!fs::exists(folder, error)) return;
  const std::optional<MoveMark> mark = read_mark(folder);
  if (!mark || mark->state != "arriving" || mark->id != id) return;
  kill_machine(folder, cancel);
  registry.remove(name, {});
}

}  // namespace imgforge::machines
