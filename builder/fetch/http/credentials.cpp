#include "builder/fetch/http/credentials.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <sstream>

#include "builder/fetch/http/url.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

bool others_can_read(const std::filesystem::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) throw core::system_error(errno, "cannot examine", file.native());
  return (status.st_mode & 077) != 0;
}

void refuse_if_public(const std::filesystem::path& file) {
  if (!others_can_read(file)) return;
  throw core::Error(core::Kind::kPermission, file.native() + " holds secrets and is open to other users")
      .hint("chmod 600 " + file.native());
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
}

bool is_token(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

}  // namespace

void Credentials::add_token_file(const std::filesystem::path& file) {
  const std::string text = core::read_text_file(file);
  refuse_if_public(file);
  std::size_t number = 0;
  for (const std::string& line : core::split(text, '\n')) {
    ++number;
    std::istringstream words(line);
    std::string host, token, more;
    if (!(words >> host) || host.front() == '#') continue;
    if (!(words >> token) || (words >> more) || !is_token(token) || host.find('/') != std::string::npos) {
      throw core::Error(core::Kind::kUsage,
                        fmt::format("{}: line {} is not a host and its token", file.native(), number))
          .hint("one line a host, as in: huggingface.co hf_...");
    }
    tokens_.insert_or_assign(lower_case(host), token);
  }
}

void Credentials::add_netrc(const std::filesystem::path& file) {
  std::istringstream lines(core::read_text_file(file));
  Login* login = nullptr;
  bool macro = false;
  for (std::string line; std::getline(lines, line);) {
    if (macro && !core::trimmed(line).empty()) continue;  // a macro ends with an empty line
    macro = false;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      if (word.front() == '#') break;
      std::string value;
      if (word == "default") {
        login = &logins_[""];
      } else if (word == "macdef") {
        macro = true;
        break;
      } else if (!(words >> value) && !(lines >> value)) {
        break;
      } else if (word == "machine") {
        login = &logins_[lower_case(value)];
      } else if (login != nullptr && word == "login") {
        login->user = value;
      } else if (login != nullptr && word == "password") {
        login->password = value;
      }
    }
  }
  if (others_can_read(file)) public_netrc_ = file;
}

const std::string* Credentials::token(const std::string& url) const {
  const std::string host = host_of(url);
  const auto found = tokens_.find(host);
  if (found == tokens_.end()) return nullptr;
  return check_url(url) == Scheme::kHttps || is_loopback(host) ? &found->second : nullptr;
}

const Login* Credentials::login(const std::string& url) const {
  if (has_user(url)) return nullptr;
  auto found = logins_.find(host_of(url));
  if (found == logins_.end()) found = logins_.find("");
  if (found == logins_.end() || found->second.user.empty()) return nullptr;
  if (!found->second.password.empty() && !public_netrc_.empty()) refuse_if_public(public_netrc_);
  return &found->second;
}

Credentials credentials_from_environment() {
  Credentials credentials;
  const auto value = [](const char* name) {
    const char* text = std::getenv(name);
    return std::string(text == nullptr ? "" : text);
  };
  if (const std::string file = value("IMGFORGE_TOKEN_FILE"); !file.empty()) credentials.add_token_file(file);
  std::string netrc = value("NETRC");
  if (netrc.empty() && !value("HOME").empty()) netrc = value("HOME") + "/.netrc";
  std::error_code ignored;
  if (!netrc.empty() && std::filesystem::exists(netrc, ignored)) credentials.add_netrc(netrc);
  return credentials;
}

}  // namespace imgforge::fetch
