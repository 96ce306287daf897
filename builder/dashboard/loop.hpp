// The server's one thread as libwebsockets drives it: its clients, by their connection.
#pragma once

#include <libwebsockets.h>

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/dashboard/guard.hpp"
#include "builder/dashboard/jobs.hpp"
#include "builder/dashboard/server.hpp"
#include "builder/dashboard/session.hpp"

namespace imgforge::dashboard {

/// Bytes that are sent or taken at a time.
inline constexpr std::size_t kPart = 32 << 10;

/// The answer to whom the guard keeps out; nothing for the others.
std::optional<Answer> refusal(Verdict verdict);

class Server::Loop {
 public:
  Loop(const machines::Registry& registry, ServerOptions options);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  std::uint16_t port() const { return static_cast<std::uint16_t>(lws_get_vhost_listen_port(vhost_)); }
  const Guard& guard() const { return guard_; }
  void run(const core::CancelToken& cancel);

 private:
  struct Beat {
    lws_sorted_usec_list_t timer;
    Loop* loop;
  };
  static void beat(lws_sorted_usec_list_t* timer);
  static int callback(lws* wsi, lws_callback_reasons reason, void* user, void* in, std::size_t size);
  static int relay_callback(lws* wsi, lws_callback_reasons reason, void* user, void* in, std::size_t size);
  lws_context* make_context(std::uint16_t port);
  Session& session_of(lws* wsi);
  int on(lws* wsi, lws_callback_reasons reason, std::string_view data);
  int forget(lws* wsi);

  // http.cpp
  int take_request(lws* wsi);
  int take_body(Session& session, std::string_view data);
  void begin_job(lws* wsi, Session& session);
  int reply(lws* wsi, Session& session, Answer answer);
  /// For a client whose body nobody will read.
  int reply_and_close(lws* wsi, Session& session, Answer answer);
  int send_answer(lws* wsi, Session& session);
  void take_results();

  // sockets.cpp
  void count_pages();
  /// On the watcher's thread.
  void take_event(const std::string& event);
  int confirm_upgrade(lws* wsi, const char* protocol);
  int begin_socket(lws* wsi, Session& session);
  /// What is typed, or the screen's protocol.
  int take_message(Session& session, std::string_view data);
  bool send_to_peer(Session& session);
  int send_message(lws* wsi, Session& session);
  int on_relay(lws* relay, lws_callback_reasons reason, std::string_view data);

  const machines::Registry& registry_;
  lws_protocols protocols_[3] = {};
  Beat beat_{};
  lws_vhost* vhost_ = nullptr;
  lws_context* context_;
  Guard guard_;
  std::map<lws*, Session> sessions_;
  std::map<lws*, lws*> relays_;  ///< the machine's end, and the WebSocket that it belongs to
  std::uint64_t last_id_ = 0;
  std::mutex mutex_;
  std::vector<std::string> events_;
  std::optional<Watcher> watcher_;
  std::optional<Api> api_;
  std::optional<Jobs> jobs_;
};

}  // namespace imgforge::dashboard
