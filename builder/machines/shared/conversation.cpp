#include "builder/machines/shared/conversation.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "builder/machines/control/control.hpp"
#include "builder/machines/registry/machine_lock.hpp"
#include "builder/machines/shared/folder.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Kind;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::uint64_t kLargestOrders = 64 << 10;
constexpr const char* kOnce = "/usr/lib/imgforge/shared-folder/once";
constexpr useconds_t kPause = 50'000;
constexpr const char* kNoAnswer = "no answer";

std::string numbered(const std::string& order, std::uint32_t number) {
  return fmt::format("{} #{}", order, number);
}

/// When the machine's process made its socket, in nanoseconds since 1970.
std::optional<std::int64_t> started(const std::filesystem::path& machine_folder) {
  struct stat status {};
  if (::lstat((machine_folder / kControlSocket).c_str(), &status) != 0) return std::nullopt;
  return std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

bool listens(const Share& share, const std::filesystem::path& machine_folder) {
  const auto written = SharedFolder(share.folder).written(kReportFile);
  const auto began = started(machine_folder);
  return written && began && *written >= *began;
}

/// Reads until the answer to `number` is there. Nothing at the deadline.
std::optional<Answer> wait_for_answer(const Conversation& conversation, Follower& follower,
                                      std::uint32_t number) {
  const auto deadline = Clock::now() + conversation.patience;
  LineSplitter lines;
  bool ended = false;
  bool told = false;
  while (true) {
    conversation.cancel.check();
    const std::string piece = follower.read();
    lines.add(piece);
    while (const auto line = lines.next()) {
      const auto answer = parse_report_line(*line).answer;
      if (answer && answer->number == number) return answer;
      if (answer && answer->number > number && !std::exchange(told, true))
        conversation.warn(fmt::format("the machine answers #{}, which it was never asked", answer->number));
    }
    if (const std::uint64_t bytes = follower.passed_over(); bytes > 0)
      conversation.warn(fmt::format("the machine writes too fast: {} bytes were not read", bytes));
    if (Clock::now() > deadline) return std::nullopt;
    if (!piece.empty()) continue;
    if (ended) throw Error(Kind::kBoot, "the machine ended before it answered");
    ended = !is_running(conversation.machine_folder);
    ::usleep(kPause);
  }
}

/// Notes the outcome, also when there is none.
template <class Get>
Answer noted(AuditLog& audit, std::uint32_t number, const Get& get) {
  try {
    Answer answer = get();
    audit.note(number, answer.outcome, answer.text);
    return answer;
  } catch (const Error& error) {
    audit.note(number, kNoAnswer, error.message());
    throw;
  }
}

}  // namespace

const Share* shared_share(const Settings& settings) {
  const auto found = std::find_if(settings.shares.begin(), settings.shares.end(),
                                  [](const Share& share) { return share.tag == "shared"; });
  return found == settings.shares.end() ? nullptr : &*found;
}

Route route_to(const Settings& settings, const std::filesystem::path& machine_folder, bool agent_open) {
  const Share* share = shared_share(settings);
  const bool writable = share != nullptr && !share->read_only;
  if (writable && listens(*share, machine_folder)) return {Way::kFolder, {}};
  if (agent_open) {
    if (share == nullptr) return {Way::kAgent, {}};
    return {Way::kAgent, writable ? "the machine has written nothing into the shared folder since it started"
                                  : "the folder is shared read-only"};
  }
  if (writable) return {Way::kFolder, {}};
  throw Error(Kind::kUsage, share == nullptr ? "no folder is shared with the machine, and no agent listens"
                                             : "the folder is shared read-only, and no agent listens")
      .hint("imgforge vm run ... --share DIR, or agent: true in the recipe");
}

Answer ask_by_folder(const Conversation& conversation, AuditLog& audit, const std::string& order) {
  const Share& share = *shared_share(conversation.settings);
  const SharedFolder folder(share.folder);
  std::optional<Follower> follower;
  const std::uint32_t number = audit.ask(order, "folder", [&](std::uint32_t next) {
    follower.emplace(folder, Follower::From::kEnd);
    folder.append(kOrdersFile, numbered(order, next), kLargestOrders);
  });
  return noted(audit, number, [&] {
    if (auto answer = wait_for_answer(conversation, *follower, number)) return *std::move(answer);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(conversation.patience).count();
    throw Error(Kind::kTimeout, fmt::format("no answer to #{} within {} s", number, seconds))
        .hint(
            listens(share, conversation.machine_folder)
                ? "it may still come: imgforge vm log shows it"
                : "the machine has written nothing into the folder since it started: its image needs shared: "
                  "in the recipe, and a kernel with 9p");
  });
}

Answer ask_by_agent(const Conversation& conversation, AuditLog& audit, Agent& agent,
                    const std::string& order) {
  const std::uint32_t number = audit.ask(order, "agent", [](std::uint32_t) {});
  return noted(audit, number, [&] {
    const ExecStatus status = agent.run({kOnce, numbered(order, number)}, {}, conversation.patience);
    std::string_view line = status.out;
    if (line.ends_with('\n')) line.remove_suffix(1);
    auto answer = parse_answer(line);
    if (!answer || answer->number != number) {
      throw Error(Kind::kIntegrity, fmt::format("the machine answers #{} with nonsense: {}", number,
                                                core::escaped(status.out + status.err, 200)));
    }
    return *std::move(answer);
  });
}

}  // namespace imgforge::machines
