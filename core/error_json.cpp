#include "core/error_json.hpp"

#include "core/json.hpp"
#include "core/kind_names.hpp"

namespace imgforge::core {

Json error_body(const Error& error) {
  Json body{{"code", kind_name(error.kind())}, {"message", error.message()}};
  if (error.reason() != Reason::kNone) body["reason"] = reason_name(error.reason());
  if (error.mark()) {
    body["file"] = error.mark()->file;
    body["line"] = error.mark()->line;
    body["column"] = error.mark()->column;
  }
  if (!error.contexts().empty()) body["while"] = error.contexts();
  if (!error.quote().empty()) body["output"] = error.quote();
  if (!error.hint().empty()) body["hint"] = error.hint();
  return body;
}

std::string error_line(const Error& error) {
  const Json line{{"schema", 1}, {"error", error_body(error)}};
  return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Error error_of(const Json& body) {
  Error error(kind_named(body.value("code", "")).value_or(Kind::kInternal), body.value("message", ""));
  if (const auto steps = body.find("while"); steps != body.end())
    for (const Json& step : *steps) error.context(step.get<std::string>());
  if (const std::string said = body.value("output", ""); !said.empty()) error.quote(said);
  if (const std::string hint = body.value("hint", ""); !hint.empty()) error.hint(hint);
  return error;
}

}  // namespace imgforge::core
