#include "builder/cli/arguments/retention_arguments.hpp"

#include <fmt/format.h>

#include <charconv>

#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using artifacts::PlannedRelease;

std::optional<unsigned> number_of(const std::string& text, const char* flag) {
  if (text.empty()) return std::nullopt;
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number == 0) {
    throw core::Error(core::Kind::kUsage, fmt::format("--{} {}: say how many to keep, at least 1", flag,
                                                      core::escaped(text, 40)));
  }
  return number;
}

/// The word under which a reason is counted.
std::string class_of(const std::string& reason) {
  if (reason.starts_with("clone ")) return "clones";
  if (reason.starts_with("damaged: ")) return "damaged";
  if (reason.starts_with("holds ")) return "with foreign files";
  if (reason == "being read" || reason.find("running machine") != std::string::npos) return "in use";
  return reason;
}

}  // namespace

artifacts::RetentionPolicy PolicyArguments::policy(const core::Clock& clock) const {
  artifacts::RetentionPolicy policy;
  policy.last = number_of(last, "keep-last");
  policy.daily = number_of(daily, "keep-daily");
  policy.weekly = number_of(weekly, "keep-weekly");
  policy.monthly = number_of(monthly, "keep-monthly");
  policy.tagged = tagged;
  if (!within.empty()) policy.within = artifacts::parse_age(within);
  policy.now = clock.now();
  return policy;
}

std::shared_ptr<PolicyArguments> declare_policy(OptionSet& set, const char* age_flag) {
  auto arguments = std::make_shared<PolicyArguments>();
  set.option("--keep-last", arguments->last, "the newest N releases of each line stay");
  set.option("--keep-daily", arguments->daily, "the newest release of each of the latest N days stays");
  set.option("--keep-weekly", arguments->weekly, "likewise of weeks");
  set.option("--keep-monthly", arguments->monthly, "likewise of months");
  set.option(age_flag, arguments->within, "releases younger than that stay: 12h, 30d, 2w, 6m, 1y");
  set.flag("--keep-tagged", arguments->tagged, "pinned releases stay (they always do) and may be all");
  return arguments;
}

std::vector<std::string> plan_row(const PlannedRelease& planned, const char* fate) {
  const artifacts::InventoryRelease& release = planned.release;
  std::vector<std::string> why = planned.kept_by;
  for (const auto& link : planned.links) {
    why.push_back(fmt::format("{} {}", core::escaped(link.native(), 200),
                              planned.done ? "led to it and leads nowhere now" : "leads to it"));
  }
  return {release.line, release.version, planned.goes() ? fate : "keep",
          planned.goes() ? core::Bytes{planned.frees}.human() : "", core::join(why, ", ")};
}

core::Json plan_json(const PlannedRelease& planned) {
  core::Json links = core::Json::array();
  for (const auto& link : planned.links) links.push_back(core::escaped(link.native(), 4096));
  return {{"line", planned.release.line},
          {"version", planned.release.version},
          {"state", artifacts::state_name(planned.release.state)},
          {"keep", !planned.goes()},
          {"why", planned.kept_by},
          {"frees", planned.frees},
          {"done", planned.done},
          {"links", links}};
}

std::string kept_text(const std::vector<PlannedRelease>& planned) {
  std::vector<std::pair<std::string, std::size_t>> classes;
  std::size_t all = 0;
  for (const PlannedRelease& row : planned) {
    if (row.goes()) continue;
    ++all;
    const std::string name = class_of(row.kept_by.front());
    auto found = std::find_if(classes.begin(), classes.end(), [&](const auto& c) { return c.first == name; });
    if (found == classes.end()) found = classes.insert(classes.end(), {name, 0});
    ++found->second;
  }
  std::vector<std::string> words;
  for (const auto& [name, count] : classes) words.push_back(fmt::format("{} {}", name, count));
  return words.empty() ? "keeps none" : fmt::format("keeps {} ({})", all, core::join(words, ", "));
}

std::string count_text(std::size_t count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace imgforge::cli
