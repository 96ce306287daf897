// Transfers by http, https and file URLs behind one narrow interface, so that tests can put a recorder in
// its place. The implementation trusts no success code of the library: status, announced and received size,
// encoding and redirects are checked here, and what the bytes mean is checked by whoever asked for them. The
// code is in http.cpp and curl_http.cpp.
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

#include "builder/fetch/http/credentials.hpp"
#include "builder/fetch/http/server_health.hpp"
#include "core/cancel.hpp"
#include "core/error.hpp"
#include "core/new_file.hpp"

namespace imgforge::fetch {

/// What a server said to recognise this version of a resource (RFC 9110, 8.8); empty: nothing.
struct Validators {
  std::string etag;
  std::string last_modified;
  bool empty() const { return etag.empty() && last_modified.empty(); }
};

/// A good answer, before its first byte: what of the resource comes, and what the server says about it.
struct Head {
  std::uint64_t offset = 0;                 ///< of the first byte that comes
  std::optional<std::uint64_t> total = {};  ///< size of the whole resource
  bool ranges = false;                      ///< the server offers byte ranges
  Validators validators = {};
  std::string strong = {};  ///< the validator that If-Range may carry; empty: there is none
};

/// Where a body goes. `restart` comes before each attempt and discards what an earlier one wrote; `begin`
/// when a good answer begins, and may decline it; `finish` comes once, after the last byte of a good answer.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void restart() = 0;
  virtual bool begin(const Head&) { return true; }
  virtual void write(std::span<const std::byte> data) = 0;
  /// True when nothing more is wanted: the transfer ends well there.
  virtual bool enough() const { return false; }
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
  void restart() override;
  void write(std::span<const std::byte> data) override;
  void finish() override;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::optional<core::NewFile> file_;  ///< never kept
};

/// Bytes of a resource, asked for with a range request.
struct WantedRange {
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length = {};  ///< nothing: to the end
  std::string unless_changed = {};           ///< validator for If-Range; empty: none
};

struct Request {
  std::string url;
  std::uint64_t limit = std::uint64_t{64} << 20;  ///< most bytes that a body may have
  std::optional<std::uint64_t> size = {};         ///< exact size that the whole resource must have
  Validators known = {};  ///< not empty: a conditional request, answered by kNotModified when still current
  /// A part only. The answer may be the whole resource all the same: `Head::offset` says what comes.
  std::optional<WantedRange> range = {};
  int attempts = 0;                       ///< 0: as many as the options say
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
  bool absent = false;    ///< the server answered that it has no such file (404, 410; file URL: no such file)
  bool may_pass = false;  ///< another attempt may go better
  bool declined = false;  ///< the sink did not want this answer
  bool bad_range = false;        ///< a part was asked for and something that is no such part came
  std::chrono::seconds wait{0};  ///< how long the server asks to be left alone (Retry-After)
  std::uint64_t bytes = 0;       ///< that reached the sink
  long status = 0;               ///< of the answer; 0: there was none
  std::string challenge = {};    ///< WWW-Authenticate of a 401
};

using Result = std::variant<Response, Failure>;

struct Transfer {
  Request request;
  Sink* sink = nullptr;  ///< not owned
};

/// Transfers that are decided on while others run.
class Feed {
 public:
  virtual ~Feed() = default;
  /// The next transfer, or nothing for now. Asked again after every event and at least ten times a second.
  virtual std::optional<Transfer> next() = 0;
  /// True when nothing will come any more.
  virtual bool exhausted() = 0;
  virtual void done(const Transfer& transfer, Result result) = 0;
};

struct HttpOptions {
  std::string user_agent = "imgforge";
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::seconds stall_timeout{30};  ///< a transfer slower than `stall_rate` for that long is given up
  long stall_rate = 100;                   ///< bytes per second
  int attempts = 3;                        ///< for faults that may pass: 5xx, 408, 429, reset, cut, time-out
  std::chrono::milliseconds backoff{500};  ///< before the second attempt; doubles with each further one
  std::chrono::seconds longest_wait{60};   ///< more is not waited for, whatever Retry-After says
  std::uint64_t rate = 0;                  ///< bytes per second of all transfers together; 0: no limit
  std::filesystem::path certificates;      ///< file of trusted certificates; empty: the system's
  std::shared_ptr<const Credentials> credentials = {};  ///< may be null
};

class Http {
 public:
  virtual ~Http() = default;
  /// Runs what the feed gives until it is exhausted, at most `parallel` at a time. Throws what the sinks and
  /// the feed throw, and kInterrupted.
  virtual void drive(Feed& feed, unsigned parallel) = 0;
  virtual const HttpOptions& options() const = 0;
  /// What was learnt of servers in this run.
  ServerHealth& health() { return health_; }
  /// Runs all transfers, at most `parallel` at a time; results come in the order of `transfers`. Failures of
  /// the other side are results (kFetch; kIntegrity for a wrong size or encoding; kUnsafe over the limit);
  /// failures of this side (disk full, kInterrupted) are thrown.
  std::vector<Result> run(const std::vector<Transfer>& transfers, unsigned parallel);
  /// One transfer; throws its failure.
  Response fetch(const Request& request, Sink& sink);

 private:
  ServerHealth health_;
};

/// The real thing. Proxies come from the usual environment variables.
std::unique_ptr<Http> make_http(HttpOptions options, core::CancelToken cancel);

}  // namespace imgforge::fetch
