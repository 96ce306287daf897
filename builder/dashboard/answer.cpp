#include "builder/dashboard/answer.hpp"

#include "core/error_json.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::dashboard {
namespace {

using core::Kind;

int status_of(Kind kind) {
  switch (kind) {
    case Kind::kUsage:
      return 400;
    case Kind::kPermission:
      return 403;
    case Kind::kLocked:
      return 409;
    case Kind::kUnsafe:
      return 413;
    case Kind::kMachine:
      return 501;
    case Kind::kInterrupted:
      return 503;
    case Kind::kTimeout:
      return 504;
    default:
      return 500;
  }
}

}  // namespace

std::string Request::query_member(std::string_view name) const {
  for (const std::string& member : core::split(query, '&')) {
    if (member.size() > name.size() && member.starts_with(name) && member[name.size()] == '=')
      return member.substr(name.size() + 1);
  }
  return {};
}

Answer json_answer(const core::Json& value, int status) {
  Answer answer;
  answer.status = status;
  answer.body = value.dump(-1, ' ', false, core::Json::error_handler_t::replace) + "\n";
  return answer;
}

Answer error_answer(const core::Error& error, int status) {
  Answer answer;
  answer.status = status == 0 ? status_of(error.kind()) : status;
  answer.body = core::error_line(error);
  return answer;
}

}  // namespace imgforge::dashboard
