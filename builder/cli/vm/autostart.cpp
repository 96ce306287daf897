#include "builder/cli/vm/autostart.hpp"

#include <fmt/format.h>

#include <map>

#include "builder/machines/registry/machine_lock.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using core::Error;
using core::Json;
using core::Kind;

struct Arguments {
  std::string name;
  std::string wanted = "on";
};

/// What became of several machines.
class Outcomes {
 public:
  explicit Outcomes(const Context& context) : context_(context) {}

  /// Does something with a machine; what it throws is noted. `doing` returns what it did.
  template <class Doing>
  bool attempt(const std::string& name, Doing&& doing) {
    try {
      context_.cancel.check();
      rows_[name] = {{"name", name}, {"did", doing()}};
      return true;
    } catch (const Error& error) {
      if (error.kind() == Kind::kInterrupted) throw;
      context_.progress.warn(fmt::format("{}: {}", name, error.message()));
      rows_[name] = {{"name", name}, {"did", "failed"}, {"error", error.message()}};
      failed_.push_back(name);
      kind_ = error.kind();
      return false;
    }
  }

  /// What was done with a machine before.
  std::string did(const std::string& name) const { return rows_.at(name).at("did").get<std::string>(); }

  /// Prints them; throws when there was a failure.
  int end(const char* what) const {
    Json rows = Json::array();
    std::string text;
    for (const auto& [name, row] : rows_) {
      rows.push_back(row);
      text += fmt::format("{}: {}\n", name, row.at("did").get<std::string>());
    }
    if (context_.options.json) {
      print(core::print_json({{"schema", 1}, {"machines", rows}}));
    } else if (rows_.empty()) {
      context_.progress.note("no machine has autostart: imgforge vm autostart NAME");
    } else {
      print(text);
    }
    if (failed_.empty()) return 0;
    throw Error(kind_, fmt::format("{} of {} machines did not {}: {}", failed_.size(), rows_.size(), what,
                                   core::join(failed_, ", ")));
  }

 private:
  const Context& context_;
  std::map<std::string, Json> rows_;
  std::vector<std::string> failed_;
  Kind kind_ = Kind::kInternal;
};

void wait_for_state(const Context& context, const machines::Entry& entry, const StartOptions& options) {
  machines::Control control = machines::Control::require(entry.folder);
  Json status = control.ask({{"command", "watch"}}, std::chrono::seconds(20), context.cancel);
  follow(context, control, std::move(status), entry.folder, options.wanted,
         std::chrono::seconds(options.timeout));
}

int set_autostart(Context& context, const Arguments& arguments) {
  const machines::Registry registry = machine_registry();
  machines::MachineLock lock(registry.find(arguments.name).folder);
  lock.command(std::chrono::milliseconds(0), context.cancel);
  machines::Settings settings = registry.load(arguments.name);
  if (settings.disposable)
    throw Error(Kind::kUsage, settings.name + " is disposable: it is gone once it ends");
  settings.autostart = arguments.wanted == "on";
  registry.save(settings);
  print(context.options.json
            ? core::print_json({{"schema", 1}, {"name", settings.name}, {"autostart", settings.autostart}})
            : fmt::format("{} {}\n", settings.name,
                          settings.autostart ? "starts with imgforge vm start --autostart"
                                             : "starts only when it is told to"));
  return 0;
}

}  // namespace

std::vector<machines::Entry> autostarting(const Context& context, const machines::Registry& registry) {
  std::vector<machines::Entry> out;
  for (machines::Entry& entry : registry.entries()) {
    const std::string state = state_of(entry);
    if (state == "damaged") context.progress.warn(entry.name + " is damaged: " + entry.problem);
    const bool here = state == "running" || state == "stopped";
    if (here && entry.settings && entry.settings->autostart) out.push_back(std::move(entry));
  }
  return out;
}

int start_all(const Context& context, const machines::Registry& registry, const StartOptions& options) {
  Outcomes outcomes(context);
  std::vector<machines::Entry> started;
  for (const machines::Entry& entry : autostarting(context, registry)) {
    const bool is_up = outcomes.attempt(entry.name, [&] {
      if (machines::is_running(entry.folder)) return "runs already";
      check_can_reach(*entry.settings, options.wanted);
      start_machine(context, registry, entry.name);
      return "started";
    });
    if (is_up) started.push_back(entry);
  }
  for (const machines::Entry& entry : started)
    outcomes.attempt(entry.name, [&] {
      wait_for_state(context, entry, options);
      return outcomes.did(entry.name);
    });
  return outcomes.end("start");
}

int stop_all(const Context& context, const machines::Registry& registry, const StopOptions& options) {
  Outcomes outcomes(context);
  const std::vector<machines::Entry> entries = autostarting(context, registry);
  if (!options.kill) {
    for (const machines::Entry& entry : entries) ask_to_stop(entry.folder, context.cancel);
  }
  for (const machines::Entry& entry : entries)
    outcomes.attempt(entry.name, [&] {
      return stop_machine(context, registry, entry.name, options) ? "stopped" : "did not run";
    });
  return outcomes.end("stop");
}

void declare_vm_autostart(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("autostart", "let a machine start by itself, or no more");
  declare_machine(set, arguments->name);
  set.positional("wanted", arguments->wanted, "on or off [on]").one_of({"on", "off"});
  set.set_footer(
      "imgforge vm start --autostart starts all machines that have it. The unit imgforge-machines.service "
      "of\n"
      "systemd calls that for a user: systemctl --user enable --now imgforge-machines.service\n"
      "Example: imgforge vm autostart project");
  set.set_runner([arguments](Context& context) { return set_autostart(context, *arguments); });
}

}  // namespace imgforge::cli
