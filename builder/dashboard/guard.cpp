#include "builder/dashboard/guard.hpp"

#include <fmt/format.h>

#include "core/random.hpp"
#include "core/text.hpp"
#include "signing/primitives/secret_bytes.hpp"

namespace imgforge::dashboard {
namespace {

constexpr std::size_t kSecretBytes = 32;
constexpr std::string_view kScheme = "http://";
constexpr std::string_view kBearer = "Bearer ";

bool equal(std::string_view a, std::string_view b) {
  const auto bytes = [](std::string_view text) {
    return std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  };
  return signing::equal_secrets(bytes(a), bytes(b));
}

/// Browsers keep cookies by host, not by port: two dashboards of one host have two names.
std::string cookie_name(std::uint16_t port) {
  return fmt::format("imgforge-dashboard-{}", port);
}

}  // namespace

Guard::Guard(std::uint16_t port)
    : port_(port), token_(core::random_hex(kSecretBytes)), session_(core::random_hex(kSecretBytes)) {}

std::string Guard::address() const {
  return fmt::format("http://127.0.0.1:{}/?token={}", port_, token_);
}

std::string Guard::cookie() const {
  return fmt::format("{}={}; HttpOnly; SameSite=Strict; Path=/", cookie_name(port_), session_);
}

bool Guard::is_ours(std::string_view authority) const {
  return authority == fmt::format("127.0.0.1:{}", port_) || authority == fmt::format("localhost:{}", port_);
}

bool Guard::has_cookie(std::string_view cookies) const {
  const std::string name = cookie_name(port_) + "=";
  for (const std::string& cookie : core::split(cookies, ';')) {
    const std::string_view one = core::trimmed(cookie);
    if (one.starts_with(name) && equal(one.substr(name.size()), session_)) return true;
  }
  return false;
}

Verdict Guard::judge(const Request& request) const {
  if (!is_ours(request.host)) return Verdict::kForeign;
  const std::string_view origin = request.origin;
  const bool own = origin.starts_with(kScheme) && is_ours(origin.substr(kScheme.size()));
  if (!origin.empty() && !own) return Verdict::kForeign;
  if (!request.authorization.empty()) {
    const std::string_view given = request.authorization;
    return given.starts_with(kBearer) && equal(given.substr(kBearer.size()), token_) ? Verdict::kWelcome
                                                                                     : Verdict::kNoCredential;
  }
  if (has_cookie(request.cookie)) {
    const bool only_reads = request.method == "GET" && !request.upgrades;
    return only_reads || own ? Verdict::kWelcome : Verdict::kForeign;
  }
  const bool opens = request.method == "GET" && request.path == "/" && !request.upgrades;
  return opens && equal(request.query_member("token"), token_) ? Verdict::kNewSession
                                                               : Verdict::kNoCredential;
}

}  // namespace imgforge::dashboard
