// Who we are to a server: bearer tokens from a file of ours and passwords from netrc. Read by imgforge and
// not by libcurl, so that what is sent where is decided here: to the host that a URL names, never to one that
// it redirects to. Nothing of it is ever printed.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace imgforge::fetch {

struct Login {
  std::string user;
  std::string password;
};

class Credentials {
 public:
  Credentials() = default;
  /// Lines `HOST TOKEN`; empty lines and those that begin with # mean nothing. The file must be its owner's
  /// alone. Throws kPermission when others can read it, kUsage for a malformed line (number, never its text).
  void add_token_file(const std::filesystem::path& file);
  /// A netrc file (machine, default, login, password; macros are passed over).
  void add_netrc(const std::filesystem::path& file);

  /// The token for the host of this URL; nullptr when there is none, or when the URL would carry it in the
  /// clear to another machine.
  const std::string* token(const std::string& url) const;
  /// The login for the host of this URL, nullptr when there is none or the URL has one itself. Throws
  /// kPermission when others can read the netrc file that has it.
  const Login* login(const std::string& url) const;

 private:
  std::map<std::string, std::string, std::less<>> tokens_;
  std::map<std::string, Login, std::less<>> logins_;  ///< "" is netrc's default
  std::filesystem::path public_netrc_;                ///< not empty: open to other users
};

/// IMGFORGE_TOKEN_FILE, and NETRC or else ~/.netrc when there is one.
Credentials credentials_from_environment();

}  // namespace imgforge::fetch
