#include "builder/dashboard/relay.hpp"

#include <fmt/format.h>

#include "builder/dashboard/api.hpp"
#include "builder/machines/control/control.hpp"
#include "builder/machines/qemu/machine_words.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/local_socket.hpp"

namespace imgforge::dashboard {
namespace {

using core::Error;
using core::Json;
using core::Kind;

constexpr std::size_t kLongestGreeting = 4096;

core::Fd connect(const machines::Entry& entry, const char* socket) {
  auto fd = core::connect_local(entry.folder, socket);
  if (!fd) throw Error(Kind::kUsage, fmt::format("the machine {} does not run", entry.name));
  return *std::move(fd);
}

}  // namespace

void open_peer(const machines::Registry& registry, Session& session) {
  const std::vector<std::string> parts = api_parts(session.request.path);
  if (parts.size() == 1 && parts[0] == "events") {
    session.purpose = Purpose::kEvents;
    return;
  }
  if (parts.size() != 3 || parts[0] != "machines") throw Error(Kind::kUsage, "there is no such WebSocket");
  const machines::Entry entry = registry.find(parts[1]);
  if (parts[2] == "console") {
    session.peer = connect(entry, machines::kControlSocket);
    const bool writes = session.request.query_member("write") != "0";
    session.to_peer = Json{{"command", "attach"}, {"write", writes}}.dump() + "\n";
    session.purpose = Purpose::kConsole;
  } else if (parts[2] == "screen") {
    if (entry.settings && !entry.settings->graphics) {
      throw Error(Kind::kUsage, entry.name + " has no screen")
          .hint("imgforge vm run --graphics gives it one");
    }
    session.peer = connect(entry, machines::kScreenSocket);
    session.purpose = Purpose::kScreen;
  } else {
    throw Error(Kind::kUsage, "there is no such WebSocket");
  }
}

bool take_from_peer(Session& session, std::string_view data) {
  if (session.purpose == Purpose::kScreen || session.greeted)
    return session.out.push(Outbox::Kind::kBytes, data);
  session.greeting += data;
  const std::size_t end = session.greeting.find('\n');
  if (end == std::string::npos) return session.greeting.size() <= kLongestGreeting;
  const std::string rest = session.greeting.substr(end + 1);
  try {
    const Json answer =
        core::parse_json(std::string_view(session.greeting).substr(0, end), "the machine's process");
    const Json greeting{{"writes", answer.at("return").at("writes").get<bool>()}};
    session.greeted = session.out.push(Outbox::Kind::kText, greeting.dump());
  } catch (const std::exception&) {
    return false;
  }
  session.greeting.clear();
  return session.greeted && (rest.empty() || session.out.push(Outbox::Kind::kBytes, rest));
}

}  // namespace imgforge::dashboard
