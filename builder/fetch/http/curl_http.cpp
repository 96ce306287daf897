// Http over libcurl's multi interface: one loop drives all transfers of a call, repeats those whose fault may
// pass, and keeps connections for later calls.
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>

#include "builder/fetch/http/curl_attempt.hpp"
#include "builder/fetch/http/file_transfer.hpp"
#include "builder/fetch/http/url.hpp"

namespace imgforge::fetch {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kPoll{100};  // how late a cancel may be noticed
constexpr std::chrono::milliseconds kRatePoll{20};

Failure failure_of(const Request& request, const Problem& problem, int attempts, std::uint64_t bytes) {
  std::string text = fmt::format("{}: {}", redacted_url(request.url), problem.text);
  if (attempts > 1) text += fmt::format(" ({} attempts)", attempts);
  Failure failure{.error = core::Error(problem.kind, std::move(text)),
                  .absent = problem.absent,
                  .may_pass = problem.retry,
                  .declined = problem.declined,
                  .bad_range = problem.bad_range,
                  .wait = problem.wait,
                  .bytes = bytes,
                  .status = problem.status,
                  .challenge = problem.challenge};
  if (!problem.hint.empty()) failure.error.hint(problem.hint);
  return failure;
}

/// One call of drive.
class Run {
 public:
  Run(CURLM* multi, Feed& feed, unsigned parallel, const HttpOptions& options,
      const core::CancelToken& cancel)
      : multi_(multi),
        feed_(feed),
        parallel_(std::max(1u, parallel)),
        options_(options),
        limit_(options.rate),
        cancel_(cancel) {}

  void to_end() {
    while (true) {
      cancel_.check();
      start_ready();
      if (active_.empty() && waiting_.empty() && feed_.exhausted()) return;
      unpause();
      int running = 0;
      if (curl_multi_perform(multi_, &running) != CURLM_OK) {
        throw core::Error(core::Kind::kInternal, "libcurl cannot go on");
      }
      if (collect()) continue;
      curl_multi_poll(multi_, nullptr, 0, pause(), nullptr);
    }
  }

 private:
  struct Job {
    Transfer transfer;
    int attempt;
    SteadyClock::time_point ready;
  };
  struct Active {
    std::unique_ptr<Job> job;  ///< the attempt refers to it
    std::unique_ptr<CurlAttempt> attempt;
  };

  SteadyClock::time_point next_ready() const {
    auto first = SteadyClock::time_point::max();
    for (const auto& job : waiting_) first = std::min(first, job->ready);
    return first;
  }

  int pause() const {
    if (options_.rate > 0 && !active_.empty()) return static_cast<int>(kRatePoll.count());
    const auto until = next_ready() - std::min(next_ready(), SteadyClock::now());
    const auto wait =
        std::chrono::duration_cast<std::chrono::milliseconds>(until) + std::chrono::milliseconds(1);
    return static_cast<int>(std::min(active_.size() < parallel_ ? wait : kPoll, kPoll).count());
  }

  void start_ready() {
    const auto now = SteadyClock::now();
    for (auto job = waiting_.begin(); job != waiting_.end() && active_.size() < parallel_;) {
      if ((*job)->ready > now) {
        ++job;
        continue;
      }
      std::unique_ptr<Job> ready = std::move(*job);
      job = waiting_.erase(job);
      start(std::move(ready));
    }
    while (active_.size() < parallel_) {
      std::optional<Transfer> transfer = feed_.next();
      if (!transfer) break;
      start(std::make_unique<Job>(Job{std::move(*transfer), 1, {}}));
    }
  }

  void start(std::unique_ptr<Job> job) {
    const Transfer& transfer = job->transfer;
    try {
      if (check_url(transfer.request.url) == Scheme::kFile) {
        feed_.done(transfer, transfer_file(transfer, cancel_));
        return;
      }
    } catch (const core::Error& error) {
      if (error.kind() != core::Kind::kFetch) throw;
      feed_.done(transfer, Failure{.error = error});
      return;
    }
    auto attempt = std::make_unique<CurlAttempt>(multi_, transfer, options_, limit_);
    CURL* const handle = attempt->handle();
    active_.emplace(handle, Active{std::move(job), std::move(attempt)});
  }

  /// Lets transfers go on that waited for the rate limit, one after the other.
  void unpause() {
    for (auto& [handle, active] : active_) {
      if (active.attempt->paused() && limit_.ready(SteadyClock::now())) active.attempt->unpause();
    }
  }

  /// True when a transfer ended.
  bool collect() {
    bool any = false;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      auto node = active_.extract(message->easy_handle);
      if (!node) continue;
      any = true;
      Active ended = std::move(node.mapped());
      std::variant<Response, Problem> outcome = ended.attempt->finish(code);
      const std::uint64_t bytes = ended.attempt->bytes();
      ended.attempt.reset();
      settle(std::move(ended.job), std::move(outcome), bytes);
    }
    return any;
  }

  void settle(std::unique_ptr<Job> job, std::variant<Response, Problem> outcome, std::uint64_t bytes) {
    if (Response* response = std::get_if<Response>(&outcome)) {
      feed_.done(job->transfer, std::move(*response));
      return;
    }
    const Problem& problem = std::get<Problem>(outcome);
    const Request& request = job->transfer.request;
    const int attempts = request.attempts > 0 ? request.attempts : options_.attempts;
    if (!problem.retry || job->attempt >= attempts) {
      feed_.done(job->transfer, failure_of(request, problem, job->attempt, bytes));
      return;
    }
    const auto backoff = options_.backoff * (1 << std::min(job->attempt - 1, 6));
    const auto wait =
        std::max<std::chrono::milliseconds>(backoff, std::min(problem.wait, options_.longest_wait));
    ++job->attempt;
    job->ready = SteadyClock::now() + wait;
    waiting_.push_back(std::move(job));
  }

  CURLM* multi_;
  Feed& feed_;
  std::size_t parallel_;
  const HttpOptions& options_;
  RateLimit limit_;
  const core::CancelToken& cancel_;
  std::deque<std::unique_ptr<Job>> waiting_;
  std::map<CURL*, Active> active_;
};

class CurlHttp : public Http {
 public:
  CurlHttp(HttpOptions options, core::CancelToken cancel)
      : options_(std::move(options)), cancel_(std::move(cancel)) {
    static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (initialised != CURLE_OK) throw core::Error(core::Kind::kInternal, "libcurl cannot be initialised");
  }

  void drive(Feed& feed, unsigned parallel) override {
    Multi multi = take();
    Run(multi.get(), feed, parallel, options_, cancel_).to_end();
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(multi));
  }

  const HttpOptions& options() const override { return options_; }

 private:
  /// A multi handle serves one thread at a time; idle ones keep their connections for the next call.
  Multi take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) {
      Multi made(curl_multi_init());
      if (!made) throw core::Error(core::Kind::kInternal, "libcurl cannot be initialised");
      return made;
    }
    Multi multi = std::move(idle_.back());
    idle_.pop_back();
    return multi;
  }

  HttpOptions options_;
  core::CancelToken cancel_;
  std::mutex mutex_;
  std::vector<Multi> idle_;
};

}  // namespace

std::unique_ptr<Http> make_http(HttpOptions options, core::CancelToken cancel) {
  return std::make_unique<CurlHttp>(std::move(options), std::move(cancel));
}

}  // namespace imgforge::fetch
