// What SSH needs of a machine, handed over by its agent, so that nobody is ever asked whether a key is right:
// the user's key goes in, the host's keys come out.
#pragma once

#include <string>
#include <string_view>

#include "builder/machines/agent/agent.hpp"

namespace imgforge::machines {

/// Who logs in when nobody is named: the first user of a passwd(5) text with an id from 1000 on and a shell,
/// else root. Names that are none are skipped.
std::string first_user(std::string_view passwd);

/// Lines of a known_hosts file (sshd(8)) for the alias, out of the public keys that the guest has; anything
/// else in the text is skipped. Throws kBoot when there is none.
std::string known_hosts(std::string_view public_keys, const std::string& alias);

struct SshAccess {
  std::string user;
  std::string known_hosts;
};

/// Lets `public_key` log in as `user` (empty: first_user) and reads the host's keys.
SshAccess hand_over(Agent& agent, const std::string& public_key, std::string user, const std::string& alias);

}  // namespace imgforge::machines
