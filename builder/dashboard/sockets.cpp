// WebSockets, and the ends of machines that they are joined to.
#include <strings.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "builder/dashboard/loop.hpp"
#include "builder/dashboard/relay.hpp"
#include "builder/dashboard/wire.hpp"
#include "core/error.hpp"

namespace imgforge::dashboard {
namespace {

using core::Error;
using core::Kind;

constexpr std::size_t kMostSockets = 32;
constexpr std::size_t kMostTyped = 256 << 10;  // and not yet taken by the machine

}  // namespace

void Server::Loop::count_pages() {
  const auto pages = std::count_if(sessions_.begin(), sessions_.end(),
                                   [](const auto& row) { return row.second.purpose == Purpose::kEvents; });
  if (watcher_) watcher_->set_pages(static_cast<std::size_t>(pages));
}

void Server::Loop::take_event(const std::string& event) {
  {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
  }
  lws_cancel_service(context_);
}

int Server::Loop::confirm_upgrade(lws* wsi, const char* protocol) {
  if (protocol == nullptr || ::strcasecmp(protocol, "websocket") != 0) return -1;
  Session& session = session_of(wsi);
  session.request = request_of(wsi);
  session.request.upgrades = true;
  const Verdict verdict = guard_.judge(session.request);
  std::optional<Answer> refused = refusal(verdict);
  try {
    if (!refused) {
      const auto sockets = std::count_if(sessions_.begin(), sessions_.end(), [](const auto& row) {
        return row.second.purpose != Purpose::kNone;
      });
      if (static_cast<std::size_t>(sockets) >= kMostSockets)
        throw Error(Kind::kLocked, "too many pages are open");
      open_peer(registry_, session);
    }
  } catch (const Error& error) {
    refused = error_answer(error);
  }
  if (!refused) return 0;
  session.purpose = Purpose::kNone;
  reply_and_close(wsi, session, *std::move(refused));
  return 1;
}

int Server::Loop::begin_socket(lws* wsi, Session& session) {
  if (session.purpose == Purpose::kNone) return -1;
  if (session.purpose == Purpose::kEvents) {
    count_pages();
    return 0;
  }
  lws_sock_file_fd_type fd{};
  fd.sockfd = session.peer.release();
  session.relay = lws_adopt_descriptor_vhost(vhost_, LWS_ADOPT_SOCKET, fd, "relay", nullptr);
  if (session.relay == nullptr) return -1;
  relays_[session.relay] = wsi;
  lws_set_timeout(session.relay, NO_PENDING_TIMEOUT, 0);
  return send_to_peer(session) ? 0 : -1;
}

int Server::Loop::take_message(Session& session, std::string_view data) {
  if (session.relay == nullptr || session.to_peer.size() + data.size() > kMostTyped) return -1;
  session.to_peer += data;
  return send_to_peer(session) ? 0 : -1;
}

/// At once, as far as the machine takes it: a client may go as soon as it has said something.
bool Server::Loop::send_to_peer(Session& session) {
  while (!session.to_peer.empty()) {
    const ssize_t n = ::send(lws_get_socket_fd(session.relay), session.to_peer.data(), session.to_peer.size(),
                             MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return lws_callback_on_writable(session.relay) >= 0;
    if (n < 0) return false;
    session.to_peer.erase(0, static_cast<std::size_t>(n));
  }
  return true;
}

int Server::Loop::send_message(lws* wsi, Session& session) {
  if (session.out.empty()) return session.ends ? -1 : 0;
  const bool text = session.out.kind() == Outbox::Kind::kText;
  const std::string_view part = session.out.next(kPart);
  std::vector<unsigned char> buffer(LWS_PRE + part.size());
  std::copy(part.begin(), part.end(), buffer.begin() + LWS_PRE);
  const auto mode = text ? LWS_WRITE_TEXT : LWS_WRITE_BINARY;
  if (lws_write(wsi, buffer.data() + LWS_PRE, part.size(), mode) < 0) return -1;
  session.out.pop(part.size());
  if (!session.out.empty() || session.ends) lws_callback_on_writable(wsi);
  if (session.relay != nullptr && session.out.size() < Outbox::kEnough) lws_rx_flow_control(session.relay, 1);
  return 0;
}

int Server::Loop::on_relay(lws* relay, lws_callback_reasons reason, std::string_view data) {
  const auto found = relays_.find(relay);
  if (found == relays_.end()) return reason == LWS_CALLBACK_RAW_RX ? -1 : 0;
  lws* wsi = found->second;
  Session& session = session_of(wsi);
  if (reason == LWS_CALLBACK_RAW_RX) {
    if (!take_from_peer(session, data)) return -1;
    if (session.out.size() >= Outbox::kEnough) lws_rx_flow_control(relay, 0);
    lws_callback_on_writable(wsi);
  } else if (reason == LWS_CALLBACK_RAW_WRITEABLE) {
    return send_to_peer(session) ? 0 : -1;
  } else if (reason == LWS_CALLBACK_RAW_CLOSE) {
    relays_.erase(found);
    session.relay = nullptr;
    session.ends = true;
    lws_callback_on_writable(wsi);
  }
  return 0;
}

}  // namespace imgforge::dashboard
