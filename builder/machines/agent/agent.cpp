#include "builder/machines/agent/agent.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <span>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Json;
using core::Kind;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kShortestPause{1};
constexpr milliseconds kLongestPause{200};
constexpr std::size_t kPart = 256 << 10;  // of a file, at a time
constexpr std::size_t kLongestInput = 24 << 20;

std::string encoded(std::string_view text) {
  return core::to_base64({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

/// Closes a file of the guest, whatever happens.
class OpenFile {
 public:
  OpenFile(std::function<void(std::int64_t)> close, std::int64_t handle)
      : close_(std::move(close)), handle_(handle) {}
  ~OpenFile() {
    try {
      close_(handle_);
    } catch (const Error&) {  // the guest may be gone
    }
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  std::int64_t handle() const { return handle_; }

 private:
  std::function<void(std::int64_t)> close_;
  std::int64_t handle_;
};

}  // namespace

Json Agent::ask(const char* command, const Json& arguments, unsigned seconds) {
  Json request{{"execute", command}};
  if (!arguments.empty()) request["arguments"] = arguments;
  control_.channel().send(Json{{"command", "agent"}, {"seconds", seconds}, {"request", request}}.dump() +
                          "\n");
  const auto answer = control_.next(std::chrono::seconds(seconds + 5), cancel_);
  if (!answer) throw Error(Kind::kTimeout, "the machine's process does not answer");
  if (!answer->is_object()) throw Error(Kind::kIntegrity, "the agent in the machine answers nonsense");
  if (const auto found = answer->find("return"); found != answer->end()) return *found;
  const Json error = answer->value("error", Json::object());
  const auto word = [&](const char* name) {
    const auto found = error.is_object() ? error.find(name) : error.end();
    return found != error.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  // The machine's process says kind and message, the agent class and desc.
  if (!word("message").empty())
    throw Error(word("kind") == "E_TIMEOUT" ? Kind::kTimeout : Kind::kBoot, core::escaped(word("message")));
  throw Error(Kind::kBoot, fmt::format("the agent in the machine refuses {}: {}", command,
                                       core::escaped(word("desc"), 300)));
}

ExecStatus Agent::run(const std::vector<std::string>& words, std::string_view input, milliseconds patience) {
  if (words.empty()) throw Error(Kind::kUsage, "a command is missing");
  for (const std::string& word : words) {
    if (!core::is_utf8(word)) throw Error(Kind::kUsage, "the agent takes words of UTF-8 only");
  }
  if (input.size() > kLongestInput)
    throw Error(Kind::kUsage, "the agent takes at most 24 MiB of input").hint("imgforge vm cp copies more");
  Json arguments{{"path", words.front()},
                 {"arg", std::vector<std::string>(words.begin() + 1, words.end())},
                 {"capture-output", true}};
  if (!input.empty()) arguments["input-data"] = encoded(input);
  const auto start = Clock::now();
  const std::int64_t pid = parse_exec_started(ask("guest-exec", arguments));
  while (true) {
    const auto asked = Clock::now();
    ExecStatus status = parse_exec_status(ask("guest-exec-status", {{"pid", pid}}, 60));
    if (status.exited) return status;
    cancel_.check();
    const auto now = Clock::now();
    const auto passed = std::chrono::duration_cast<milliseconds>(now - start);
    if (passed > patience) {
      throw Error(Kind::kTimeout, fmt::format("{} did not end in the machine within {} s",
                                              core::escaped(words.front(), 100), patience.count() / 1000));
    }
    // Seen within an eighth of the time that it took; and as answering takes the guest as long as it takes,
    // it is left to itself for more than that.
    const auto answered = std::chrono::ceil<milliseconds>(now - asked);
    const milliseconds pause = std::clamp(std::max(passed / 8, 2 * answered), kShortestPause, kLongestPause);
    ::usleep(static_cast<useconds_t>(pause.count()) * 1000);
  }
}

std::vector<GuestAddress> Agent::addresses() {
  return parse_addresses(ask("guest-network-get-interfaces", Json::object()));
}

void Agent::read_file(const std::string& path, std::uint64_t limit,
                      const std::function<void(std::string_view)>& take) {
  const OpenFile file(
      [this](std::int64_t handle) {
        ask("guest-file-close", {{"handle", handle}});
      },
      parse_handle(ask("guest-file-open", {{"path", path}, {"mode", "r"}})));
  std::uint64_t taken = 0;
  while (true) {
    cancel_.check();
    const FilePart part =
        parse_file_part(ask("guest-file-read", {{"handle", file.handle()}, {"count", kPart}}));
    taken += part.content.size();
    if (taken > limit)
      throw Error(Kind::kUnsafe,
                  fmt::format("{} in the machine is larger than {} bytes", core::escaped(path), limit));
    take(part.content);
    if (part.at_end) return;
    if (part.content.empty()) throw Error(Kind::kIntegrity, "a file in the machine neither goes on nor ends");
  }
}

std::string Agent::read_file(const std::string& path, std::uint64_t limit) {
  std::string content;
  read_file(path, limit, [&](std::string_view part) { content += part; });
  return content;
}

void Agent::write_file(const std::string& path, const std::function<std::string(std::size_t)>& next) {
  const OpenFile file(
      [this](std::int64_t handle) {
        ask("guest-file-close", {{"handle", handle}});
      },
      parse_handle(ask("guest-file-open", {{"path", path}, {"mode", "w"}})));
  while (true) {
    cancel_.check();
    const std::string part = next(kPart);
    if (part.empty()) break;
    for (std::size_t sent = 0; sent < part.size();) {
      const std::string_view rest = std::string_view(part).substr(sent);
      const std::size_t taken = parse_written(
          ask("guest-file-write", {{"handle", file.handle()}, {"buf-b64", encoded(rest)}}), rest.size());
      if (taken == 0) throw Error(Kind::kIntegrity, "a file in the machine takes nothing more");
      sent += taken;
    }
  }
  ask("guest-file-flush", {{"handle", file.handle()}});
}

}  // namespace imgforge::machines
