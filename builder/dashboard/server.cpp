#include "builder/dashboard/server.hpp"

#include <fmt/format.h>
#include <libwebsockets.h>

#include "builder/dashboard/loop.hpp"
#include "core/error.hpp"
#include "core/signals_blocked.hpp"

namespace imgforge::dashboard {
namespace {

using core::Error;
using core::Kind;

constexpr std::size_t kMostClients = 100;
constexpr std::size_t kLongestHead = 8192;
constexpr lws_usec_t kBeat = 200 * LWS_US_PER_MS;

}  // namespace

Server::Loop::Loop(const machines::Registry& registry, ServerOptions options)
    : registry_(registry), context_(make_context(options.port)), guard_(port()) {
  const core::SignalsBlocked blocked;
  watcher_.emplace(registry, [this](const std::string& event) { take_event(event); });
  api_.emplace(registry, *watcher_, std::move(options.run));
  jobs_.emplace([this] { lws_cancel_service(context_); });
}

Server::Loop::~Loop() {
  jobs_.reset();
  watcher_.reset();
  lws_context_destroy(context_);
}
void Server::Loop::run(const core::CancelToken& cancel) {
  beat(&beat_.timer);
  while (!cancel.cancelled() && lws_service(context_, 0) >= 0) {
  }
}

void Server::Loop::beat(lws_sorted_usec_list_t* timer) {
  Loop* loop = lws_container_of(timer, Beat, timer)->loop;
  lws_sul_schedule(loop->context_, 0, timer, &Loop::beat, kBeat);
}

int Server::Loop::callback(lws* wsi, lws_callback_reasons reason, void*, void* in, std::size_t size) {
  auto* loop = static_cast<Loop*>(lws_context_user(lws_get_context(wsi)));
  try {
    return loop->on(wsi, reason, std::string_view(static_cast<const char*>(in), in == nullptr ? 0 : size));
  } catch (const std::exception&) {
    return -1;
  }
}

int Server::Loop::relay_callback(lws* wsi, lws_callback_reasons reason, void*, void* in, std::size_t size) {
  auto* loop = static_cast<Loop*>(lws_context_user(lws_get_context(wsi)));
  try {
    return loop->on_relay(wsi, reason,
                          std::string_view(static_cast<const char*>(in), in == nullptr ? 0 : size));
  } catch (const std::exception&) {
    return -1;
  }
}

lws_context* Server::Loop::make_context(std::uint16_t port) {
  lws_set_log_level(0, nullptr);
  beat_.loop = this;
  protocols_[0] = {"http", &Loop::callback, 0, kPart, 0, nullptr, 0};
  protocols_[1] = {"relay", &Loop::relay_callback, 0, kPart, 0, nullptr, 0};
  lws_context_creation_info info{};
  info.port = port;
  info.iface = "127.0.0.1";
  info.protocols = protocols_;
  info.user = this;
  info.options = LWS_SERVER_OPTION_DISABLE_IPV6 | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                 LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND;
  info.max_http_header_data2 = kLongestHead;
  info.max_http_header_pool2 = kMostClients;
  info.timeout_secs = 20;
  info.keepalive_timeout = 15;
  info.fd_limit_per_thread = 512;
  lws_context* context = lws_create_context(&info);
  if (context == nullptr) throw Error(Kind::kInternal, "cannot set up the server");
  vhost_ = lws_create_vhost(context, &info);
  if (vhost_ == nullptr) {
    lws_context_destroy(context);
    throw Error(Kind::kMachine, fmt::format("cannot listen at port {} of 127.0.0.1", port))
        .hint("--port 0 takes any free one");
  }
  return context;
}

Session& Server::Loop::session_of(lws* wsi) {
  Session& session = sessions_[wsi];
  if (session.id == 0) session.id = ++last_id_;
  return session;
}

int Server::Loop::on(lws* wsi, lws_callback_reasons reason, std::string_view data) {
  switch (reason) {
    case LWS_CALLBACK_FILTER_NETWORK_CONNECTION:
      return sessions_.size() >= kMostClients ? -1 : 0;
    case LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED:
      session_of(wsi);
      return 0;
    case LWS_CALLBACK_WSI_DESTROY:
      return forget(wsi);
    case LWS_CALLBACK_HTTP:
      return take_request(wsi);
    case LWS_CALLBACK_HTTP_BODY:
      return take_body(session_of(wsi), data);
    case LWS_CALLBACK_HTTP_BODY_COMPLETION:
      if (session_of(wsi).waits_for_body) begin_job(wsi, session_of(wsi));
      return 0;
    case LWS_CALLBACK_HTTP_WRITEABLE:
      return send_answer(wsi, session_of(wsi));
    case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
      return confirm_upgrade(wsi, data.data());  // a text without a length
    case LWS_CALLBACK_ESTABLISHED:
      return begin_socket(wsi, session_of(wsi));
    case LWS_CALLBACK_RECEIVE:
      return take_message(session_of(wsi), data);
    case LWS_CALLBACK_SERVER_WRITEABLE:
      return send_message(wsi, session_of(wsi));
    case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
      take_results();
      return 0;
    default:
      return 0;
  }
}

int Server::Loop::forget(lws* wsi) {
  const auto found = sessions_.find(wsi);
  if (found == sessions_.end()) return 0;
  if (found->second.relay != nullptr) {
    relays_.erase(found->second.relay);
    lws_set_timeout(found->second.relay, PENDING_TIMEOUT_CLOSE_ACK, LWS_TO_KILL_ASYNC);
  }
  const bool was_page = found->second.purpose == Purpose::kEvents;
  sessions_.erase(found);
  if (was_page) count_pages();
  return 0;
}

Server::Server(const machines::Registry& registry, ServerOptions options)
    : loop_(std::make_unique<Loop>(registry, std::move(options))) {}
Server::~Server() = default;

std::uint16_t Server::port() const {
  return loop_->port();
}

std::string Server::address() const {
  return loop_->guard().address();
}

const std::string& Server::token() const {
  return loop_->guard().token();
}

void Server::run(const core::CancelToken& cancel) {
  loop_->run(cancel);
}

}  // namespace imgforge::dashboard
