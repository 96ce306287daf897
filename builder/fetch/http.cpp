#include "builder/fetch/http.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace imgforge::fetch {

FileSink::~FileSink() {
  if (made_) ::unlink(path_.c_str());
}

void FileSink::restart() {
  const int create = made_ ? O_TRUNC : O_CREAT | O_EXCL;
  fd_ = core::open_file(path_, O_WRONLY | O_NOFOLLOW | create, 0600);
  made_ = true;
}

void FileSink::write(std::span<const std::byte> data) {
  core::write_all(fd_.get(), data, path_.native());
}

void FileSink::finish() {
  fd_.close(path_.native());
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
