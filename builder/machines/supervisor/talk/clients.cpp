#include "builder/machines/supervisor/talk/clients.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "builder/machines/control/control.hpp"
#include "core/local_socket.hpp"

namespace imgforge::machines {
namespace {

constexpr std::size_t kMostClients = 64;
/// One that does not read what it asked to see is dropped.
constexpr std::size_t kMostUnread = 4 << 20;
constexpr int kLastMoment = 200;  // milliseconds

}  // namespace

Clients::Client::Client(core::Fd fd) : channel(std::move(fd), kLongestControlLine) {}

Clients::Clients(const std::filesystem::path& folder, Handle handle)
    : socket_(core::listen_local(folder, kControlSocket)), handle_(std::move(handle)) {}

Clients::Client* Clients::find(Id id) {
  const auto found = clients_.find(id);
  return found == clients_.end() ? nullptr : &found->second;
}

void Clients::answer(Id id, const core::Json& value) {
  answer_line(id, core::Json{{"return", value}}.dump());
}

void Clients::answer_line(Id id, const std::string& line) {
  Client* client = find(id);
  if (client == nullptr) return;
  client->busy = false;
  client->channel.send(line + "\n");
}

void Clients::refuse(Id id, core::Kind kind, const std::string& message) {
  const core::Json error{{"kind", core::kind_name(kind)}, {"message", message}};
  answer_line(id, core::Json{{"error", error}}.dump(-1, ' ', false, core::Json::error_handler_t::replace));
}

void Clients::watch(Id id, Owner owner) {
  if (Client* client = find(id)) {
    client->watches = true;
    client->owner = owner == Owner::kYes;
    had_owner_ = had_owner_ || client->owner;
  }
}

void Clients::guard(Id id, Mover mover) {
  if (Client* client = find(id)) client->mover = mover == Mover::kYes;
}

void Clients::attach(Id id, Wants wants, std::string_view recent) {
  const bool taken =
      std::any_of(clients_.begin(), clients_.end(), [](const auto& c) { return c.second.writes; });
  const bool writes = wants == Wants::kWrite && !taken;
  answer(id, {{"writes", writes}});
  if (Client* client = find(id)) {
    client->attached = true;
    client->writes = writes;
    client->channel.send(recent);
  }
}

void Clients::tell(const core::Json& event) {
  for (auto& [id, client] : clients_)
    if (client.watches) client.channel.send(event.dump() + "\n");
}

void Clients::show(std::string_view raw) {
  for (auto& [id, client] : clients_) {
    if (!client.attached) continue;
    client.channel.send(raw);
    if (client.channel.unsent() > kMostUnread) client.channel.close();
  }
}

void Clients::add_to(std::vector<pollfd>& polls) const {
  polls.push_back({socket_.get(), POLLIN, 0});
  for (const auto& [id, client] : clients_)
    if (!client.channel.is_closed()) polls.push_back({client.channel.fd(), client.channel.events(), 0});
}

void Clients::accept_all() {
  while (true) {
    core::Fd fd(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) return;
    if (clients_.size() < kMostClients) clients_.try_emplace(++last_, std::move(fd));
  }
}

void Clients::serve(Id id) {
  Client* client = find(id);
  client->channel.work();
  if (client->attached) {
    const std::string typed = client->channel.take_all();
    if (client->writes && !typed.empty() && on_typed) on_typed(typed);
    return;
  }
  while (client != nullptr && !client->busy && !client->attached) {
    const std::optional<std::string> line = client->channel.next_line();
    if (!line) return;
    client->busy = true;
    try {
      handle_(id, core::parse_json(*line, "the request", {kLongestControlLine, 32}));
    } catch (const core::Error& error) {
      refuse(id, error.kind(), error.message());
    } catch (const core::Json::exception&) {
      refuse(id, core::Kind::kUsage, "the request lacks a member, or has one of the wrong kind");
    }
    client = find(id);
  }
}

void Clients::work() {
  accept_all();
  bool owner_gone = false;
  bool mover_gone = false;
  for (auto next = clients_.begin(); next != clients_.end();) {
    serve(next->first);
    if (next->second.channel.is_closed()) {
      owner_gone = owner_gone || next->second.owner;
      mover_gone = mover_gone || next->second.mover;
      next = clients_.erase(next);
    } else {
      ++next;
    }
  }
  if (owner_gone && on_owner_gone) on_owner_gone();
  if (mover_gone && on_mover_gone) on_mover_gone();
}

void Clients::finish() {
  for (auto& [id, client] : clients_) {
    if (client.channel.is_closed() || client.channel.unsent() == 0) continue;
    pollfd poll{client.channel.fd(), POLLOUT, 0};
    if (::poll(&poll, 1, kLastMoment) > 0) client.channel.work();
  }
}

}  // namespace imgforge::machines
