#include "builder/dashboard/api.hpp"

#include <fmt/format.h>

#include <charconv>

#include "builder/dashboard/assets.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/kind_names.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::dashboard {
namespace {

using core::Error;
using core::Json;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "/api/v1/";
constexpr std::uint64_t kLargestPicture = 64 << 20;
constexpr unsigned kUsualLines = 200;
constexpr unsigned kMostLines = 10000;

Answer no_such_thing(const std::string& what) {
  return error_answer(Error(Kind::kUsage, what), 404);
}

Answer other_method(const char* allowed) {
  Answer answer = error_answer(Error(Kind::kUsage, fmt::format("only {} is possible here", allowed)), 405);
  answer.headers.emplace_back("allow:", allowed);
  return answer;
}

/// The members of a body, each a text or truth value; an empty body has none. Others than `known` are
/// refused.
Json members_of(const std::string& body, const std::set<std::string>& known) {
  if (body.empty()) return Json::object();
  Json members;
  try {
    members = core::parse_json(body, "the request", {kLongestBody, 4});
  } catch (const Error& error) {
    throw Error(Kind::kUsage, error.message());
  }
  if (!members.is_object()) throw Error(Kind::kUsage, "the body is no JSON object");
  for (const auto& [name, value] : members.items())
    if (!known.contains(name))
      throw Error(Kind::kUsage, "the body has an unknown member: " + core::escaped(name, 60));
  return members;
}

/// The error that a command printed with --json.
Answer command_failure(const core::ProcessResult& result) {
  const std::vector<std::string> lines = core::split(core::trimmed(result.err), '\n');
  try {
    const Json said = core::parse_json(lines.empty() ? "" : lines.back(), "the command");
    const std::string code = said.at("error").at("code").get<std::string>();
    if (const auto kind = core::kind_named(code)) {
      Answer answer = error_answer(Error(*kind, ""));
      answer.body = lines.back() + "\n";
      return answer;
    }
  } catch (const std::exception&) {  // it did not come as far as that
  }
  return error_answer(Error(Kind::kInternal, "the command failed").quote(core::tail_lines(result.err)));
}

/// Takes a name out of a set at the end.
class Done {
 public:
  Done(std::mutex& mutex, std::set<std::string>& names, const std::string& name)
      : mutex_(mutex), names_(names), name_(name) {}
  ~Done() {
    const std::lock_guard lock(mutex_);
    names_.erase(name_);
  }
  Done(const Done&) = delete;
  Done& operator=(const Done&) = delete;

 private:
  std::mutex& mutex_;
  std::set<std::string>& names_;
  const std::string& name_;
};

}  // namespace

std::vector<std::string> api_parts(const std::string& path) {
  if (!path.starts_with(kPrefix)) return {};
  return core::split(std::string_view(path).substr(kPrefix.size()), '/');
}

Answer Api::answer(const Request& request) {
  try {
    const std::vector<std::string> parts = api_parts(request.path);
    if (parts.size() == 1 && parts[0] == "schema")
      return request.method == "GET" ? page_file("/api.schema.json").value() : other_method("GET");
    if (parts.empty() || parts[0] != "machines" || parts.size() > 5)
      return no_such_thing("there is no such address");
    if (parts.size() == 1)
      return request.method == "GET" ? json_answer(watcher_.machines()) : other_method("GET");
    try {
      registry_.find(parts[1]);
    } catch (const Error& error) {
      return error_answer(error, 404);
    }
    return machine(request, parts);
  } catch (const Error& error) {
    return error_answer(error);
  } catch (const std::exception& error) {
    return error_answer(Error(Kind::kInternal, core::escaped(error.what())));
  }
}

Answer Api::machine(const Request& request, const std::vector<std::string>& parts) {
  const std::string& name = parts[1];
  const bool reads = request.method == "GET";
  if (parts.size() == 2) {
    if (!reads) return other_method("GET");
    const auto found = watcher_.machine(name);
    return found ? json_answer(*found) : no_such_thing("there is no machine " + core::escaped(name, 100));
  }
  const std::string& what = parts[2];
  if (parts.size() == 3 && what == "log") return reads ? log(request, name) : other_method("GET");
  if (parts.size() == 3 && what == "screenshot") return reads ? screenshot(name) : other_method("GET");
  if (what == "snapshots") return change_snapshot(request, parts);
  return change(request, parts);
}

Answer Api::change(const Request& request, const std::vector<std::string>& parts) {
  const std::string& name = parts[1];
  const std::string& what = parts[2];
  const std::vector<std::string> start{"start", name, "--for", "process"};
  std::vector<std::vector<std::string>> commands;
  if (parts.size() != 3) return no_such_thing("there is no such address");
  if (what == "start") {
    commands = {start};
  } else if (what == "stop") {
    commands = {{"stop", name}};
  } else if (what == "kill") {
    commands = {{"stop", name, "--kill"}};
  } else if (what == "restart") {
    commands = {{"stop", name}, start};
  } else {
    return no_such_thing("there is no such address");
  }
  if (request.method != "POST") return other_method("POST");
  members_of(request.body, {});
  // Whatever is being done with it, it can be ended.
  return what == "kill" ? run(commands.front()) : alone(name, commands);
}

Answer Api::change_snapshot(const Request& request, const std::vector<std::string>& parts) {
  const std::string& name = parts[1];
  if (parts.size() == 3 && request.method == "GET") return run({"snapshot", "list", name});
  if (parts.size() == 3 && request.method == "POST") {
    const Json members = members_of(request.body, {"name"});
    if (!members.contains("name") || !members.at("name").is_string())
      throw Error(Kind::kUsage, "the body has no name for the snapshot");
    Answer answer = alone(name, {{"snapshot", "create", name, "--", members.at("name").get<std::string>()}});
    if (answer.status == 200) answer.status = 201;
    return answer;
  }
  if (parts.size() == 3) return other_method("GET, POST");
  if (parts.size() == 4) {
    if (request.method != "DELETE") return other_method("DELETE");
    members_of(request.body, {});
    return alone(name, {{"snapshot", "remove", name, "--", parts[3]}});
  }
  if (parts.size() == 5 && parts[4] == "restore") {
    if (request.method != "POST") return other_method("POST");
    members_of(request.body, {});
    return alone(name, {{"snapshot", "restore", name, "--", parts[3]}});
  }
  return no_such_thing("there is no such address");
}

Answer Api::log(const Request& request, const std::string& name) {
  unsigned lines = kUsualLines;
  if (const std::string text = request.query_member("lines"); !text.empty()) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), lines);
    if (error != std::errc() || end != text.data() + text.size() || lines == 0 || lines > kMostLines)
      throw Error(Kind::kUsage, fmt::format("lines is a number from 1 to {}", kMostLines));
  }
  core::ProcessResult result = run_({"logs", name, "--lines", std::to_string(lines)});
  if (result.exit_code != 0) return command_failure(result);
  return {200, "text/plain; charset=utf-8", std::move(result.out), {}};
}

Answer Api::screenshot(const std::string& name) {
  const core::TempDir folder(fs::temp_directory_path(), "imgforge-dashboard");
  const fs::path file = folder.path() / "screen.png";
  const core::ProcessResult result = run_({"screenshot", name, file.native()});
  if (result.exit_code != 0) return command_failure(result);
  return {200, "image/png", core::read_text_file(file, kLargestPicture), {}};
}

Answer Api::alone(const std::string& name, const std::vector<std::vector<std::string>>& commands) {
  {
    const std::lock_guard lock(mutex_);
    if (!busy_.insert(name).second)
      throw Error(Kind::kLocked, fmt::format("something else is being done with {}", name));
  }
  const Done done(mutex_, busy_, name);
  Answer answer;
  for (const std::vector<std::string>& words : commands) {
    answer = run(words);
    if (answer.status != 200) break;
  }
  return answer;
}

Answer Api::run(const std::vector<std::string>& words) {
  try {
    const core::ProcessResult result = run_(words);
    if (result.exit_code != 0) return command_failure(result);
    return json_answer(core::parse_json(result.out, "the command"));
  } catch (const Error& error) {
    return error_answer(error);
  }
}

}  // namespace imgforge::dashboard
