// URLs as imgforge uses them: which schemes may be fetched, how a repository's URL gains a path, and how a
// URL is shown. What is shown never carries user names, passwords or query strings (signed URLs, tokens).
// Syntax: RFC 3986; file URLs: RFC 8089.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace imgforge::fetch {

enum class Scheme { kHttp, kHttps, kFile };

/// Scheme of a URL. Throws kFetch for any other than http, https and file, for a URL without host or path,
/// and for blanks or control bytes inside it.
Scheme check_url(std::string_view url);
/// The URL for messages: no user information, no query, no fragment, control bytes escaped.
std::string redacted_url(std::string_view url);
/// `base` + "/" + `path` with exactly one slash between.
std::string join_url(std::string_view base, std::string_view path);
/// Path that a file URL (empty host or "localhost") names, percent-decoded. Throws kFetch when malformed.
std::filesystem::path file_url_path(std::string_view url);

/// "https://host:port" in lower case, as a name for a server; file URLs share one name.
std::string server_of(std::string_view url);
/// Host in lower case, without port and user.
std::string host_of(std::string_view url);
/// True when the URL itself carries user information.
bool has_user(std::string_view url);
/// Name of the file that a URL names: what stands behind the last slash of the path; may be empty.
std::string file_name_of(std::string_view url);
std::string lower_case(std::string_view text);

}  // namespace imgforge::fetch
