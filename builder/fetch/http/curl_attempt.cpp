#include "builder/fetch/http/curl_attempt.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <ctime>

#include "builder/fetch/http/url.hpp"
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

/// A validator goes back into a request header later: printable ASCII of bounded length, or nothing.
std::string validator(std::string_view text) {
  const bool clean = std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
  return clean && text.size() <= kValidatorLimit ? std::string(text) : std::string();
}

/// Content-Range: bytes FIRST-LAST/TOTAL (RFC 9110, 14.4), TOTAL may be "*". Nothing when it is anything
/// else.
struct ContentRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::optional<std::uint64_t> total = {};
};

std::optional<ContentRange> parse_content_range(std::string_view text) {
  if (!lower_case(text.substr(0, 6)).starts_with("bytes ")) return std::nullopt;
  const char* at = text.data() + 6;
  const char* const end = text.data() + text.size();
  const auto number = [&](std::uint64_t& value) {
    const auto [rest, error] = std::from_chars(at, end, value);
    at = rest;
    return error == std::errc();
  };
  const auto sign = [&](char c) { return at != end && *at++ == c; };
  ContentRange range;
  if (!number(range.first) || !sign('-') || !number(range.last) || !sign('/')) return std::nullopt;
  if (at != end && *at == '*') {
    ++at;
  } else {
    std::uint64_t total = 0;
    if (!number(total) || range.last >= total) return std::nullopt;
    range.total = total;
  }
  if (at != end || range.first > range.last) return std::nullopt;
  return range;
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

CurlAttempt::CurlAttempt(CURLM* multi, const Transfer& transfer, const HttpOptions& options, RateLimit& limit)
    : multi_(multi), limit_(limit), transfer_(transfer), easy_(curl_easy_init()) {
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
  set_identity(options);
  set_request_headers();
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
  set(handle, CURLOPT_BUFFERSIZE, 256L << 10);
  set(handle, CURLOPT_ERRORBUFFER, message_.data());
  set(handle, CURLOPT_HEADERFUNCTION, &CurlAttempt::on_header);
  set(handle, CURLOPT_HEADERDATA, this);
  set(handle, CURLOPT_WRITEFUNCTION, &CurlAttempt::on_body);
  set(handle, CURLOPT_WRITEDATA, this);
}

void CurlAttempt::set_request_headers() {
  const Request& request = transfer_.request;
  if (!request.known.etag.empty()) append(headers_, "If-None-Match: " + request.known.etag);
  if (!request.known.last_modified.empty())
    append(headers_, "If-Modified-Since: " + request.known.last_modified);
  if (request.range) {
    // Not CURLOPT_RESUME_FROM: libcurl takes some answers for the part asked for that are not (a 200 with a
    // fitting Content-Range or Content-Length). What comes is judged in check_part.
    const WantedRange& range = *request.range;
    const std::string last = range.length ? std::to_string(range.offset + *range.length - 1) : "";
    append(headers_, fmt::format("Range: bytes={}-{}", range.offset, last));
    if (!range.unless_changed.empty()) append(headers_, "If-Range: " + range.unless_changed);
  }
  for (const std::string& line : request.headers) append(headers_, line);
  if (headers_) set(easy_.get(), CURLOPT_HTTPHEADER, headers_.get());
}

/// libcurl sends these to the host of the URL alone, not to one that it redirects to.
void CurlAttempt::set_identity(const HttpOptions& options) {
  CURL* const handle = easy_.get();
  const std::string& url = transfer_.request.url;
  set(handle, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  if (options.credentials == nullptr) return;
  if (const std::string* token = options.credentials->token(url)) {
    set(handle, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BEARER));
    set(handle, CURLOPT_XOAUTH2_BEARER, token->c_str());
  } else if (const Login* login = options.credentials->login(url)) {
    set(handle, CURLOPT_USERNAME, login->user.c_str());
    set(handle, CURLOPT_PASSWORD, login->password.c_str());
  }
}

void CurlAttempt::unpause() {
  paused_ = false;
  curl_easy_pause(easy_.get(), CURLPAUSE_CONT);
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
    if (!attempt.limit_.take(size * count, std::chrono::steady_clock::now())) {
      attempt.paused_ = true;
      return CURL_WRITEFUNC_PAUSE;  // the same bytes come again
    }
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
    content_range_.clear();
    content_type_.clear();
    date_.clear();
    ranges_ = false;
    challenge_.clear();
    validators_ = {};
    return true;
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return true;
  const std::string name = lower_case(line.substr(0, colon));
  const std::string_view value = core::trimmed(line.substr(colon + 1));
  if (name == "location") location_ = value;
  if (name == "content-encoding" && lower_case(value) != "identity") encoding_ = value;
  if (name == "content-range") content_range_ = value;
  if (name == "content-type") content_type_ = lower_case(value);
  if (name == "date") date_ = value;
  if (name == "accept-ranges") ranges_ = lower_case(value) == "bytes";
  if (name == "www-authenticate" && challenge_.empty()) challenge_ = validator(value);
  if (name == "etag") validators_.etag = validator(value);
  if (name == "last-modified") validators_.last_modified = validator(value);
  return true;
}

bool CurlAttempt::check_head() {
  head_checked_ = true;
  if (status_ == 304 && !transfer_.request.known.empty()) return true;
  if (!check_status() || !check_announced_size()) return false;
  Head head{.offset = 0,
            .total = length_,
            .ranges = ranges_ || status_ == 206,
            .validators = validators_,
            .strong = strong_validator()};
  if (status_ == 206 && !check_part(head)) return false;
  if (transfer_.sink->begin(head)) return true;
  return refuse({.text = "the answer is not what was asked for", .declined = true});
}

bool CurlAttempt::check_status() {
  const bool part = status_ == 206 && transfer_.request.range;
  if (status_ != 200 && !part) {
    curl_off_t wait = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RETRY_AFTER, &wait);
    return refuse({.text = fmt::format("HTTP {}{}", status_, status_ < 400 ? " instead of the file" : ""),
                   .retry = status_ == 408 || status_ == 429 || status_ >= 500,
                   .absent = status_ == 404 || status_ == 410,
                   .bad_range = status_ == 416,
                   .wait = std::chrono::seconds(std::clamp<curl_off_t>(wait, 0, 24 * 3600)),
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
  return true;
}

/// The part that comes must be one that was asked for, of a resource of the right size.
bool CurlAttempt::check_part(Head& head) {
  const Request& request = transfer_.request;
  const std::optional<ContentRange> range = parse_content_range(content_range_);
  if (!range || range->first != request.range->offset ||
      (request.range->length && range->last >= range->first + *request.range->length)) {
    return refuse({.text = "another part came than was asked for", .bad_range = true});
  }
  if (request.size && range->total && *range->total != *request.size) {
    return refuse({.kind = core::Kind::kIntegrity,
                   .text = fmt::format("the server reports a file of {} bytes, {} are expected",
                                       *range->total, *request.size),
                   .bad_range = true});
  }
  const std::uint64_t size = range->last - range->first + 1;
  if (length_ && *length_ != size) {
    return refuse({.text = "Content-Range and Content-Length contradict each other", .bad_range = true});
  }
  length_ = size;
  head.offset = range->first;
  head.total = range->total;
  return true;
}

bool CurlAttempt::check_announced_size() {
  curl_off_t length = -1;
  curl_easy_getinfo(easy_.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  const Request& request = transfer_.request;
  if (length >= 0) length_ = static_cast<std::uint64_t>(length);
  if (length_ && status_ == 200 && request.size && *length_ != *request.size) {
    return refuse(
        {.kind = core::Kind::kIntegrity,
         .text = fmt::format("the server announces {} bytes, {} are expected", *length_, *request.size)});
  }
  if (length_ && *length_ > request.limit) {
    return refuse({.kind = core::Kind::kUnsafe,
                   .text = fmt::format("the server announces {} bytes, more than the {} allowed", *length_,
                                       request.limit)});
  }
  if (!length_ && status_ == 200) length_ = request.size;
  return true;
}

/// A page where a file was wanted: what a network sends before one has logged in, with status 200.
bool CurlAttempt::is_html(std::span<const std::byte> data) const {
  const std::string name = lower_case(file_name_of(transfer_.request.url));
  if (name.ends_with(".html") || name.ends_with(".htm")) return false;
  const std::string_view text(reinterpret_cast<const char*>(data.data()),
                              std::min<std::size_t>(data.size(), 512));
  const std::string start = lower_case(core::trimmed(text));
  return start.starts_with("<!doctype html") || start.starts_with("<html") ||
         (start.starts_with("<") && content_type_.starts_with("text/html"));
}

/// An ETag that is not weak, or a Last-Modified that is older than its answer (RFC 9110, 8.8.2.2).
std::string CurlAttempt::strong_validator() const {
  if (!validators_.etag.empty()) return validators_.etag.starts_with("W/") ? "" : validators_.etag;
  const std::time_t modified = curl_getdate(validators_.last_modified.c_str(), nullptr);
  const std::time_t date = curl_getdate(date_.c_str(), nullptr);
  return modified > 0 && date >= modified + 1 ? validators_.last_modified : "";
}

bool CurlAttempt::take_body(std::span<const std::byte> data) {
  if (!head_checked_ && !check_head()) return false;
  const Request& request = transfer_.request;
  if (bytes_ == 0 && status_ == 200 && is_html(data)) {
    return refuse({.text = "an HTML page came instead of the file",
                   .hint = "does this network want a login first? Open the URL in a browser to see; or name "
                           "another mirror"});
  }
  if (length_ && data.size() > *length_ - bytes_) {
    return refuse({.kind = core::Kind::kIntegrity,
                   .text = fmt::format("the server sends more than the {} bytes expected", *length_)});
  }
  if (data.size() > request.limit - bytes_) {
    return refuse({.kind = core::Kind::kUnsafe,
                   .text = fmt::format("the server sends more than the {} bytes allowed", request.limit)});
  }
  transfer_.sink->write(data);
  bytes_ += data.size();
  stopped_ = transfer_.sink->enough();
  return !stopped_;
}

std::variant<Response, Problem> CurlAttempt::finish(CURLcode code) {
  if (thrown_) std::rethrow_exception(thrown_);
  if (!problem_ && !stopped_ && code != CURLE_OK) problem_ = translate(code);
  if (!problem_ && !head_checked_) check_head();  // an empty body: on_body was never called
  const bool current = status_ == 304;
  if (!problem_ && !current && !stopped_ && length_ && bytes_ != *length_) {
    refuse({.kind = core::Kind::kIntegrity,
            .text = fmt::format("expected {} bytes, got {}", *length_, bytes_),
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
  const std::uint64_t expected =
      length_.value_or(transfer_.request.range ? 0 : transfer_.request.size.value_or(0));
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
