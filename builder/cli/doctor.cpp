#include "builder/machine/doctor.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/cli/build_arguments.hpp"
#include "builder/dashboard/assets.hpp"
#include "core/json.hpp"

namespace imgforge::cli {
namespace {

using machine::Finding;
using machine::Health;

std::string_view health_name(Health health) {
  switch (health) {
    case Health::kGood:
      return "good";
    case Health::kWarning:
      return "warning";
    case Health::kBad:
      return "bad";
  }
  return "?";
}

std::string as_json(const std::vector<Finding>& findings) {
  core::Json rows = core::Json::array();
  for (const Finding& finding : findings) {
    rows.push_back({{"subject", finding.subject},
                    {"health", health_name(finding.health)},
                    {"detail", finding.detail},
                    {"mend", finding.mend}});
  }
  return core::print_json({{"schema", 1}, {"findings", rows}});
}

std::string as_text(const std::vector<Finding>& findings, const Style& style) {
  std::string out;
  for (const Finding& finding : findings) {
    const std::string mark = finding.health == Health::kGood      ? style.good("✓")
                             : finding.health == Health::kWarning ? style.warn("!")
                                                                  : style.bad("✗");
    out += fmt::format("  {} {:<20} {}\n", mark, finding.subject, finding.detail);
    if (!finding.mend.empty()) out += fmt::format("    {:<20} mend: {}\n", "", finding.mend);
  }
  return out;
}

}  // namespace

Runner declare_doctor(OptionSet& set) {
  auto isolation = std::make_shared<std::string>("auto");
  declare_isolation(set, *isolation);
  return [isolation](Context& context) {
    std::vector<Finding> findings = machine::examine_machine(context.processes, context.options.cache_dir,
                                                             context.options.output_dir, context.cancel);
    findings.push_back(stages::examine_isolation(
        stages::isolation_wish(*isolation),
        machine::find_accelerator(context.processes, context.options.cache_dir, context.cancel),
        [&] { return guest::probe_namespaces(context.options.cache_dir / "tmp"); }));
    for (Finding& finding : dashboard::examine_packages()) findings.push_back(std::move(finding));
    print(context.options.json ? as_json(findings) : as_text(findings, context.out));
    const bool bad = std::any_of(findings.begin(), findings.end(),
                                 [](const Finding& finding) { return finding.health == Health::kBad; });
    return bad ? core::exit_code(core::Kind::kMachine) : 0;
  };
}

}  // namespace imgforge::cli
