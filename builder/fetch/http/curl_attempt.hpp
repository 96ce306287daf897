// One attempt at one http(s) transfer. Wraps a libcurl easy handle, checks the answer's head before the
// first byte reaches the sink and its size while it comes, and says afterwards what happened. Internal to
// this folder's implementation of Http.
#pragma once

#include <curl/curl.h>

#include <array>
#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

#include "builder/fetch/http/http.hpp"
#include "builder/fetch/http/rate_limit.hpp"
#include "core/handle.hpp"

namespace imgforge::fetch {

using Easy = core::Handle<&curl_easy_cleanup>;
using Multi = core::Handle<&curl_multi_cleanup>;
using HeaderList = core::Handle<&curl_slist_free_all>;

/// What was wrong with an attempt, and whether another one may go better.
struct Problem {
  core::Kind kind = core::Kind::kFetch;
  std::string text;
  std::string hint = {};
  bool retry = false;
  bool absent = false;
  bool declined = false;         ///< the sink did not want the answer
  bool bad_range = false;        ///< no such part came
  std::chrono::seconds wait{0};  ///< what the server asked for (Retry-After)
  long status = 0;
  std::string challenge = {};  ///< WWW-Authenticate of a 401
};

class CurlAttempt {
 public:
  /// Restarts the sink and hands the transfer to `multi`. All arguments must outlive this.
  CurlAttempt(CURLM* multi, const Transfer& transfer, const HttpOptions& options, RateLimit& limit);
  ~CurlAttempt();
  CurlAttempt(const CurlAttempt&) = delete;
  CurlAttempt& operator=(const CurlAttempt&) = delete;

  CURL* handle() const { return easy_.get(); }
  std::uint64_t bytes() const { return bytes_; }  ///< that reached the sink
  /// True while it waits for the rate limit.
  bool paused() const { return paused_; }
  /// Goes on; to be called when the limit allows it.
  void unpause();
  /// What came of it. Rethrows what the sink threw.
  std::variant<Response, Problem> finish(CURLcode code);

 private:
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self) noexcept;
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self) noexcept;
  void set_options(const HttpOptions& options);
  bool take_header(std::string_view line);
  bool take_body(std::span<const std::byte> data);
  bool refuse(Problem problem);
  void set_identity(const HttpOptions& options);
  void set_request_headers();
  bool check_head();
  bool check_status();
  bool check_part(Head& head);
  bool check_announced_size();
  bool is_html(std::span<const std::byte> data) const;
  std::string strong_validator() const;
  Problem translate(CURLcode code) const;
  std::string final_url() const;

  CURLM* multi_;
  RateLimit& limit_;
  const Transfer& transfer_;
  Easy easy_;
  HeaderList headers_;
  std::array<char, CURL_ERROR_SIZE> message_{};

  std::size_t header_bytes_ = 0;
  long status_ = 0;
  std::string location_;
  std::string encoding_;
  std::string content_range_;
  std::string content_type_;
  std::string date_;
  bool ranges_ = false;
  std::string challenge_;
  Validators validators_;
  std::optional<std::uint64_t> length_;  ///< exact size that the body must have
  bool paused_ = false;
  bool stopped_ = false;  ///< the sink had enough
  bool head_checked_ = false;
  std::uint64_t bytes_ = 0;
  std::optional<Problem> problem_;
  std::exception_ptr thrown_;
};

}  // namespace imgforge::fetch
