// What a machine told its host in vm-to-host.txt.
#include <fmt/format.h>
#include <unistd.h>

#include <deque>
#include <optional>

#include "builder/cli/vm/vm.hpp"
#include "builder/machines/agent/agent.hpp"
#include "builder/machines/registry/machine_lock.hpp"
#include "builder/machines/shared/audit_log.hpp"
#include "builder/machines/shared/conversation.hpp"
#include "builder/machines/shared/folder.hpp"
#include "builder/machines/shared/report.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

constexpr const char* kReportInMachine = "/shared/vm-to-host.txt";
constexpr std::uint64_t kLargestReport = 1 << 20;
constexpr std::uint64_t kLargestAudit = 64 << 20;
constexpr useconds_t kPause = 100'000;
constexpr useconds_t kAgentPause = 1'000'000;

struct Arguments {
  std::string name;
  bool follow = false;
  bool commands = false;
  unsigned lines = 0;
};

std::string shown(const Context& context, const machines::ReportLine& line) {
  if (!context.options.json) {
    const std::string text = core::escaped(line.text, machines::LineSplitter::kLongestLine);
    return (line.time.empty() ? text : line.time + ": " + text) + "\n";
  }
  core::Json row{{"time", line.time}, {"text", core::escaped(line.text, 4096)}};
  if (line.answer) {
    row["number"] = line.answer->number;
    row["outcome"] = line.answer->outcome;
  }
  return row.dump() + "\n";
}

/// Prints lines as they come, or keeps the last ones until `flush`.
class Output {
 public:
  Output(const Context& context, unsigned lines) : context_(context), most_(lines) {}

  void add(std::string_view piece) {
    splitter_.add(piece);
    while (const auto line = splitter_.next()) put(shown(context_, machines::parse_report_line(*line)));
  }
  void passed_over(std::uint64_t bytes) {
    if (bytes > 0) context_.progress.warn(fmt::format("{} bytes of the machine are passed over", bytes));
  }
  /// From now on every line is printed.
  void flush() {
    for (const std::string& line : kept_) print(line);
    kept_.clear();
    most_ = 0;
  }

 private:
  void put(std::string line) {
    if (most_ == 0) return print(line);
    kept_.push_back(std::move(line));
    if (kept_.size() > most_) kept_.pop_front();
  }

  const Context& context_;
  unsigned most_;
  machines::LineSplitter splitter_;
  std::deque<std::string> kept_;
};

/// A stopped machine's folder is read, too.
void log_of_folder(const Context& context, const Arguments& arguments, const machines::Share& share,
                   const std::filesystem::path& machine_folder) {
  const machines::SharedFolder folder(share.folder);
  machines::Follower follower(folder, machines::Follower::From::kBeginning);
  Output output(context, arguments.lines);
  bool running = true;
  while (true) {
    context.cancel.check();
    const std::string piece = follower.read();
    output.passed_over(follower.passed_over());
    output.add(piece);
    if (!piece.empty()) continue;
    output.flush();
    if (!arguments.follow || !running) return;
    running = machines::is_running(machine_folder);
    ::usleep(kPause);
  }
}

void log_by_agent(const Context& context, const Arguments& arguments) {
  machines::Control control = control_of(arguments.name);
  machines::Agent agent(control, context.cancel);
  Output output(context, arguments.lines);
  std::string before;
  while (true) {
    std::string now = agent.read_file(kReportInMachine, kLargestReport);
    output.add(now.starts_with(before) ? std::string_view(now).substr(before.size()) : std::string_view(now));
    output.flush();
    if (!arguments.follow) return;
    before = std::move(now);
    context.cancel.check();
    ::usleep(kAgentPause);
  }
}

int log(Context& context, const Arguments& arguments) {
  const machines::Registry registry = machine_registry();
  const machines::Settings settings = registry.load(arguments.name);
  const std::filesystem::path folder = registry.folder(arguments.name);
  if (arguments.commands) {
    std::error_code error;
    if (std::filesystem::exists(folder / machines::kAuditLog, error))
      print(core::printable(core::read_text_file(folder / machines::kAuditLog, kLargestAudit)));
    return 0;
  }
  const machines::Share* share = machines::shared_share(settings);
  const auto status = status_of(folder, context.cancel);
  if (share != nullptr && !status) {
    log_of_folder(context, arguments, *share, folder);
    return 0;
  }
  const machines::Route route = machines::route_to(settings, folder, status && status->value("agent", false));
  if (!route.why.empty()) context.progress.warn(route.why + ": its agent is asked");
  if (route.way == machines::Way::kFolder) {
    log_of_folder(context, arguments, *share, folder);
  } else {
    log_by_agent(context, arguments);
  }
  return 0;
}

}  // namespace

void declare_vm_log(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("log", "print what a machine told its host through the shared folder");
  declare_machine(set, arguments->name);
  set.flag("--follow", arguments->follow, "also what follows until the machine ends");
  set.flag("--commands", arguments->commands,
           "what this host asked the machine, and what came of it, in place of that: JSON, a line each");
  set.option("--lines", arguments->lines, "only so many of the last ones");
  set.set_footer("With --json an object a line. Times are those of the machine, in UTC.");
  set.set_runner([arguments](Context& context) { return log(context, *arguments); });
}

}  // namespace imgforge::cli
