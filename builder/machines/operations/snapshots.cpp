#include "builder/machines/operations/snapshots.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "builder/machine/qemu_img.hpp"
#include "builder/machines/control/control.hpp"
#include "builder/machines/control/qmp_request.hpp"
#include "builder/machines/qemu/machine_words.hpp"
#include "builder/machines/registry/machine_lock.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/random.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Json;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::chrono::seconds kPatience{30};
constexpr std::chrono::seconds kLongestJob{600};

/// The files of a machine that hold snapshots: the disk first.
std::vector<fs::path> files_of(const fs::path& folder) {
  std::vector<fs::path> files{folder / kDiskFile};
  if (fs::exists(folder / kVariablesFile)) files.push_back(folder / kVariablesFile);
  return files;
}

Json ask_monitor(Control& control, const SnapshotRequest& request, const char* command,
                 const Json& arguments) {
  const Json question = qmp_request(command, arguments);
  control.channel().send(Json{{"command", "qmp"}, {"request", question}}.dump() + "\n");
  const auto answer = control.next(kPatience, request.cancel);
  if (!answer) throw Error(Kind::kTimeout, "QEMU does not answer");
  if (answer->contains("return")) return answer->at("return");
  const Json error = answer->value("error", Json::object());
  throw Error(Kind::kImage,
              "QEMU refuses: " + core::escaped(error.value("desc", error.value("message", ""))));
}

/// QEMU's names of the nodes of disk and variables.
std::vector<std::string> nodes_of(Control& control, const SnapshotRequest& request, bool variables) {
  std::vector<std::string> nodes;
  for (const Json& row : ask_monitor(control, request, "query-block", Json::object())) {
    const std::string device = row.value("device", "");
    const bool wanted = device == "disk" || (variables && device == "pflash1");
    if (!wanted || !row.contains("inserted")) continue;
    const std::string node = row.at("inserted").value("node-name", "");
    nodes.insert(device == "disk" ? nodes.begin() : nodes.end(), node);
  }
  if (nodes.size() != (variables ? 2U : 1U))
    throw Error(Kind::kInternal, "QEMU has other disks than expected");
  return nodes;
}

/// A job of QEMU's monitor to its end (docs/interop/qmp-spec, "jobs").
void run_job(Control& control, const SnapshotRequest& request, const char* command, bool variables) {
  const std::vector<std::string> nodes = nodes_of(control, request, variables);
  const std::string id = "job-" + core::random_hex(4);
  Json arguments{{"job-id", id}, {"tag", request.name}, {"devices", nodes}};
  if (command != std::string_view("snapshot-delete")) arguments["vmstate"] = nodes.front();
  ask_monitor(control, request, command, arguments);
  const auto deadline = std::chrono::steady_clock::now() + kLongestJob;
  while (true) {
    for (const Json& job : ask_monitor(control, request, "query-jobs", Json::object())) {
      if (job.value("id", "") != id || job.value("status", "") != "concluded") continue;
      const std::string failure = job.value("error", "");
      ask_monitor(control, request, "job-dismiss", {{"id", id}});
      if (!failure.empty()) throw Error(Kind::kImage, "QEMU fails: " + core::escaped(failure));
      return;
    }
    if (std::chrono::steady_clock::now() > deadline) throw Error(Kind::kTimeout, "QEMU does not finish it");
    ::usleep(20000);
  }
}

void check_name(const std::string& name) {
  try {
    check_machine_name(name);
  } catch (const Error&) {
    throw Error(Kind::kUsage, "\"" + core::escaped(name, 100) + "\" cannot be the name of a snapshot")
        .hint("use letters, digits, '.', '_', '+' and '-', beginning with a letter or digit");
  }
}

const Snapshot* find(const std::vector<Snapshot>& snapshots, const std::string& name) {
  const auto found = std::find_if(snapshots.begin(), snapshots.end(),
                                  [&](const Snapshot& snapshot) { return snapshot.name == name; });
  return found == snapshots.end() ? nullptr : &*found;
}

/// Does it with the running machine, or with the files of the stopped one.
void change(const SnapshotRequest& request, const char* job, const char* option) {
  const Settings settings = request.registry.load(request.machine);
  const fs::path folder = fs::canonical(request.registry.folder(request.machine));
  const bool variables = firmware_of(settings) != vm::Firmware::kBios;
  MachineLock lock(folder);
  lock.command(std::chrono::milliseconds(0), request.cancel);
  if (auto control = Control::connect(folder)) {
    if (!settings.shares.empty())
      throw Error(Kind::kUsage,
                  fmt::format("{} shares a folder, and QEMU takes no snapshot of that while it runs",
                              request.machine))
          .hint("stop it first");
    return run_job(*control, request, job, variables);
  }
  lock.decide(kPatience, request.cancel);
  if (is_running(folder)) throw Error(Kind::kLocked, request.machine + " is being started or stopped");
  for (const fs::path& file : files_of(folder))
    request.processes.check(machine::qemu_img({"snapshot", "-q", option, request.name, file.native()}),
                            request.cancel, Kind::kImage);
}

Error unknown(const SnapshotRequest& request) {
  return Error(Kind::kUsage,
               fmt::format("{} has no snapshot \"{}\"", request.machine, core::escaped(request.name, 100)));
}

}  // namespace

std::vector<Snapshot> list_snapshots(const SnapshotRequest& request) {
  const fs::path disk = request.registry.find(request.machine).folder / kDiskFile;
  const core::ProcessResult result = request.processes.check(
      machine::qemu_img({"info", "--output=json", "-U", "-f", "qcow2", disk.native()}), request.cancel,
      Kind::kImage);
  std::vector<Snapshot> found;
  const Json info = core::parse_json(result.out, "qemu-img");
  for (const Json& row : info.value("snapshots", Json::array())) {
    found.push_back({row.at("name").get<std::string>(), row.at("date-sec").get<std::int64_t>(),
                     row.at("vm-state-size").get<std::uint64_t>()});
  }
  return found;
}

void create_snapshot(const SnapshotRequest& request) {
  check_name(request.name);
  if (find(list_snapshots(request), request.name) != nullptr)
    throw Error(Kind::kUsage, fmt::format("{} has a snapshot {} already", request.machine, request.name));
  change(request, "snapshot-save", "-c");
}

void restore_snapshot(const SnapshotRequest& request) {
  const std::vector<Snapshot> all = list_snapshots(request);
  const Snapshot* snapshot = find(all, request.name);
  if (snapshot == nullptr) throw unknown(request);
  const bool runs = Control::connect(request.registry.folder(request.machine)).has_value();
  if (runs && snapshot->memory == 0) {
    throw Error(Kind::kUsage, fmt::format("the snapshot {} was taken of a stopped machine", request.name))
        .hint("stop it first");
  }
  change(request, "snapshot-load", "-a");
}

void remove_snapshot(const SnapshotRequest& request) {
  if (find(list_snapshots(request), request.name) == nullptr) throw unknown(request);
  change(request, "snapshot-delete", "-d");
}

}  // namespace imgforge::machines
