// Who may talk to the dashboard. It listens to this host alone, which any page in any browser here can reach,
// so nothing is answered without a secret that is new with each run: in the address that is printed, then in
// a cookie, or as a bearer token (RFC 6750). A name of another host in Host is a page that had its name point
// here (DNS rebinding); another Origin is another page (RFC 6454), and one that changes something has to say
// its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "builder/dashboard/answer.hpp"

namespace imgforge::dashboard {

enum class Verdict {
  kWelcome,
  kNewSession,    ///< the secret was in the address: it gets a cookie, and an address without it
  kNoCredential,  ///< 401
  kForeign,       ///< 403
};

class Guard {
 public:
  explicit Guard(std::uint16_t port);

  /// http://127.0.0.1:PORT/?token=...
  std::string address() const;
  const std::string& token() const { return token_; }
  /// Value of Set-Cookie.
  std::string cookie() const;
  Verdict judge(const Request& request) const;

 private:
  bool is_ours(std::string_view authority) const;
  bool has_cookie(std::string_view cookies) const;

  std::uint16_t port_;
  std::string token_;
  std::string session_;
};

}  // namespace imgforge::dashboard
