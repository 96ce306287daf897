#include "builder/vm/qmp.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/local_socket.hpp"
#include "core/text.hpp"

namespace imgforge::vm {
namespace {

using core::Error;
using core::Kind;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{20};
constexpr std::size_t kLongestMessage = 1 << 20;

}  // namespace

std::optional<Qmp> Qmp::connect(const std::filesystem::path& folder, const std::string& name,
                                const core::CancelToken& cancel) {
  std::optional<core::Fd> socket = core::connect_local(folder, name);
  if (!socket) return std::nullopt;
  try {
    return Qmp(*std::move(socket), cancel);
  } catch (const Error& error) {
    if (error.kind() != Kind::kBoot) throw;
    return std::nullopt;  // QEMU listened and ended before it greeted
  }
}

Qmp::Qmp(core::Fd socket, const core::CancelToken& cancel) : socket_(std::move(socket)) {
  const core::Json greeting = message(cancel);
  const core::Json& version = greeting.at("QMP").at("version");
  const core::Json& numbers = version.at("qemu");
  version_ = fmt::format("{}.{}.{}", numbers.at("major").get<int>(), numbers.at("minor").get<int>(),
                         numbers.at("micro").get<int>());
  if (const std::string package = version.value("package", ""); !package.empty())
    version_ += fmt::format(" ({})", package);
  execute("qmp_capabilities", core::Json::object(), cancel);
}

core::Json Qmp::message(const core::CancelToken& cancel) {
  const auto deadline = Clock::now() + kPatience;
  while (received_.find('\n') == std::string::npos) {
    cancel.check();
    if (Clock::now() > deadline) throw Error(Kind::kTimeout, "QEMU's monitor does not answer");
    pollfd poll{socket_.get(), POLLIN, 0};
    if (::poll(&poll, 1, 100) <= 0) continue;
    std::array<char, 4096> buffer;
    const ssize_t n = ::read(socket_.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || received_.size() > kLongestMessage) throw Error(Kind::kBoot, "QEMU's monitor hung up");
    received_.append(buffer.data(), static_cast<std::size_t>(n));
  }
  const std::size_t end = received_.find('\n');
  const std::string line = received_.substr(0, end);
  received_.erase(0, end + 1);
  return core::parse_json(line, "QEMU's monitor");
}

core::Json Qmp::execute(const std::string& command, const core::Json& arguments,
                        const core::CancelToken& cancel) {
  core::Json request{{"execute", command}};
  if (!arguments.empty()) request["arguments"] = arguments;
  core::write_all(socket_.get(), request.dump() + "\n", "QEMU's monitor");
  while (true) {
    core::Json answer = message(cancel);
    if (answer.contains("return")) return answer.at("return");
    if (answer.contains("error")) {
      throw Error(Kind::kBoot, fmt::format("QEMU refuses {}: {}", command,
                                           core::escaped(answer.at("error").value("desc", ""))));
    }
    // Anything else is an event.
  }
}

}  // namespace imgforge::vm
