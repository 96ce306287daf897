#include "builder/cli/frame/diff_sections.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.hpp"

namespace imgforge::cli {

using artifacts::Change;
using artifacts::DiffRow;

std::string diff_counts(const std::vector<DiffRow>& rows) {
  std::vector<std::string> words;
  for (const Change change : {Change::kAdded, Change::kRemoved, Change::kChanged}) {
    const auto count =
        std::count_if(rows.begin(), rows.end(), [&](const DiffRow& row) { return row.change == change; });
    if (count > 0) words.push_back(fmt::format("{} {}", count, artifacts::change_name(change)));
  }
  return core::join(words, ", ");
}

std::string diff_text(const std::string& title, const std::vector<DiffSection>& sections,
                      const Style& style) {
  std::string text = style.bold(title) + "\n";
  for (const DiffSection& section : sections) {
    if (section.rows.empty()) continue;
    text += fmt::format("{}: {}\n", section.title, diff_counts(section.rows));
    for (const DiffRow& row : section.rows) {
      const std::string name = core::escaped(row.name);
      const std::string before = core::escaped(row.before);
      const std::string after = core::escaped(row.after);
      if (row.change == Change::kAdded) text += fmt::format("  {} {} {}\n", style.good("+"), name, after);
      if (row.change == Change::kRemoved) text += fmt::format("  {} {} {}\n", style.bad("-"), name, before);
      if (row.change == Change::kChanged)
        text += fmt::format("  {} {} {} -> {}\n", style.warn("~"), name, before, after);
    }
  }
  if (std::all_of(sections.begin(), sections.end(), [](const DiffSection& s) { return s.rows.empty(); }))
    text += "no difference\n";
  return text;
}

core::Json diff_json(const artifacts::Manifest& before, const artifacts::Manifest& after,
                     const std::vector<DiffSection>& sections) {
  core::Json json{{"schema", 1},
                  {"before", before.line() + "@" + before.version},
                  {"after", after.line() + "@" + after.version}};
  for (const DiffSection& section : sections) {
    core::Json rows = core::Json::array();
    for (const DiffRow& row : section.rows) {
      rows.push_back({{"name", row.name},
                      {"change", artifacts::change_name(row.change)},
                      {"before", row.change == Change::kAdded ? core::Json() : core::Json(row.before)},
                      {"after", row.change == Change::kRemoved ? core::Json() : core::Json(row.after)}});
    }
    json[section.key] = rows;
  }
  return json;
}

}  // namespace imgforge::cli
