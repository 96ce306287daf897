// Requests and their answers.
#include <algorithm>
#include <cstdlib>

#include "builder/dashboard/assets.hpp"
#include "builder/dashboard/loop.hpp"
#include "builder/dashboard/wire.hpp"
#include "core/error.hpp"
#include "core/signals_blocked.hpp"

namespace imgforge::dashboard {
namespace {

using core::Error;
using core::Kind;

constexpr std::size_t kHead = 4096;   // room for status and headers
constexpr int kLongestRequest = 700;  // seconds: a machine that shuts down takes its time

}  // namespace

std::optional<Answer> refusal(Verdict verdict) {
  if (verdict == Verdict::kForeign)
    return error_answer(Error(Kind::kPermission, "the request comes from another page or to another name"));
  if (verdict == Verdict::kNoCredential)
    return error_answer(Error(Kind::kPermission, "this needs the token of the dashboard")
                            .hint("open the address that imgforge vm dashboard printed"),
                        401);
  return std::nullopt;
}

int Server::Loop::take_request(lws* wsi) {
  Session& session = session_of(wsi);
  session.request = request_of(wsi);
  session.waits_for_body = false;
  session.has_answer = false;
  session.id = ++last_id_;  // a job of an earlier request does not answer this one
  const Verdict verdict = guard_.judge(session.request);
  if (auto refused = refusal(verdict)) return reply(wsi, session, *std::move(refused));
  if (verdict == Verdict::kNewSession) {
    Answer moved{303, "text/plain; charset=utf-8", "", {}};
    moved.headers = {{"location:", "/"}, {"set-cookie:", guard_.cookie()}};
    return reply(wsi, session, std::move(moved));
  }
  if (session.request.method.empty())
    return reply(wsi, session, error_answer(Error(Kind::kUsage, "there is no such method"), 405));
  const std::string length = header(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH);
  if (length.size() > 6 || std::atol(length.c_str()) > static_cast<long>(kLongestBody))
    return reply_and_close(wsi, session, error_answer(Error(Kind::kUnsafe, "the body is too large")));
  if (!api_parts(session.request.path).empty()) {
    session.waits_for_body = true;
    if (std::atol(length.c_str()) == 0) begin_job(wsi, session);
    return 0;
  }
  if (session.request.method != "GET")
    return reply(wsi, session, error_answer(Error(Kind::kUsage, "only GET is possible here"), 405));
  auto file = page_file(session.request.path);
  if (!file) file = error_answer(Error(Kind::kUsage, "there is no such address"), 404);
  return reply(wsi, session, *std::move(file));
}

int Server::Loop::take_body(Session& session, std::string_view data) {
  if (session.request.body.size() + data.size() > kLongestBody) return -1;
  session.request.body += data;
  return 0;
}

void Server::Loop::begin_job(lws* wsi, Session& session) {
  session.waits_for_body = false;
  const core::SignalsBlocked blocked;
  const bool begun =
      jobs_->begin(session.id, [this, request = session.request] { return api_->answer(request); });
  lws_set_timeout(wsi, PENDING_TIMEOUT_HTTP_CONTENT, kLongestRequest);
  if (!begun) reply(wsi, session, error_answer(Error(Kind::kLocked, "too much is being done already"), 503));
}

int Server::Loop::reply(lws* wsi, Session& session, Answer answer) {
  session.answer = std::move(answer);
  session.sent = 0;
  session.has_answer = true;
  session.has_head = false;
  lws_callback_on_writable(wsi);
  return 0;
}

int Server::Loop::reply_and_close(lws* wsi, Session& session, Answer answer) {
  std::vector<unsigned char> buffer(LWS_PRE + kHead + answer.body.size());
  answer.headers.emplace_back("connection:", "close");
  session.waits_for_body = false;
  unsigned char* end = write_head(wsi, answer, buffer);
  if (end == nullptr || end > buffer.data() + LWS_PRE + kHead) return -1;
  unsigned char* begin = buffer.data() + LWS_PRE;
  end = std::copy(answer.body.begin(), answer.body.end(), end);
  lws_write(wsi, begin, static_cast<std::size_t>(end - begin), LWS_WRITE_HTTP_HEADERS);
  return -1;
}

int Server::Loop::send_answer(lws* wsi, Session& session) {
  if (!session.has_answer) return 0;
  if (!session.has_head) {
    std::vector<unsigned char> head(LWS_PRE + kHead);
    unsigned char* begin = head.data() + LWS_PRE;
    unsigned char* end = write_head(wsi, session.answer, head);
    if (end == nullptr ||
        lws_write(wsi, begin, static_cast<std::size_t>(end - begin), LWS_WRITE_HTTP_HEADERS) < 0)
      return -1;
    session.has_head = true;
    lws_callback_on_writable(wsi);
    return 0;
  }
  const std::string_view rest = std::string_view(session.answer.body).substr(session.sent);
  const std::string_view part = rest.substr(0, kPart);
  const bool last = part.size() == rest.size();
  std::vector<unsigned char> buffer(LWS_PRE + part.size());
  std::copy(part.begin(), part.end(), buffer.begin() + LWS_PRE);
  const auto mode = last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP;
  if (lws_write(wsi, buffer.data() + LWS_PRE, part.size(), mode) < 0) return -1;
  session.sent += part.size();
  if (!last) {
    lws_callback_on_writable(wsi);
    return 0;
  }
  session.has_answer = false;
  session.answer = {};
  return lws_http_transaction_completed(wsi) != 0 ? -1 : 0;
}

void Server::Loop::take_results() {
  for (auto& [id, answer] : jobs_->finished()) {
    for (auto& [wsi, session] : sessions_) {
      if (session.id != id) continue;
      reply(wsi, session, std::move(answer));
      break;
    }
  }
  std::vector<std::string> events;
  {
    const std::lock_guard lock(mutex_);
    events.swap(events_);
  }
  for (const std::string& event : events) {
    for (auto& [wsi, session] : sessions_) {
      if (session.purpose != Purpose::kEvents) continue;
      if (session.out.push(Outbox::Kind::kText, event)) {
        lws_callback_on_writable(wsi);
      } else {  // it does not read
        lws_set_timeout(wsi, PENDING_TIMEOUT_CLOSE_ACK, LWS_TO_KILL_ASYNC);
      }
    }
  }
}

}  // namespace imgforge::dashboard
