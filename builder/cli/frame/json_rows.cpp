#include "builder/cli/frame/json_rows.hpp"

#include <vector>

#include "core/json.hpp"
#include "core/parallel.hpp"

namespace imgforge::cli {
namespace {

/// The text of a row as it stands two levels down.
std::string indented(const core::Json& row) {
  std::string out = "    ";
  for (const char c : row.dump(2)) {
    out += c;
    if (c == '\n') out += "    ";  // inside texts it is written \n
  }
  return out;
}

}  // namespace

std::string print_json_rows(const core::Json& head, std::string_view key, std::size_t count,
                            const std::function<core::Json(std::size_t)>& row) {
  std::vector<std::string> rows(count);
  core::for_each_parallel(count, core::kOneACore, [&](std::size_t i) { rows[i] = indented(row(i)); });
  core::Json frame = head;
  frame[std::string(key)] = core::Json::array();
  std::string text = core::print_json(frame);
  if (rows.empty()) return text;
  text.resize(text.rfind(']'));  // before the end of the list, which is the last member
  text += '\n';
  for (std::size_t i = 0; i < count; ++i) {
    text += rows[i];
    text += i + 1 < count ? ",\n" : "\n";
    rows[i] = {};
  }
  return text + "  ]\n}\n";
}

}  // namespace imgforge::cli
