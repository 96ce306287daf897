#include <fmt/format.h>

#include "builder/cli/store_arguments.hpp"
#include "builder/cli/vm/vm.hpp"
#include "builder/machines/qemu/machine_words.hpp"
#include "builder/machines/supervisor/supervise.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/record.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using core::Json;

/// How it ended last; null when it never did, or nobody noted it.
Json last_of(const std::filesystem::path& folder) {
  try {
    return core::parse_json(core::read_text_file(folder / machines::kLastFile), machines::kLastFile);
  } catch (const core::Error&) {
    return nullptr;
  }
}

std::string as_text(const machines::Settings& settings, const std::string& state,
                    const std::optional<Json>& status, const Json& last,
                    const std::filesystem::path& folder) {
  std::vector<std::pair<std::string, std::string>> rows{
      {"state", state},
      {"stands on",
       settings.origin.text() + (settings.origin.is_release() ? "" : ", which nobody vouches for")},
      {"machine",
       fmt::format("{} cpus, {} memory, {}{}", settings.cpus, core::Bytes{settings.memory}.to_string(),
                   settings.firmware, settings.graphics ? ", a screen" : "")},
      {"network", settings.network == "none" ? "none" : "user, " + settings.mac},
      {"autostart", settings.autostart ? "yes" : "no"},
      {"folder", folder.native()}};
  for (const machines::Forward& forward : settings.forwards) rows.emplace_back("forward", forward.text());
  for (const machines::Share& share : settings.shares)
    rows.emplace_back("share", share.folder + " as " + share.tag + ", " + share.driver +
                                   (share.read_only ? ", read-only" : ""));
  if (status) {
    rows.emplace_back("reached", states_text(*status));
    rows.emplace_back("accelerator", status->at("accelerator").get<std::string>() + ": " +
                                         status->at("accelerator_reason").get<std::string>());
    if (const std::string paused = status->value("paused", ""); !paused.empty())
      rows.emplace_back("paused", paused);
  } else if (last.is_object()) {
    rows.emplace_back("ended", last.value("when", "") + ", " + last.value("how", ""));
  }
  std::string text = core::escaped(settings.name) + "\n";
  for (const auto& [name, value] : rows)
    text += fmt::format("  {:<12} {}\n", name, core::escaped(value, 4096));
  return text;
}

int show(Context& context, const std::string& name) {
  const machines::Registry registry = machine_registry();
  const machines::Settings settings = registry.load(name);
  const machines::Entry entry = registry.find(name);
  const std::string state = state_of(entry);
  const auto status = state == "running" ? status_of(entry.folder, context.cancel) : std::nullopt;
  const Json last = last_of(entry.folder);
  if (context.options.json) {
    print(core::print_json({{"schema", 1},
                            {"name", name},
                            {"state", state},
                            {"folder", entry.folder.native()},
                            {"disk", (entry.folder / machines::kDiskFile).native()},
                            {"settings", core::write_record(settings)},
                            {"status", status ? *status : Json(nullptr)},
                            {"last", last}}));
  } else {
    print(as_text(settings, state, status, last, entry.folder));
  }
  return 0;
}

}  // namespace

void declare_vm_show(OptionSet& vm) {
  auto name = std::make_shared<std::string>();
  OptionSet& set = vm.command("show", "say what a machine is and how far it has come");
  declare_machine(set, *name);
  set.set_runner([name](Context& context) { return show(context, *name); });
}

}  // namespace imgforge::cli
