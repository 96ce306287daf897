#include "builder/models/sources/registry_http.hpp"

#include <algorithm>

#include "builder/fetch/http/url.hpp"
#include "builder/models/model.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::models {
namespace {

constexpr std::uint64_t kMaxAnswer = 1u << 20;
constexpr std::size_t kMaxToken = 16u << 10;

std::string quoted_value(std::string_view challenge, std::string_view key) {
  const std::string pattern = std::string(key) + "=\"";
  for (auto at = challenge.find(pattern); at != std::string_view::npos;
       at = challenge.find(pattern, at + 1)) {
    if (at > 0 && challenge[at - 1] != ' ' && challenge[at - 1] != ',') continue;
    const auto begin = at + pattern.size();
    return std::string(challenge.substr(begin, challenge.find('"', begin) - begin));
  }
  return {};
}

/// Tokens go into a header: nothing but what RFC 6750 allows.
bool is_token(const std::string& token) {
  return !token.empty() && token.size() <= kMaxToken && std::all_of(token.begin(), token.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~+/=").find(c) != std::string_view::npos;
  });
}

std::string host_of(std::string_view url) {
  const auto scheme = url.find("://");
  const std::string_view rest = scheme == std::string_view::npos ? url : url.substr(scheme + 3);
  return std::string(rest.substr(0, rest.find_first_of("/?#")));
}

}  // namespace

TokenRequest parse_challenge(std::string_view challenge) {
  const std::string_view scheme = challenge.substr(0, challenge.find(' '));
  if (scheme != "Bearer" && scheme != "bearer") return {};
  return {quoted_value(challenge, "realm"), quoted_value(challenge, "service"),
          quoted_value(challenge, "scope")};
}

std::string registry_url(const std::string& host) {
  // What Docker's own client does with the name that people write.
  if (host == "docker.io" || host == "index.docker.io") return "https://registry-1.docker.io";
  const std::string name = host.substr(0, host.find(':'));
  const bool local = name == "localhost" || name == "127.0.0.1";
  return (local ? "http://" : "https://") + host;
}

bool RegistryHttp::is_ours(const fetch::Transfer& transfer) const {
  return transfer.request.url.starts_with(prefix_);
}

fetch::Transfer RegistryHttp::with_token(fetch::Transfer transfer) const {
  if (!token_.empty() && is_ours(transfer))
    transfer.request.headers.push_back("Authorization: Bearer " + token_);
  return transfer;
}

bool RegistryHttp::answer(const std::string& challenge) {
  if (asked_) return false;
  asked_ = true;
  const TokenRequest wanted = parse_challenge(challenge);
  // A token may come from another host, but never over less than the registry itself speaks.
  const bool secure = prefix_.starts_with("https://");
  if (!wanted.realm.starts_with("https://") && (secure || host_of(wanted.realm) != host_of(prefix_)))
    return false;
  if (!core::is_utf8(wanted.realm + wanted.service + wanted.scope)) return false;
  std::string url = wanted.realm + (wanted.realm.find('?') == std::string::npos ? "?" : "&") +
                    "service=" + encoded_path(wanted.service);
  if (!wanted.scope.empty()) url += "&scope=" + encoded_path(wanted.scope);
  fetch::TextSink sink;
  inner_.fetch({.url = url, .limit = kMaxAnswer}, sink);
  const core::Json json = core::parse_json(sink.text(), "the answer of " + fetch::redacted_url(wanted.realm));
  for (const char* key : {"token", "access_token"}) {
    if (!json.is_object() || !json.contains(key) || !json.at(key).is_string()) continue;
    token_ = json.at(key).get<std::string>();
    if (is_token(token_)) return true;
    token_.clear();
  }
  return false;
}

/// Another feed with tokens: keeps back what needs one, until there is one or it is known that there is none.
class RegistryHttp::TokenFeed : public fetch::Feed {
 public:
  TokenFeed(const RegistryHttp& http, fetch::Feed& feed) : http_(http), feed_(feed) {}

  std::optional<fetch::Transfer> next() override {
    if (!refused_.empty() && !resumed_) return std::nullopt;
    if (!again_.empty()) {
      fetch::Transfer transfer = std::move(again_.back());
      again_.pop_back();
      return http_.with_token(std::move(transfer));
    }
    std::optional<fetch::Transfer> transfer = feed_.next();
    if (transfer) transfer = http_.with_token(*std::move(transfer));
    return transfer;
  }
  bool exhausted() override {
    if (!refused_.empty() && !resumed_) return true;
    return again_.empty() && feed_.exhausted();
  }
  void done(const fetch::Transfer& transfer, fetch::Result result) override {
    const auto* failure = std::get_if<fetch::Failure>(&result);
    if (!resumed_ && failure != nullptr && failure->status == 401 && http_.is_ours(transfer)) {
      refused_.emplace_back(transfer, std::move(result));
    } else {
      feed_.done(transfer, std::move(result));
    }
  }

  /// What the registry asks for; nothing when it refused nothing.
  std::optional<std::string> challenge() const {
    if (refused_.empty()) return std::nullopt;
    return std::get<fetch::Failure>(refused_.front().second).challenge;
  }
  /// Goes on: with a token what was refused is asked for again, without one it has failed.
  void resume(bool with_token) {
    resumed_ = true;
    for (auto& [transfer, result] : refused_) {
      if (with_token) {
        again_.push_back(transfer);
      } else {
        feed_.done(transfer, std::move(result));
      }
    }
    refused_.clear();
  }

 private:
  const RegistryHttp& http_;
  fetch::Feed& feed_;
  bool resumed_ = false;
  std::vector<std::pair<fetch::Transfer, fetch::Result>> refused_;
  std::vector<fetch::Transfer> again_;
};

void RegistryHttp::drive(fetch::Feed& feed, unsigned parallel) {
  TokenFeed wrapped(*this, feed);
  inner_.drive(wrapped, parallel);
  const std::optional<std::string> challenge = wrapped.challenge();
  if (!challenge) return;
  wrapped.resume(answer(*challenge));
  inner_.drive(wrapped, parallel);
}

}  // namespace imgforge::models
