#include "builder/machines/operations/hotplug.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/machines/control/qmp_request.hpp"
#include "builder/machines/operations/kernel_needs.hpp"
#include "builder/machines/qemu/virtiofs.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/random.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Json;
using core::Kind;

constexpr std::chrono::seconds kPatience{30};
constexpr std::uint64_t kBlock = 128ULL << 20;  // Linux takes memory in blocks of that on x86

Json ask(Control& control, const char* command, const Json& arguments, const core::CancelToken& cancel) {
  return control.ask({{"command", "qmp"}, {"request", qmp_request(command, arguments)}}, kPatience, cancel);
}

Error beyond(const Settings& settings, const std::string& what, const char* option) {
  return Error(Kind::kUsage, fmt::format("{} runs and was started for at most {}", settings.name, what))
      .hint(fmt::format("stop it to give it more, or make it with {}", option));
}

void add_memory(Control& control, const Settings& settings, std::uint64_t size,
                const core::CancelToken& cancel) {
  const std::string id = core::random_hex(4);
  Json backend{{"qom-type", "memory-backend-ram"}, {"id", "memory-" + id}, {"size", size}};
  if (uses_virtiofs(settings)) {  // its daemons see all of it
    backend["qom-type"] = "memory-backend-memfd";
    backend["share"] = true;
  }
  ask(control, "object-add", backend, cancel);
  try {
    ask(control, "device_add", {{"driver", "pc-dimm"}, {"id", "dimm-" + id}, {"memdev", "memory-" + id}},
        cancel);
  } catch (const Error&) {
    ask(control, "object-del", {{"id", "memory-" + id}}, cancel);
    throw;
  }
}

}  // namespace

void set_memory(Control& control, const Settings& settings, core::Bytes memory,
                const core::CancelToken& cancel) {
  if (settings.autoscale.most != 0)
    throw Error(Kind::kUsage, settings.name + " has what it needs of " + settings.autoscale.text())
        .hint("vm run --autoscale says how much it may need");
  const std::uint64_t most = std::max(settings.max_memory, settings.memory);
  if (memory.value > most) throw beyond(settings, core::Bytes{most}.to_string(), "--max-memory");
  const Json summary = ask(control, "query-memory-size-summary", Json::object(), cancel);
  std::uint64_t has =
      summary.at("base-memory").get<std::uint64_t>() + summary.value("plugged-memory", std::uint64_t{0});
  if (memory.value > has) {
    need_feature(settings, artifacts::kFeatureMemoryHotplug, "more memory while it runs");
    const std::uint64_t more = (memory.value - has + kBlock - 1) / kBlock * kBlock;
    if (has + more > most) throw beyond(settings, core::Bytes{most}.to_string(), "--max-memory");
    add_memory(control, settings, more, cancel);
    memory.value = has += more;
  }
  if (memory.value == has && settings.lacks_feature(artifacts::kFeatureBalloon)) return;
  need_feature(settings, artifacts::kFeatureBalloon, "less memory while it runs");
  ask(control, "balloon", {{"value", memory.value}}, cancel);
}

void set_processors(Control& control, const Settings& settings, unsigned count,
                    const core::CancelToken& cancel) {
  const unsigned most = std::max(settings.max_cpus, settings.cpus);
  if (count > most) throw beyond(settings, fmt::format("{} processors", most), "--max-cpus");
  const Json rows = ask(control, "query-hotpluggable-cpus", Json::object(), cancel);
  const auto has = static_cast<unsigned>(
      std::count_if(rows.begin(), rows.end(), [](const Json& row) { return row.contains("qom-path"); }));
  if (count < has)
    throw Error(Kind::kUsage,
                fmt::format("{} runs with {} processors, and none can be taken away", settings.name, has))
        .hint("stop it first");
  unsigned missing = count - has;
  if (missing > 0) need_feature(settings, artifacts::kFeatureCpuHotplug, "more processors while it runs");
  for (auto row = rows.rbegin(); row != rows.rend() && missing > 0; ++row) {  // QEMU lists the last one first
    if (row->contains("qom-path")) continue;
    Json device = row->at("props");
    device["driver"] = row->at("type");
    device["id"] = "cpu-" + core::random_hex(4);
    ask(control, "device_add", device, cancel);
    --missing;
  }
}

}  // namespace imgforge::machines
