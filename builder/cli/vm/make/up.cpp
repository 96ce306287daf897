// imgforge vm up, down, ps: several machines together, as a file says.
#include <fmt/format.h>

#include <algorithm>

#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "builder/cli/vm/make/machine_options.hpp"
#include "builder/cli/vm/start_machine.hpp"
#include "builder/cli/vm/stop.hpp"
#include "builder/cli/vm/vm.hpp"
#include "builder/machines/group/group.hpp"
#include "builder/machines/registry/machine_lock.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using core::Error;
using core::Json;
using core::Kind;
using machines::Group;
using machines::Wanted;
namespace fs = std::filesystem;

struct Arguments {
  fs::path file = "machines.yaml";
  std::vector<std::string> public_keys;
  StartOptions start;
  StopOptions stop;
  bool replace = false;
  bool dry_run = false;
  bool remove = false;
};

/// What has to be done with a machine so that it is as the file wants it.
enum class Doing { kNothing, kStart, kChange, kReplace, kMake };

std::string_view doing_name(Doing doing) {
  switch (doing) {
    case Doing::kNothing:
      return "nothing";
    case Doing::kStart:
      return "start";
    case Doing::kChange:
      return "change";
    case Doing::kReplace:
      return "replace";
    case Doing::kMake:
      return "make";
  }
  return "";
}

struct Plan {
  const Wanted* wanted;
  Doing doing;
  std::string why;
};

/// The fields in which what is there differs from what is wanted.
std::string differences(const Json& there, const Json& wanted) {
  std::vector<std::string> names;
  for (const auto& [name, value] : wanted.items()) {
    if (!there.contains(name) || there.at(name) != value) names.push_back(name);
  }
  return core::join(names, ", ");
}

/// The machine of that name, when it is there and belongs to the group.
std::optional<machines::Membership> member_there(const machines::Registry& registry, const Group& group,
                                                 const std::string& name) {
  const fs::path folder = registry.folder(name);
  std::error_code error;
  if (!fs::exists(fs::symlink_status(folder, error))) return std::nullopt;
  machines::Membership membership = machines::membership_of(folder);
  if (membership.group == group.name) return membership;
  throw Error(Kind::kUsage,
              fmt::format("there is a machine {} that does not belong to the group {}", name, group.name))
      .hint("call the group or the machine otherwise, or imgforge vm remove " + name);
}

Plan plan_for(const machines::Registry& registry, const Group& group, const Wanted& wanted,
              const Arguments& arguments) {
  const auto membership = member_there(registry, group, wanted.name);
  if (!membership) return {&wanted, Doing::kMake, ""};
  registry.load(wanted.name);  // which says when it is damaged
  const std::string lasting = differences(membership->wanted, wanted.lasting());
  if (!lasting.empty()) {
    if (!arguments.replace)
      throw Error(Kind::kUsage,
                  fmt::format("{} is another machine than the file wants: {}", wanted.name, lasting))
          .hint("--replace removes it with all that it wrote, and makes a new one");
    return {&wanted, Doing::kReplace, lasting};
  }
  const std::string other = differences(membership->wanted, wanted.record());
  if (!other.empty()) return {&wanted, Doing::kChange, other};
  const bool runs = machines::is_running(registry.folder(wanted.name));
  return {&wanted, runs ? Doing::kNothing : Doing::kStart, ""};
}

MachineOptions options_of(const Wanted& wanted, const Arguments& arguments) {
  MachineOptions options;
  options.source = wanted.source;
  options.name = wanted.name;
  options.cpus = wanted.cpus;
  options.memory = wanted.memory;
  options.disk_size = wanted.disk_size;
  options.forwards = wanted.forwards;
  options.shares = wanted.shares;
  options.network = wanted.network;
  options.joins = wanted.networks;
  options.firmware = wanted.firmware;
  options.graphics = wanted.graphics;
  options.restart = wanted.restart;
  options.autoscale = wanted.autoscale;
  options.hook = wanted.hook;
  options.public_keys = arguments.public_keys;
  return options;
}

void stop_and_remove(const Context& context, const machines::Registry& registry, const std::string& name,
                     const StopOptions& stop) {
  artifacts::ChangeOptions change;
  change.cancel = context.cancel;
  stop_machine(context, registry, name, stop);
  for (const std::string& warning : registry.remove(name, change)) context.progress.warn(warning);
}

/// Makes the machine what the file wants, short of starting it.
void prepare(const Context& context, const machines::Registry& registry, const Group& group, const Plan& plan,
             const Arguments& arguments) {
  const Wanted& wanted = *plan.wanted;
  const MachineOptions options = options_of(wanted, arguments);
  if (plan.doing == Doing::kReplace) stop_and_remove(context, registry, wanted.name, arguments.stop);
  if (plan.doing == Doing::kMake || plan.doing == Doing::kReplace) {
    make_machine(context, registry, options);
    try {
      machines::keep_membership(registry.folder(wanted.name), group.name, wanted);
    } catch (const Error&) {
      registry.remove(wanted.name, {});
      throw;
    }
  }
  if (plan.doing == Doing::kChange) {
    const machines::Settings changed = changed_machine(context, registry.load(wanted.name), options);
    stop_machine(context, registry, wanted.name, arguments.stop);
    registry.save(changed);
    machines::keep_membership(registry.folder(wanted.name), group.name, wanted);
  }
}

Json wait_for(const Context& context, const machines::Registry& registry, const std::string& name,
              const std::string& state, unsigned seconds) {
  check_can_reach(registry.load(name), state);
  const fs::path folder = registry.folder(name);
  machines::Control control = machines::Control::require(folder);
  Json status = control.ask({{"command", "watch"}}, std::chrono::seconds(20), context.cancel);
  return follow(context, control, std::move(status), folder, state, std::chrono::seconds(seconds));
}

/// Machines of the group that the file does not name.
std::vector<std::string> strangers(const machines::Registry& registry, const Group& group) {
  std::vector<std::string> names;
  for (const machines::Entry& entry : registry.entries()) {
    const bool named = std::any_of(group.machines.begin(), group.machines.end(),
                                   [&](const Wanted& wanted) { return wanted.name == entry.name; });
    if (!named && machines::membership_of(entry.folder).group == group.name) names.push_back(entry.name);
  }
  return names;
}

int up(Context& context, const Arguments& arguments) {
  const Group group = machines::load_group(arguments.file);
  const machines::Registry registry = machine_registry();
  std::vector<Plan> plans;
  for (const Wanted& wanted : group.machines) plans.push_back(plan_for(registry, group, wanted, arguments));
  for (const Plan& plan : plans) {
    if (plan.doing != Doing::kNothing && plan.doing != Doing::kStart)
      check_machine(context, options_of(*plan.wanted, arguments));
  }
  const std::vector<std::string> others = strangers(registry, group);
  for (const std::string& name : others)
    context.progress.warn(name + " belongs to the group and is not in the file: imgforge vm remove " + name);
  Json rows = Json::array();
  std::string text;
  for (const Plan& plan : plans) {
    context.cancel.check();
    Json row{{"name", plan.wanted->name}, {"did", doing_name(plan.doing)}};
    if (!plan.why.empty()) row["because"] = plan.why;
    if (!arguments.dry_run) {
      for (const auto& [other, state] : plan.wanted->after)
        wait_for(context, registry, other, state, arguments.start.timeout);
      prepare(context, registry, group, plan, arguments);
      if (plan.doing != Doing::kNothing) start_machine(context, registry, plan.wanted->name);
    }
    rows.push_back(std::move(row));
  }
  for (std::size_t i = 0; i < plans.size(); ++i) {
    const std::string& name = plans[i].wanted->name;
    const std::string because = plans[i].why.empty() ? "" : " (" + plans[i].why + ")";
    if (arguments.dry_run) {
      text += fmt::format("{}: {}{}\n", name, doing_name(plans[i].doing), because);
      continue;
    }
    const Json status = wait_for(context, registry, name, arguments.start.wanted, arguments.start.timeout);
    rows[i]["states"] = status.at("states");
    text += fmt::format("{} {}{}: {}\n", name, plans[i].doing == Doing::kNothing ? "runs on" : "runs",
                        because, states_text(status));
  }
  print(context.options.json
            ? core::print_json({{"schema", 1}, {"group", group.name}, {"machines", rows}, {"others", others}})
            : text);
  return 0;
}

int down(Context& context, const Arguments& arguments) {
  const Group group = machines::load_group(arguments.file);
  const machines::Registry registry = machine_registry();
  std::vector<std::string> names = strangers(registry, group);
  // Those that wait for others go before them.
  for (auto wanted = group.machines.rbegin(); wanted != group.machines.rend(); ++wanted) {
    if (member_there(registry, group, wanted->name)) names.push_back(wanted->name);
  }
  Json rows = Json::array();
  std::string text;
  for (const std::string& name : names) {
    context.cancel.check();
    const bool ran = machines::is_running(registry.folder(name));
    if (arguments.remove) {
      stop_and_remove(context, registry, name, arguments.stop);
    } else {
      stop_machine(context, registry, name, arguments.stop);
    }
    const char* what = arguments.remove ? "removed" : ran ? "stopped" : "did not run";
    rows.push_back({{"name", name}, {"stopped", ran}, {"removed", arguments.remove}});
    text += fmt::format("{} {}\n", name, what);
  }
  print(context.options.json ? core::print_json({{"schema", 1}, {"group", group.name}, {"machines", rows}})
        : text.empty()       ? "no machine of the group is there\n"
                             : text);
  return 0;
}

int ps(Context& context, const Arguments& arguments) {
  const Group group = machines::load_group(arguments.file);
  const machines::Registry registry = machine_registry();
  Json rows = Json::array();
  std::vector<std::vector<std::string>> table{{"NAME", "STATE", "STANDS ON", "DIFFERS"}};
  const auto add = [&](const std::string& name, const std::string& state, const std::string& origin,
                       const std::string& differs) {
    rows.push_back({{"name", name}, {"state", state}, {"stands_on", origin}, {"differs", differs}});
    table.push_back({name, state, origin, differs});
  };
  const auto origin_of = [](const machines::Entry& entry) {
    return entry.settings ? entry.settings->origin.text() : "?";
  };
  for (const Wanted& wanted : group.machines) {
    const auto membership = member_there(registry, group, wanted.name);
    if (!membership) {
      add(wanted.name, "missing", wanted.source, "");
      continue;
    }
    const machines::Entry entry = registry.find(wanted.name);
    add(wanted.name, state_of(entry), origin_of(entry), differences(membership->wanted, wanted.record()));
  }
  for (const std::string& name : strangers(registry, group)) {
    const machines::Entry entry = registry.find(name);
    add(name, state_of(entry), origin_of(entry), "not in the file");
  }
  print(context.options.json ? core::print_json({{"schema", 1}, {"group", group.name}, {"machines", rows}})
                             : text_table(table, context.out, {}));
  return 0;
}

}  // namespace

void declare_vm_up(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  const auto declare = [&](const char* name, const char* summary) -> OptionSet& {
    OptionSet& set = vm.command(name, summary);
    set.positional("file", arguments->file, "file that says which machines [machines.yaml]");
    return set;
  };
  OptionSet& upping = declare("up", "make and start the machines of a file, and change what differs");
  declare_start_options(upping, arguments->start);
  upping.flag("--replace", arguments->replace,
              "remove and make anew what stands on another release than the file says");
  declare_stop_options(upping, arguments->stop);
  upping.flag("--dry-run", arguments->dry_run, "only say what would be done");
  declare_public_keys(upping, arguments->public_keys);
  upping.set_footer(
      "Example of a file:\n"
      "  group: 1\n"
      "  name: shop\n"
      "  machines:\n"
      "    db: { release: kodeimage, memory: 512M }\n"
      "    web: { release: kodeimage, replicas: 2, after: { db: ready } }");
  upping.set_runner([arguments](Context& context) { return up(context, *arguments); });
  OptionSet& downing = declare("down", "stop the machines of a file");
  declare_stop_options(downing, arguments->stop);
  downing.flag("--remove", arguments->remove, "and remove them with all that they wrote");
  downing.set_runner([arguments](Context& context) { return down(context, *arguments); });
  declare("ps", "list the machines of a file, and in what they differ from it")
      .set_runner([arguments](Context& context) { return ps(context, *arguments); });
}

}  // namespace imgforge::cli
