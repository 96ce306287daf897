#include "builder/machines/move/live_move.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "builder/machines/move/arrival.hpp"
#include "builder/machines/move/monitor.hpp"
#include "builder/machines/supervisor/duties/move_guard.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/local_socket.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Json;
using core::Kind;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr std::chrono::seconds kPatience{30};
constexpr std::chrono::seconds kStandstill{120};              // without progress
constexpr std::uint64_t kBandwidth = std::uint64_t{4} << 30;  // bytes a second: no bound of QEMU's own
constexpr const char* kDisk = "move-disk.sock";
constexpr const char* kMemory = "move-memory.sock";

/// Throws kTimeout when a number does not change for long.
class Progress {
 public:
  void note(std::uint64_t value) {
    if (value == value_ && Clock::now() - since_ > kStandstill)
      throw Error(Kind::kTimeout, "the move does not get on: the other host takes nothing more");
    if (value != value_) since_ = Clock::now();
    value_ = value;
  }

 private:
  std::uint64_t value_ = 0;
  Clock::time_point since_ = Clock::now();
};

void pause_for_a_moment() {
  ::usleep(20000);
}

std::string part_text(const char* what, std::uint64_t done, std::uint64_t total) {
  return fmt::format("{} {} of {}", what, core::Bytes{done}.human(), core::Bytes{total}.human());
}

}  // namespace

LiveMove::LiveMove(const fs::path& folder, const core::CancelToken& cancel)
    : folder_(folder), cancel_(cancel), guard_(Control::require(folder)), control_(Control::require(folder)) {
  guard_.ask({{"command", "move"}}, kPatience, cancel);
}

LiveMove::~LiveMove() {
  std::error_code ignored;
  for (const char* socket : {kDisk, kMemory}) fs::remove(folder_ / socket, ignored);
}

void LiveMove::finished() {
  guard_.ask({{"command", "move"}, {"ends", true}}, kPatience, cancel_);
}

Json LiveMove::ask_while_connecting(const char* command, const Json& arguments, const char* socket,
                                    const std::string& what, const Connect& connect) {
  const core::Fd listening = core::listen_local(folder_, socket);
  const Json question{{"execute", command}, {"arguments", arguments}};
  control_.channel().send(Json{{"command", "qmp"}, {"request", question}}.dump() + "\n");
  pollfd poll{listening.get(), POLLIN, 0};
  const auto deadline = Clock::now() + kPatience;
  while (::poll(&poll, 1, 100) <= 0) {
    cancel_.check();
    if (Clock::now() > deadline) throw Error(Kind::kTimeout, "QEMU does not begin to send");
  }
  const core::Fd connection(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!connection) throw core::system_error(errno, "cannot accept", "QEMU's connection");
  connect(what, connection.get());
  const auto answer = control_.next(kPatience, cancel_);
  if (!answer) throw Error(Kind::kTimeout, "QEMU does not answer");
  if (answer->contains("return")) return answer->at("return");
  const Json error = answer->value("error", Json::object());
  throw Error(Kind::kMachine, fmt::format("QEMU refuses {}: {}", command,
                                          core::escaped(error.value("desc", error.value("message", "")))));
}

void LiveMove::send(const Connect& connect, const Say& say) {
  mirror(connect, say);
  send_memory(connect, say);
}

/// Of a move before, whose job was still about to end when its command was gone.
void LiveMove::remove_leftover() {
  for (const Json& node : ask_qemu(control_, "query-named-block-nodes", {{"flat", true}}, cancel_)) {
    if (node.value("node-name", "") == kMirrorNode)
      ask_qemu(control_, "blockdev-del", {{"node-name", kMirrorNode}}, cancel_);
  }
}

void LiveMove::mirror(const Connect& connect, const Say& say) {
  const std::string disk = disk_node(control_, cancel_);
  remove_leftover();
  // The names of the sockets count from the machine's folder, where QEMU was started.
  ask_while_connecting("blockdev-add",
                       {{"driver", "nbd"},
                        {"node-name", kMirrorNode},
                        {"server", {{"type", "unix"}, {"path", kDisk}}},
                        {"export", kDiskExport}},
                       kDisk, "disk", connect);
  ask_qemu(control_, "blockdev-mirror",
           {{"job-id", kMirrorJob},
            {"device", disk},
            {"target", kMirrorNode},
            {"sync", "top"},
            {"copy-mode", "write-blocking"}},
           cancel_);
  Progress progress;
  while (true) {
    cancel_.check();
    const Json jobs = ask_qemu(control_, "query-block-jobs", Json::object(), cancel_);
    const Json* mine = nullptr;
    for (const Json& job : jobs)
      if (job.value("device", "") == kMirrorJob) mine = &job;
    if (mine == nullptr) throw Error(Kind::kMachine, "the disk cannot be written on the other host");
    if (mine->value("ready", false)) return;
    const auto done = mine->value("offset", std::uint64_t{0});
    progress.note(done);
    say(part_text("disk", done, mine->value("len", std::uint64_t{0})));
    pause_for_a_moment();
  }
}

void LiveMove::end_mirror() {
  // A job that is ready ends with both the same (qmp-ref, block-job-cancel).
  ask_qemu(control_, "block-job-cancel", {{"device", kMirrorJob}}, cancel_);
  const auto deadline = Clock::now() + kPatience;
  while (!ask_qemu(control_, "query-block-jobs", Json::object(), cancel_).empty()) {
    if (Clock::now() > deadline) throw Error(Kind::kTimeout, "QEMU does not finish the disk");
    pause_for_a_moment();
  }
  ask_qemu(control_, "blockdev-del", {{"node-name", kMirrorNode}}, cancel_);
}

void LiveMove::prepare_memory(Hold hold) {
  const Json held{{"capability", "pause-before-switchover"}, {"state", hold == Hold::kBeforeTheEnd}};
  ask_qemu(control_, "migrate-set-capabilities", {{"capabilities", Json::array({held})}}, cancel_);
  ask_qemu(control_, "migrate-set-parameters", {{"max-bandwidth", kBandwidth}}, cancel_);
}

Json LiveMove::migration_state(const char* failure) {
  Json state = ask_qemu(control_, "query-migrate", Json::object(), cancel_);
  const std::string status = state.value("status", "");
  if (status == "failed" || status == "cancelled")
    throw Error(Kind::kMachine,
                fmt::format("the memory {}: {}", failure, core::escaped(state.value("error-desc", status))));
  state["status"] = status;
  return state;
}

void LiveMove::send_standing(const std::string& socket) {
  prepare_memory(Hold::kNo);
  ask_qemu(control_, "migrate", {{"uri", "unix:" + socket}}, cancel_);
  Progress progress;
  while (true) {
    cancel_.check();
    const Json state = migration_state("was not copied");
    if (state.at("status") == "completed") return;
    progress.note(state.value("ram", Json::object()).value("transferred", std::uint64_t{0}));
    pause_for_a_moment();
  }
}

void LiveMove::send_memory(const Connect& connect, const Say& say) {
  prepare_memory(Hold::kBeforeTheEnd);
  ask_while_connecting("migrate", {{"uri", fmt::format("unix:{}", kMemory)}}, kMemory, "memory", connect);
  Progress progress;
  bool held = false;
  while (true) {
    cancel_.check();
    const Json state = migration_state("did not arrive");
    const std::string status = state.at("status").get<std::string>();
    if (status == "completed") return;
    if (status == "pre-switchover" && !held) {
      held = true;
      end_mirror();
      ask_qemu(control_, "migrate-continue", {{"state", "pre-switchover"}}, cancel_);
    }
    const Json memory = state.value("ram", Json::object());
    const auto done = memory.value("transferred", std::uint64_t{0});
    progress.note(done);
    say(part_text("memory", done, memory.value("total", std::uint64_t{0})));
    pause_for_a_moment();
  }
}

}  // namespace imgforge::machines
