// Http to one registry: answers its request for a bearer token (distribution specification, "token
// authentication") once and sends the token with every request to it, and to nobody else.
#pragma once

#include <string>
#include <vector>

#include "builder/fetch/http/http.hpp"

namespace imgforge::models {

/// What a WWW-Authenticate header asks for. Empty realm: nothing that can be answered.
struct TokenRequest {
  std::string realm, service, scope;
};
TokenRequest parse_challenge(std::string_view challenge);

class RegistryHttp : public fetch::Http {
 public:
  /// `prefix`: URLs that begin with it belong to the registry ("https://ghcr.io/v2/"). `inner` must outlive
  /// this.
  RegistryHttp(fetch::Http& inner, std::string prefix) : inner_(inner), prefix_(std::move(prefix)) {}
  /// What is answered with 401 waits until the rest is done and is asked for again with the token.
  void drive(fetch::Feed& feed, unsigned parallel) override;
  const fetch::HttpOptions& options() const override { return inner_.options(); }

 private:
  class TokenFeed;
  bool is_ours(const fetch::Transfer& transfer) const;
  fetch::Transfer with_token(fetch::Transfer transfer) const;
  /// True when there is a new token.
  bool answer(const std::string& challenge);

  fetch::Http& inner_;
  std::string prefix_;
  std::string token_;
  bool asked_ = false;
};

/// "https://host", or "http://host" where it is this machine.
std::string registry_url(const std::string& host);

}  // namespace imgforge::models
