#include "builder/fetch/curl_attempt.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "builder/fetch/url.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

constexpr std::size_t kHeaderLimit = 64 << 10;
constexpr std::size_t kValidatorLimit = 1 << 10;
constexpr long kMaxRedirects = 5;

template <class Value>
void set(CURL* handle, CURLoption option, Value value) {
  const CURLcode code = curl_easy_setopt(handle, option, value);
  if (code != CURLE_OK) {
    throw core::Error(core::Kind::kInternal, fmt::format("libcurl refuses option {}: {}",
                                                         static_cast<int>(option), curl_easy_strerror(code)));
  }
}

void append(HeaderList& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) throw core::Error(core::Kind::kInternal, "out of memory");
  static_cast<void>(list.release());
  list.reset(longer);
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

/// A validator goes back into a request header later: printable ASCII of bounded length, or nothing.
std::string validator(std::string_view text) {
  const bool clean = std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
  return clean && text.size() <= kValidatorLimit ? std::string(text) : std::string();
}

bool may_pass(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_CONNECT_ERROR:
      return true;
    default:
      return false;
  }
}

}  // namespace

CurlAttempt::CurlAttempt(CURLM* multi, const Transfer& transfer, const HttpOptions& options)
    : multi_(multi), transfer_(transfer), easy_(curl_easy_init()) {
  if (!easy_) throw core::Error(core::Kind::kInternal, "libcurl cannot make a transfer");
  set_options(options);
  transfer_.sink->restart();
  if (curl_multi_add_handle(multi_, easy_.get()) != CURLM_OK) {
    throw core::Error(core::Kind::kInternal, "libcurl cannot start a transfer");
  }
}

CurlAttempt::~CurlAttempt() {
  curl_multi_remove_handle(multi_, easy_.get());
}

void CurlAttempt::set_options(const HttpOptions& options) {
  CURL* const handle = easy_.get();
  const Request& request = transfer_.request;
  const bool secure = check_url(request.url) == Scheme::kHttps;
  set(handle, CURLOPT_URL, request.url.c_str());
  set(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  // A redirect may make a transfer safer but never less safe.
  set(handle, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
  set(handle, CURLOPT_FOLLOWLOCATION, 1L);
  set(handle, CURLOPT_MAXREDIRS, kMaxRedirects);
  set(handle, CURLOPT_HTTP09_ALLOWED, 0L);
  set(handle, CURLOPT_NOSIGNAL, 1L);
  set(handle, CURLOPT_UNRESTRICTED_AUTH, 0L);
  set(handle, CURLOPT_SSL_VERIFYPEER, 1L);
  set(handle, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!options.certificates.empty()) set(handle, CURLOPT_CAINFO, options.certificates.c_str());
  set(handle, CURLOPT_USERAGENT, options.user_agent.c_str());
  set(handle, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count()));
  set(handle, CURLOPT_LOW_SPEED_LIMIT, options.stall_rate);
  set(handle, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.stall_timeout.count()));
  set(handle, CURLOPT_BUFFERSIZE, 128L << 10);
  set(handle, CURLOPT_ERRORBUFFER, message_.data());
  set(handle, CURLOPT_HEADERFUNCTION, &CurlAttempt::on_header);
  set(handle, CURLOPT_HEADERDATA, this);
  set(handle, CURLOPT_WRITEFUNCTION, &CurlAttempt::on_body);
  set(handle, CURLOPT_WRITEDATA, this);
  if (!request.known.etag.empty()) append(headers_, "If-None-Match: " + request.known.etag);
  if (!request.known.last_modified.empty())
    append(headers_, "If-Modified-Since: " + request.known.last_modified);
  for (const std::string& line : request.headers) append(headers_, line);
  if (headers_) set(handle, CURLOPT_HTTPHEADER, headers_.get());
}

// The two callbacks are called from C: nothing may be thrown through them. Returning a short count makes
// libcurl stop.

std::size_t CurlAttempt::on_header(char* data, std::size_t size, std::size_t count, void* self) noexcept {
  auto& attempt = *static_cast<CurlAttempt*>(self);
  try {
    return attempt.take_header(std::string_view(data, size * count)) ? size * count : 0;
  } catch (...) {
    attempt.thrown_ = std::current_exception();
    return 0;
  }
}

std::size_t CurlAttempt::on_body(char* data, std::size_t size, std::size_t count, void* self) noexcept {
  auto& attempt = *static_cast<CurlAttempt*>(self);
  try {
    return attempt.take_body(std::as_bytes(std::span(data, size * count))) ? size * count : 0;
  } catch (...) {
    attempt.thrown_ = std::current_exception();
    return 0;
  }
}

bool CurlAttempt::refuse(Problem problem) {
  problem_ = std::move(problem);
  return false;
}

bool CurlAttempt::take_header(std::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > kHeaderLimit) {
    return refuse({.text = fmt::format("the answer's headers are larger than {} KiB", kHeaderLimit >> 10)});
  }
  if (line.starts_with("HTTP/")) {  // a new answer: after a redirect, an interim answer or a proxy's
    status_ = 0;
    const auto blank = line.find(' ');
    if (blank != std::string_view::npos) {
      const std::string_view digits = line.substr(blank + 1);
      std::from_chars(digits.data(), digits.data() + digits.size(), status_);
    }
    encoding_.clear();
    challenge_.clear();
    validators_ = {};
    return true;
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return true;
  const std::string name = lower(line.substr(0, colon));
  const std::string_view value = core::trimmed(line.substr(colon + 1));
  if (name == "location") location_ = value;
  if (name == "content-encoding" && lower(value) != "identity") encoding_ = value;
  if (name == "www-authenticate" && challenge_.empty()) challenge_ = validator(value);
  if (name == "etag") validators_.etag = validator(value);
  if (name == "last-modified") validators_.last_modified = validator(value);
  return true;
}

bool CurlAttempt::check_head() {
  head_checked_ = true;
  if (status_ == 304 && !transfer_.request.known.empty()) return true;
  if (status_ != 200) {
    curl_off_t wait = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RETRY_AFTER, &wait);
    return refuse({.text = fmt::format("HTTP {}{}", status_, status_ < 400 ? " instead of the file" : ""),
                   .retry = status_ == 408 || status_ == 429 || status_ >= 500,
                   .absent = status_ == 404 || status_ == 410,
                   .wait = std::chrono::seconds(std::clamp<curl_off_t>(wait, 0, 10)),
                   .status = status_,
                   .challenge = status_ == 401 ? challenge_ : std::string()});
  }
  if (!encoding_.empty()) {
    return refuse({.kind = core::Kind::kIntegrity,
                   .text = fmt::format("the answer is encoded ({}), which was not asked for",
                                       core::escaped(encoding_, 40)),
                   .hint = "the server sends Content-Encoding: " + core::escaped(encoding_, 40) +
                           "; it must send the file as it is"});
  }
  return check_announced_size();
}

bool CurlAttempt::check_announced_size() {
  curl_off_t length = -1;
  curl_easy_getinfo(easy_.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  if (length < 0) return true;
  const auto announced = static_cast<std::uint64_t>(length);
  const Request& request = transfer_.request;
  if (request.size && announced != *request.size) {
    return refuse(
        {.kind = core::Kind::kIntegrity,
         .text = fmt::format("the server announces {} bytes, {} are expected", announced, *request.size)});
  }
  if (announced > request.limit) {
    return refuse({.kind = core::Kind::kUnsafe,
                   .text = fmt::format("the server announces {} bytes, more than the {} allowed", announced,
                                       request.limit)});
  }
  return true;
}

bool CurlAttempt::take_body(std::span<const std::byte> data) {
  if (!head_checked_ && !check_head()) return false;
  const Request& request = transfer_.request;
  if (request.size && data.size() > *request.size - bytes_) {
    return refuse({.kind = core::Kind::kIntegrity,
                   .text = fmt::format("the server sends more than the {} bytes expected", *request.size)});
  }
  if (data.size() > request.limit - bytes_) {
    return refuse({.kind = core::Kind::kUnsafe,
                   .text = fmt::format("the server sends more than the {} bytes allowed", request.limit)});
  }
  transfer_.sink->write(data);
  bytes_ += data.size();
  return true;
}

std::variant<Response, Problem> CurlAttempt::finish(CURLcode code) {
  if (thrown_) std::rethrow_exception(thrown_);
  if (!problem_ && code != CURLE_OK) problem_ = translate(code);
  if (!problem_ && !head_checked_) check_head();  // an empty body: on_body was never called
  const bool current = status_ == 304;
  const std::optional<std::uint64_t>& size = transfer_.request.size;
  if (!problem_ && !current && size && bytes_ != *size) {
    refuse({.kind = core::Kind::kIntegrity,
            .text = fmt::format("expected {} bytes, got {}", *size, bytes_),
            .retry = true});
  }
  if (problem_) {
    if (const std::string url = final_url(); url != transfer_.request.url) {
      problem_->text += fmt::format(" (redirected to {})", redacted_url(url));
    }
    return *problem_;
  }
  if (!current) transfer_.sink->finish();
  return Response{.freshness = current ? Freshness::kNotModified : Freshness::kFetched,
                  .validators = validators_,
                  .final_url = final_url(),
                  .bytes = bytes_};
}

std::string CurlAttempt::final_url() const {
  const char* url = nullptr;
  curl_easy_getinfo(easy_.get(), CURLINFO_EFFECTIVE_URL, &url);
  return url == nullptr || header_bytes_ == 0 ? transfer_.request.url : std::string(url);
}

Problem CurlAttempt::translate(CURLcode code) const {
  const std::string detail =
      core::escaped(message_[0] != '\0' ? message_.data() : curl_easy_strerror(code), 200);
  curl_off_t length = -1;
  curl_easy_getinfo(easy_.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  const std::uint64_t expected =
      transfer_.request.size.value_or(length > 0 ? static_cast<std::uint64_t>(length) : 0);
  const std::string got = expected > 0 ? fmt::format("got {} of {} bytes", bytes_, expected)
                                       : fmt::format("got {} bytes", bytes_);
  switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
      if (status_ >= 300 && status_ < 400) {
        return {.text = "redirect to disallowed scheme: " + redacted_url(location_)};
      }
      return {.text = detail};
    case CURLE_TOO_MANY_REDIRECTS:
      return {.text = fmt::format("too many redirects (more than {})", kMaxRedirects)};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return {.text = "TLS certificate not accepted: " + detail,
              .hint = "certificates are always checked; is the clock right, and is the mirror's name right?"};
    case CURLE_OPERATION_TIMEDOUT:
      return {.text = status_ == 0 ? detail : fmt::format("the transfer stalled, {}", got), .retry = true};
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
      return {.text = fmt::format("the connection broke, {}: {}", got, detail), .retry = true};
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
      return {.text = detail,
              .hint = "check the network and the proxy variables, or name another mirror",
              .retry = true};
    default:
      return {.text = detail, .retry = may_pass(code)};
  }
}

}  // namespace imgforge::fetch
