#include "core/json.hpp"

#include <set>
#include <vector>

#include "core/error.hpp"
#include "core/text.hpp"

template class nlohmann::basic_json<nlohmann::ordered_map>;

namespace imgforge::core {

Json parse_json(std::string_view text, std::string_view what, JsonLimits limits) {
  const auto refuse = [&](const std::string& why) {
    return Error(Kind::kIntegrity, std::string(what) + " " + why);
  };
  if (text.size() > limits.bytes) throw refuse("is larger than " + std::to_string(limits.bytes) + " bytes");
  if (!is_utf8(text)) throw refuse("is not UTF-8");
  // The parser ends at the one and passes over the other: bytes that are signed must have one reading.
  if (text.find('\0') != std::string_view::npos) throw refuse("has a NUL byte");
  if (text.starts_with("\xEF\xBB\xBF")) throw refuse("begins with a byte order mark");
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& value) {
    if (depth > limits.depth) throw refuse("is nested deeper than " + std::to_string(limits.depth));
    if (event == Json::parse_event_t::object_start) {
      keys.emplace_back();
    } else if (event == Json::parse_event_t::object_end) {
      keys.pop_back();
    } else if (event == Json::parse_event_t::key) {
      const std::string key = value.get<std::string>();
      if (!keys.back().insert(key).second) throw refuse("has the key \"" + escaped(key, 60) + "\" twice");
    }
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), watch);
  } catch (const Json::exception& error) {
    throw refuse("is not valid JSON: " + escaped(error.what(), 200));
  }
}

std::string print_json(const Json& value) {
  return value.dump(2) + "\n";
}

}  // namespace imgforge::core
