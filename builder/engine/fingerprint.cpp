#include "builder/engine/fingerprint.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/json.hpp"

namespace imgforge::engine {
namespace {

constexpr core::JsonLimits kLimits{64 << 20, 32};
constexpr int kForm = 3;  ///< of canonical texts

std::string explain_json(const core::Json& before, const core::Json& after, const std::string& path) {
  if (before == after) return {};
  if (before.is_object() && after.is_object()) {
    for (const auto& [key, value] : after.items()) {
      const std::string inner = path.empty() ? key : path + "." + key;
      if (!before.contains(key)) return fmt::format("{} is new", inner);
      if (std::string text = explain_json(before.at(key), value, inner); !text.empty()) return text;
    }
    for (const auto& [key, value] : before.items()) {
      if (!after.contains(key)) return fmt::format("{}{}{} is gone", path, path.empty() ? "" : ".", key);
    }
    return path + " changed its order";
  }
  if (before.is_array() && after.is_array()) {
    for (const core::Json& value : after) {
      if (std::find(before.begin(), before.end(), value) == before.end()) {
        return fmt::format("{} gained {}", path, value.dump().substr(0, 120));
      }
    }
    for (const core::Json& value : before) {
      if (std::find(after.begin(), after.end(), value) == after.end()) {
        return fmt::format("{} lost {}", path, value.dump().substr(0, 120));
      }
    }
    return path + " changed its order";
  }
  return fmt::format("{} was {}, is {}", path, before.dump().substr(0, 80), after.dump().substr(0, 80));
}

}  // namespace

std::string canonical_text(const StepRecord& step, const std::map<std::string, std::string>& inputs,
                           const Tools& tools) {
  core::Json text;
  text["imgforge-step"] = kForm;
  text["kind"] = step.kind;
  text["parameters"] = core::Json::parse(step.parameters);
  text["inputs"] = core::Json::object();
  for (const auto& [name, identity] : inputs) text["inputs"][name] = core::Json::parse(identity);
  text["tools"] = core::Json::object();
  for (const auto& [name, version] : tools) text["tools"][name] = version;
  return text.dump();
}

core::Digest fingerprint_of(const std::string& canonical) {
  return core::digest_of(core::HashAlgorithm::kSha256, canonical);
}

std::string explain_difference(std::string_view before, std::string_view after) {
  if (before == after) return {};
  return explain_json(core::parse_json(before, "the recorded step", kLimits),
                      core::parse_json(after, "the step", kLimits), "");
}

bool has_parameters(std::string_view canonical, const std::string& parameters) {
  try {
    const core::Json before = core::parse_json(canonical, "the recorded step", kLimits);
    return before.is_object() && before.contains("parameters") &&
           before.at("parameters") == core::Json::parse(parameters);
  } catch (const core::Error&) {
    return false;
  }
}

}  // namespace imgforge::engine
