#include "builder/machines/control/control.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/kind_names.hpp"
#include "core/local_socket.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Kind;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kStep{100};

/// Whatever the other end says, nobody interrupted this command.
[[noreturn]] void refuse(const core::Json& error) {
  const Kind kind = core::kind_named(error.value("kind", "")).value_or(Kind::kInternal);
  throw Error(kind == Kind::kInterrupted ? Kind::kInternal : kind,
              core::escaped(error.value("message", error.value("desc", "")), 2000));
}

}  // namespace

std::optional<Control> Control::connect(const std::filesystem::path& folder) {
  std::optional<core::Fd> socket = core::connect_local(folder, kControlSocket);
  if (!socket) return std::nullopt;
  return Control(*std::move(socket));
}

Control Control::require(const std::filesystem::path& folder) {
  if (auto control = connect(folder)) return *std::move(control);
  const std::string name = folder.filename();
  throw Error(Kind::kUsage, fmt::format("the machine {} does not run", name))
      .hint("imgforge vm start " + name);
}

std::optional<core::Json> Control::next(milliseconds patience, const core::CancelToken& cancel) {
  const auto deadline = Clock::now() + patience;
  while (true) {
    if (auto line = channel_.next_line())
      return core::parse_json(*line, "the machine's process", {kLongestControlLine, 32});
    if (channel_.is_closed()) throw Error(Kind::kBoot, "the machine ended");
    cancel.check();
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
    if (left < milliseconds(0)) return std::nullopt;
    pollfd poll{channel_.fd(), channel_.events(), 0};
    ::poll(&poll, 1, static_cast<int>(std::min(left + milliseconds(1), kStep).count()));
    if (poll.revents != 0) channel_.work();
  }
}

core::Json Control::ask(const core::Json& request, milliseconds patience, const core::CancelToken& cancel) {
  channel_.send(request.dump() + "\n");
  std::optional<core::Json> answer = next(patience, cancel);
  if (!answer) throw Error(Kind::kTimeout, "the machine's process does not answer");
  if (const auto error = answer->find("error"); error != answer->end()) refuse(*error);
  if (!answer->contains("return"))
    throw Error(Kind::kInternal, "the machine's process answers something else");
  return answer->at("return");
}

}  // namespace imgforge::machines
