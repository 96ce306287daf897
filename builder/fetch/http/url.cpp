#include "builder/fetch/http/url.hpp"

#include <algorithm>
#include <cctype>
#include <optional>

#include "core/error.hpp"
#include "core/percent.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

core::Error bad_url(std::string_view url, const std::string& why) {
  return core::Error(core::Kind::kFetch, redacted_url(url) + ": " + why);
}

/// What stands between "://" and the path: user information, host, port.
std::string_view authority_of(std::string_view url) {
  const auto colon = url.find("://");
  if (colon == std::string_view::npos) return {};
  url.remove_prefix(colon + 3);
  return url.substr(0, url.find_first_of("/?#"));
}

std::string_view host_and_port(std::string_view url) {
  std::string_view authority = authority_of(url);
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  return authority;
}

}  // namespace

Scheme check_url(std::string_view url) {
  const auto is_bad = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte == 0x7F;
  };
  if (std::any_of(url.begin(), url.end(), is_bad)) {
    throw bad_url(url, "a URL cannot contain blanks or control characters");
  }
  const auto colon = url.find("://");
  if (colon == std::string_view::npos) throw bad_url(url, "not a URL").hint("http, https and file URLs work");
  const std::string scheme = lower_case(url.substr(0, colon));
  const std::string_view rest = url.substr(colon + 3);
  if (scheme == "file") {
    if (rest.find('/') == std::string_view::npos) throw bad_url(url, "a file URL needs an absolute path");
    return Scheme::kFile;
  }
  if (scheme != "http" && scheme != "https") {
    throw bad_url(url, "URLs of scheme \"" + core::escaped(scheme, 20) + "\" are not fetched")
        .hint("http, https and file URLs work");
  }
  if (rest.substr(0, rest.find_first_of("/?#")).empty()) throw bad_url(url, "the URL has no host");
  return scheme == "http" ? Scheme::kHttp : Scheme::kHttps;
}

std::string redacted_url(std::string_view url) {
  std::string out;
  if (const auto colon = url.find("://"); colon != std::string_view::npos) {
    out = url.substr(0, colon + 3);
    url.remove_prefix(colon + 3);
    const auto at = url.substr(0, url.find_first_of("/?#")).rfind('@');
    if (at != std::string_view::npos) url.remove_prefix(at + 1);
  }
  out += url.substr(0, url.find_first_of("?#"));
  return core::escaped(out);
}

std::string join_url(std::string_view base, std::string_view path) {
  while (!base.empty() && base.back() == '/') base.remove_suffix(1);
  while (!path.empty() && path.front() == '/') path.remove_prefix(1);
  return std::string(base) + "/" + std::string(path);
}

std::filesystem::path file_url_path(std::string_view url) {
  if (check_url(url) != Scheme::kFile) throw bad_url(url, "not a file URL");
  std::string_view rest = url.substr(url.find("://") + 3);
  const std::string_view host = rest.substr(0, rest.find('/'));
  if (!host.empty() && host != "localhost") {
    throw bad_url(url, "a file URL cannot name another host").hint("write file:///path with three slashes");
  }
  rest.remove_prefix(host.size());
  std::string path;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] != '%') {
      path += rest[i];
      continue;
    }
    const std::optional<char> byte = core::escaped_byte(rest, i);
    if (!byte || *byte == '\0') throw bad_url(url, "malformed percent-encoding");
    path += *byte;
    i += 2;
  }
  return path;
}

std::string server_of(std::string_view url) {
  const auto colon = url.find("://");
  return lower_case(url.substr(0, colon)) + "://" + lower_case(host_and_port(url));
}

std::string host_of(std::string_view url) {
  const std::string_view host = host_and_port(url);
  const auto bracket = host.rfind(']');  // an IPv6 address has colons of its own
  const auto colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
  return lower_case(host.substr(0, colon));
}

bool has_user(std::string_view url) {
  return authority_of(url).find('@') != std::string_view::npos;
}

std::string file_name_of(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  const auto slash = url.rfind('/');
  return std::string(slash == std::string_view::npos ? url : url.substr(slash + 1));
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

}  // namespace imgforge::fetch
