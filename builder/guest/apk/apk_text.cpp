#include "builder/guest/apk/apk_text.hpp"

#include <algorithm>
#include <charconv>
#include <map>

#include "core/text.hpp"

namespace imgforge::guest {
namespace {

struct Verb {
  std::string_view word;
  PlannedPackage::Action action;
};

constexpr Verb kVerbs[] = {
    {"Installing", PlannedPackage::Action::kInstall},    {"Upgrading", PlannedPackage::Action::kUpgrade},
    {"Downgrading", PlannedPackage::Action::kDowngrade}, {"Replacing", PlannedPackage::Action::kReplace},
    {"Reinstalling", PlannedPackage::Action::kReplace},  {"Purging", PlannedPackage::Action::kRemove},
};

/// "(1/42) Upgrading jq (1.6-r0 -> 1.7-r0)"; apk 3 writes "( 1/42)".
std::optional<PlannedPackage> parse_line(std::string_view line) {
  if (line.empty() || line.front() != '(') return std::nullopt;
  line.remove_prefix(std::min(line.find_first_not_of(' ', 1), line.size()));
  const std::vector<std::string> words = core::split(line, ' ');
  if (words.size() < 4 || words[3].size() < 2 || words[3].front() != '(') return std::nullopt;
  for (const Verb& verb : kVerbs) {
    if (words[1] != verb.word) continue;
    const std::size_t open = line.find('(');
    const std::size_t close = line.rfind(')');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open)
      return std::nullopt;
    PlannedPackage package{verb.action, words[2], {}, {}};
    const std::string_view versions = line.substr(open + 1, close - open - 1);
    const std::size_t arrow = versions.find(" -> ");
    if (arrow == std::string_view::npos) {
      package.version = versions;
    } else {
      package.old_version = versions.substr(0, arrow);
      package.version = versions.substr(arrow + 4);
    }
    return package;
  }
  return std::nullopt;
}

/// "hello-world" of "hello-world-1.0-r0": the name ends before the last but one hyphen.
std::string without_version(std::string_view package) {
  const std::size_t revision = package.rfind('-');
  if (revision == std::string_view::npos || revision == 0) return std::string(package);
  const std::size_t version = package.rfind('-', revision - 1);
  return std::string(package.substr(0, version));
}

}  // namespace

std::string name_of_constraint(std::string_view constraint) {
  if (!constraint.empty() && constraint.front() == '!') constraint.remove_prefix(1);
  return std::string(constraint.substr(0, constraint.find_first_of("<>=~@")));
}

std::vector<std::string> next_world(std::string_view base, const std::vector<recipe::Marked>& add,
                                    const std::vector<recipe::Marked>& remove) {
  std::map<std::string, std::string> entries;
  std::string words(base);
  std::replace(words.begin(), words.end(), '\n', ' ');
  for (const std::string& word : core::split(words, ' ')) {
    if (!word.empty()) entries[name_of_constraint(word)] = word;
  }
  for (const recipe::Marked& name : remove) entries.erase(name_of_constraint(name.value));
  for (const recipe::Marked& constraint : add) {
    entries[name_of_constraint(constraint.value)] = constraint.value;
  }
  std::vector<std::string> world;
  for (const auto& [name, constraint] : entries) world.push_back(constraint);
  return world;
}

std::vector<PlannedPackage> parse_plan(std::string_view output) {
  std::vector<PlannedPackage> plan;
  for (const std::string& line : core::split(output, '\n')) {
    if (std::optional<PlannedPackage> package = parse_line(core::trimmed(line))) plan.push_back(*package);
  }
  return plan;
}

std::vector<std::string> missing_packages(std::string_view output) {
  constexpr std::string_view kMark = " (no such package)";
  std::vector<std::string> names;
  for (const std::string& line : core::split(output, '\n')) {
    const std::string_view text = core::trimmed(line);
    const std::size_t mark = text.find(kMark);
    if (mark != std::string_view::npos) names.emplace_back(text.substr(0, mark));
  }
  return names;
}

std::optional<FailedScript> failed_script(std::string_view output) {
  constexpr std::string_view kStart = "ERROR: ";
  constexpr std::string_view kFolder = "lib/apk/exec/";  // apk 3 names it
  constexpr std::string_view kScript = ": script";       // apk 2 calls it so
  constexpr std::string_view kExited = " exited with error ";
  for (const std::string& line : core::split(output, '\n')) {
    const std::size_t exited = line.find(kExited);
    if (!line.starts_with(kStart) || exited == std::string::npos) continue;
    std::string_view what = std::string_view(line).substr(kStart.size(), exited - kStart.size());
    if (what.starts_with(kFolder)) what.remove_prefix(kFolder.size());
    if (what.ends_with(kScript)) what.remove_suffix(kScript.size());
    if (what.ends_with(':')) what.remove_suffix(1);
    const std::size_t dot = what.rfind('.');
    FailedScript failed;
    failed.package = without_version(what.substr(0, dot));
    if (dot != std::string_view::npos) failed.script = what.substr(dot + 1);
    const std::string_view code = std::string_view(line).substr(exited + kExited.size());
    std::from_chars(code.data(), code.data() + code.size(), failed.exit_code);
    return failed;
  }
  return std::nullopt;
}

}  // namespace imgforge::guest
