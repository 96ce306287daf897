#include "builder/fetch/http/http.hpp"

namespace imgforge::fetch {

void FileSink::restart() {
  file_.reset();
  file_.emplace(path_, 0600);
}

void FileSink::write(std::span<const std::byte> data) {
  file_->write(data);
}

void FileSink::finish() {
  file_->close();
}

namespace {

/// Transfers that are all known from the beginning.
class ListFeed : public Feed {
 public:
  explicit ListFeed(const std::vector<Transfer>& transfers)
      : transfers_(transfers), results_(transfers.size()) {}
  std::optional<Transfer> next() override {
    return next_ < transfers_.size() ? std::optional(transfers_[next_++]) : std::nullopt;
  }
  bool exhausted() override { return next_ == transfers_.size(); }
  void done(const Transfer& transfer, Result result) override {
    for (std::size_t i = 0; i < transfers_.size(); ++i) {
      if (transfers_[i].sink == transfer.sink) results_[i] = std::move(result);
    }
  }
  std::vector<Result> take() {
    std::vector<Result> results;
    for (std::optional<Result>& result : results_) results.push_back(std::move(result.value()));
    return results;
  }

 private:
  const std::vector<Transfer>& transfers_;
  std::size_t next_ = 0;
  std::vector<std::optional<Result>> results_;
};

}  // namespace

std::vector<Result> Http::run(const std::vector<Transfer>& transfers, unsigned parallel) {
  ListFeed feed(transfers);
  drive(feed, parallel);
  return feed.take();
}

Response Http::fetch(const Request& request, Sink& sink) {
  std::vector<Result> results = run({Transfer{request, &sink}}, 1);
  if (Failure* failure = std::get_if<Failure>(&results.at(0))) throw std::move(failure->error);
  return std::get<Response>(std::move(results.at(0)));
}

}  // namespace imgforge::fetch
