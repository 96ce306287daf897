#include "builder/cli/vm/start_machine.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "builder/machines/registry/machine_lock.hpp"
#include "builder/machines/supervisor/duties/ladder.hpp"
#include "core/error_json.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using core::Error;
using core::Json;
using core::Kind;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr const char* kProcessLog = "process.log";
constexpr std::size_t kLongestReport = 64 << 10;
constexpr std::size_t kQuotedLines = 20;

class SpawnActions {
 public:
  SpawnActions() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  ~SpawnActions() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;

  void set(int fd, int source) { posix_spawn_file_actions_adddup2(&actions_, source, fd); }
  pid_t spawn(const std::string& program, std::vector<std::string> words) {
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_t pid = -1;
    const int error = ::posix_spawn(&pid, program.c_str(), &actions_, &attributes_, argv.data(), environ);
    if (error != 0) throw core::system_error(error, "cannot start", program);
    return pid;
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

/// The one line that the process says once it knows; empty when it ended without.
std::string read_report(const core::Fd& pipe, const core::CancelToken& cancel) {
  std::string report;
  std::array<char, 4096> buffer;
  while (report.find('\n') == std::string::npos && report.size() < kLongestReport) {
    cancel.check();
    pollfd poll{pipe.get(), POLLIN, 0};
    if (::poll(&poll, 1, 100) <= 0) continue;
    const ssize_t n = ::read(pipe.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    report.append(buffer.data(), static_cast<std::size_t>(n));
  }
  return report;
}

}  // namespace

std::string this_program() {
  std::error_code error;
  const fs::path path = fs::read_symlink("/proc/self/exe", error);
  return !error && fs::exists(path, error) ? path.native() : "/proc/self/exe";
}

void start_machine(const Context& context, const machines::Registry& registry, const std::string& name,
                   const std::vector<std::string>& more) {
  const fs::path folder = registry.find(name).folder;
  machines::MachineLock lock(folder);
  lock.command(milliseconds(0), context.cancel);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw core::system_error(errno, "cannot create", "a pipe");
  core::Fd report(ends[0]);
  core::Fd reporting(ends[1]);
  const core::Fd nothing = core::open_file("/dev/null", O_RDWR);
  const core::Fd log = core::open_file(folder / kProcessLog, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
  SpawnActions actions;
  actions.set(0, nothing.get());
  actions.set(1, reporting.get());
  actions.set(2, log.get());
  std::vector<std::string> words{"imgforge", "--cache-dir", fs::absolute(context.options.cache_dir),
                                 "vm",       "supervise",   name,
                                 "--report"};
  words.insert(words.end(), more.begin(), more.end());
  const pid_t pid = actions.spawn(this_program(), std::move(words));
  reporting.reset();
  const std::string text = read_report(report, context.cancel);
  if (text.empty()) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    throw Error(Kind::kInternal, "the process of the machine ended at once")
        .quote(core::tail_lines(core::read_text_file(folder / kProcessLog)));
  }
  const Json answer = core::parse_json(text, "the report of the machine's process");
  if (const auto error = answer.find("error"); error != answer.end()) {
    ::waitpid(pid, nullptr, 0);
    throw core::error_of(*error);
  }
}

Json follow(const Context& context, machines::Control& control, Json status, const fs::path& folder,
            const std::string& wanted, milliseconds patience) {
  const std::string name = status.at("name").get<std::string>();
  const auto deadline = Clock::now() + patience;
  core::Activity activity = context.progress.begin("vm/" + name);
  std::vector<machines::Reached> reached;
  for (const Json& state : status.at("states"))
    reached.push_back({state.at("name").get<std::string>(), state.at("seconds").get<double>()});
  while (!machines::includes(reached, wanted)) {
    activity.say(states_text(status));
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
    std::optional<Json> event;
    try {
      event = control.next(std::max(left, milliseconds(0)), context.cancel);
    } catch (const Error& error) {
      if (error.kind() != Kind::kBoot) throw;
      throw Error(Kind::kBoot, fmt::format("the machine {} ended before it was {}", name, wanted))
          .quote(console_tail(folder, kQuotedLines));
    }
    if (!event) {
      throw Error(Kind::kTimeout, fmt::format("the machine {} is not {} within {} s; so far: {}", name,
                                              wanted, patience.count() / 1000, states_text(status)))
          .quote(console_tail(folder, kQuotedLines))
          .hint("it runs on: imgforge vm attach " + name + " shows its console");
    }
    const std::string what = event->value("event", "");
    if (what == "state") {
      reached.push_back({event->at("name").get<std::string>(), event->at("seconds").get<double>()});
      status["states"].push_back({{"name", reached.back().name}, {"seconds", reached.back().seconds}});
    } else if (what == "restart") {
      reached.clear();
      status["states"] = Json::array();
    } else if (what == "paused") {
      context.progress.warn(name + " is paused: " + core::escaped(event->value("why", "")));
    } else if (what == "end") {
      throw Error(Kind::kBoot, fmt::format("the machine {} ended before it was {}: {}", name, wanted,
                                           core::escaped(event->value("how", ""))))
          .quote(console_tail(folder, kQuotedLines));
    }
  }
  activity.done(states_text(status));
  return status;
}

void declare_start_options(OptionSet& set, StartOptions& options) {
  set.option("--for", options.wanted,
             "come back when it is so far: process, firmware, kernel, init, agent, ssh or ready")
      .one_of(machines::state_names())
      .show_default();
  set.option("--timeout", options.timeout, "seconds until it has to be").show_default();
}

void check_can_reach(const machines::Settings& settings, const std::string& wanted) {
  if (wanted == "agent" && !settings.may_have_agent()) {
    throw Error(Kind::kUsage, fmt::format("{} has no agent, says its manifest", settings.origin.text()))
        .hint("agent: true in the recipe puts it in");
  }
  if (wanted == "ssh" && !settings.may_have_ssh()) {
    throw Error(Kind::kUsage, settings.ssh_port == 0
                                  ? settings.name + " has no network"
                                  : settings.origin.text() + " has no server of SSH, says its manifest");
  }
}

Json start_and_follow(const Context& context, const machines::Registry& registry,
                      const machines::Settings& settings, const StartOptions& options) {
  check_can_reach(settings, options.wanted);
  start_machine(context, registry, settings.name);
  const fs::path folder = registry.folder(settings.name);
  machines::Control control = machines::Control::require(folder);
  Json status = control.ask({{"command", "watch"}}, std::chrono::seconds(20), context.cancel);
  if (status.at("accelerator") != "kvm")
    context.progress.note("emulated: " + status.at("accelerator_reason").get<std::string>());
  return follow(context, control, std::move(status), folder, options.wanted,
                std::chrono::seconds(options.timeout));
}

void print_start(const Context& context, const Json& status) {
  const std::string name = status.at("name").get<std::string>();
  if (context.options.json) {
    Json out{{"schema", 1}};
    out.update(status);
    print(core::print_json(out));
  } else {
    print(fmt::format("{} runs: {}\n", name, states_text(status)));
  }
}

}  // namespace imgforge::cli
