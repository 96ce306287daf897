// imgforge vm up: several machines together, as a file says.
#include <fmt/format.h>

#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/vm/group/group_members.hpp"
#include "builder/cli/vm/make/machine_options.hpp"
#include "builder/cli/vm/start_machine.hpp"
#include "builder/cli/vm/stop.hpp"
#include "builder/cli/vm/vm.hpp"
#include "builder/machines/group/membership.hpp"
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
  fs::path file = kUsualGroupFile;
  std::vector<std::string> public_keys;
  StartOptions start;
  StopOptions stop;
  bool replace = false;
  bool dry_run = false;
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
  MachineOptions options(wanted);
  options.name = wanted.name;
  options.public_keys = arguments.public_keys;
  return options;
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

}  // namespace

void declare_vm_up(OptionSet& vm) {
  auto arguments = std::make_shared<Arguments>();
  OptionSet& set = vm.command("up", "make and start the machines of a file, and change what differs");
  declare_group_file(set, arguments->file);
  declare_start_options(set, arguments->start);
  set.flag("--replace", arguments->replace,
           "remove and make anew what stands on another release than the file says");
  declare_stop_options(set, arguments->stop);
  set.flag("--dry-run", arguments->dry_run, "only say what would be done");
  declare_public_keys(set, arguments->public_keys);
  set.set_footer(
      "Example of a file:\n"
      "  group: 1\n"
      "  name: shop\n"
      "  machines:\n"
      "    db: { release: kodeimage, memory: 512M }\n"
      "    web: { release: kodeimage, replicas: 2, after: { db: ready } }");
  set.set_runner([arguments](Context& context) { return up(context, *arguments); });
}

}  // namespace imgforge::cli
