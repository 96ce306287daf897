// Http over libcurl's multi interface: one loop drives all transfers of a call, repeats those whose fault may
// pass, and keeps connections for later calls.
#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>

#include "builder/fetch/curl_attempt.hpp"
#include "builder/fetch/file_transfer.hpp"
#include "builder/fetch/url.hpp"

namespace imgforge::fetch {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kPoll{100};  // how late a cancel may be noticed

Failure failure_of(const Request& request, const Problem& problem, int attempts) {
  std::string text = fmt::format("{}: {}", redacted_url(request.url), problem.text);
  if (attempts > 1) text += fmt::format(" ({} attempts)", attempts);
  Failure failure{.error = core::Error(problem.kind, std::move(text)),
                  .absent = problem.absent,
                  .status = problem.status,
                  .challenge = problem.challenge};
  if (!problem.hint.empty()) failure.error.hint(problem.hint);
  return failure;
}

/// One call of run.
class Run {
 public:
  Run(CURLM* multi, const std::vector<Transfer>& transfers, unsigned parallel, const HttpOptions& options,
      const core::CancelToken& cancel)
      : multi_(multi),
        transfers_(transfers),
        parallel_(std::max(1u, parallel)),
        options_(options),
        cancel_(cancel),
        results_(transfers.size()) {
    for (std::size_t i = 0; i < transfers.size(); ++i) waiting_.push_back(Job{i, 1, {}});
  }

  std::vector<Result> to_end() {
    while (!waiting_.empty() || !active_.empty()) {
      cancel_.check();
      start_ready();
      int running = 0;
      if (curl_multi_perform(multi_, &running) != CURLM_OK) {
        throw core::Error(core::Kind::kInternal, "libcurl cannot go on");
      }
      collect();
      if (active_.size() < parallel_ && next_ready() <= SteadyClock::now()) continue;
      if (!waiting_.empty() || !active_.empty()) curl_multi_poll(multi_, nullptr, 0, pause(), nullptr);
    }
    std::vector<Result> results;
    for (std::optional<Result>& result : results_) results.push_back(std::move(result.value()));
    return results;
  }

 private:
  struct Job {
    std::size_t index;
    int attempt;
    SteadyClock::time_point ready;
  };
  struct Active {
    Job job;
    std::unique_ptr<CurlAttempt> attempt;
  };

  SteadyClock::time_point next_ready() const {
    auto first = SteadyClock::time_point::max();
    for (const Job& job : waiting_) first = std::min(first, job.ready);
    return first;
  }

  int pause() const {
    const auto until = next_ready() - std::min(next_ready(), SteadyClock::now());
    const auto wait =
        std::chrono::duration_cast<std::chrono::milliseconds>(until) + std::chrono::milliseconds(1);
    return static_cast<int>(std::min(active_.size() < parallel_ ? wait : kPoll, kPoll).count());
  }

  void start_ready() {
    const auto now = SteadyClock::now();
    for (auto job = waiting_.begin(); job != waiting_.end() && active_.size() < parallel_;) {
      if (job->ready > now) {
        ++job;
        continue;
      }
      start(*job);
      job = waiting_.erase(job);
    }
  }

  void start(const Job& job) {
    const Transfer& transfer = transfers_[job.index];
    try {
      if (check_url(transfer.request.url) == Scheme::kFile) {
        results_[job.index] = transfer_file(transfer, cancel_);
        return;
      }
    } catch (const core::Error& error) {
      if (error.kind() != core::Kind::kFetch) throw;
      results_[job.index] = Failure{.error = error};
      return;
    }
    auto attempt = std::make_unique<CurlAttempt>(multi_, transfer, options_);
    CURL* const handle = attempt->handle();
    active_.emplace(handle, Active{job, std::move(attempt)});
  }

  void collect() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      auto node = active_.extract(message->easy_handle);
      if (node) settle(node.mapped().job, node.mapped().attempt->finish(code));
    }
  }

  void settle(const Job& job, std::variant<Response, Problem> outcome) {
    if (Response* response = std::get_if<Response>(&outcome)) {
      results_[job.index] = std::move(*response);
      return;
    }
    const Problem& problem = std::get<Problem>(outcome);
    if (!problem.retry || job.attempt >= options_.attempts) {
      results_[job.index] = failure_of(transfers_[job.index].request, problem, job.attempt);
      return;
    }
    const auto backoff = options_.backoff * (1 << std::min(job.attempt - 1, 6));
    const auto wait = std::max<std::chrono::milliseconds>(backoff, problem.wait);
    waiting_.push_back(Job{job.index, job.attempt + 1, SteadyClock::now() + wait});
  }

  CURLM* multi_;
  const std::vector<Transfer>& transfers_;
  std::size_t parallel_;
  const HttpOptions& options_;
  const core::CancelToken& cancel_;
  std::deque<Job> waiting_;
  std::map<CURL*, Active> active_;
  std::vector<std::optional<Result>> results_;
};

class CurlHttp : public Http {
 public:
  CurlHttp(HttpOptions options, core::CancelToken cancel)
      : options_(std::move(options)), cancel_(std::move(cancel)) {
    static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (initialised != CURLE_OK) throw core::Error(core::Kind::kInternal, "libcurl cannot be initialised");
  }

  std::vector<Result> run(const std::vector<Transfer>& transfers, unsigned parallel) override {
    Multi multi = take();
    std::vector<Result> results = Run(multi.get(), transfers, parallel, options_, cancel_).to_end();
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(multi));
    return results;
  }

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
