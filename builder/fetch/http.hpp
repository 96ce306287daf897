// Transfers by http, https and file URLs behind one narrow interface, so that tests can put a recorder in
// its place. The implementation trusts no success code of the library: status, announced and received size,
// encoding and redirects are checked here, and what the bytes mean is checked by whoever asked for them.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/cancel.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"

namespace imgforge::fetch {

/// Where a body goes. `restart` comes before each attempt and discards what an earlier one wrote; `finish`
/// comes once, after the last byte of a good answer.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void restart() = 0;
  virtual void write(std::span<const std::byte> data) = 0;
  virtual void finish() {}
};

class TextSink : public Sink {
 public:
  void restart() override { text_.clear(); }
  void write(std::span<const std::byte> data) override {
    text_.append(reinterpret_cast<const char*>(data.data()), data.size());
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// A new file, made when the transfer begins (it must not exist) and closed when it ends; removed by the
/// destructor unless it was renamed away.
class FileSink : public Sink {
 public:
  explicit FileSink(std::filesystem::path path) : path_(std::move(path)) {}
  ~FileSink() override;
  FileSink(const FileSink&) = delete;
  FileSink& operator=(const FileSink&) = delete;
  void restart() override;
  void write(std::span<const std::byte> data) override;
  void finish() override;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  core::Fd fd_;
  bool made_ = false;
};

/// What a server said to recognise this version of a resource (RFC 9110, 8.8); empty: nothing.
struct Validators {
  std::string etag;
  std::string last_modified;
  bool empty() const { return etag.empty() && last_modified.empty(); }
};

struct Request {
  std::string url;
  std::uint64_t limit = std::uint64_t{64} << 20;  ///< most bytes that a body may have
  std::optional<std::uint64_t> size = {};         ///< exact bytes that the body must have
  Validators known = {};  ///< not empty: a conditional request, answered by kNotModified when still current
  std::vector<std::string> headers = {};  ///< further "Name: value" lines; Authorization stays with the host
};

enum class Freshness { kFetched, kNotModified };

struct Response {
  Freshness freshness = Freshness::kFetched;
  Validators validators = {};
  std::string final_url = {};  ///< after redirects
  std::uint64_t bytes = 0;
};

/// Why a transfer failed after all its attempts. The error names the redacted URL, what was wrong, and the
/// attempts.
struct Failure {
  core::Error error;
  bool absent = false;  ///< the server answered that it has no such file (404, 410; file URL: no such file)
  long status = 0;      ///< of the answer; 0: there was none
  std::string challenge = {};  ///< WWW-Authenticate of a 401
};

using Result = std::variant<Response, Failure>;

struct Transfer {
  Request request;
  Sink* sink = nullptr;  ///< not owned
};

class Http {
 public:
  virtual ~Http() = default;
  /// Runs all transfers, at most `parallel` at a time; results come in the order of `transfers`. Failures of
  /// the other side are results (kFetch; kIntegrity for a wrong size or encoding; kUnsafe over the limit);
  /// failures of this side (disk full, kInterrupted) are thrown.
  virtual std::vector<Result> run(const std::vector<Transfer>& transfers, unsigned parallel) = 0;
  /// One transfer; throws its failure.
  Response fetch(const Request& request, Sink& sink);
};

struct HttpOptions {
  std::string user_agent = "imgforge";
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::seconds stall_timeout{30};  ///< a transfer slower than `stall_rate` for that long is given up
  long stall_rate = 100;                   ///< bytes per second
  int attempts = 3;                        ///< for faults that may pass: 5xx, 408, 429, reset, cut, time-out
  std::chrono::milliseconds backoff{500};  ///< before the second attempt; doubles with each further one
  std::filesystem::path certificates;      ///< file of trusted certificates; empty: the system's
};

/// The real thing. Proxies come from the usual environment variables.
std::unique_ptr<Http> make_http(HttpOptions options, core::CancelToken cancel);

}  // namespace imgforge::fetch
