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

Response Http::fetch(const Request& request, Sink& sink) {
  std::vector<Result> results = run({Transfer{request, &sink}}, 1);
  if (Failure* failure = std::get_if<Failure>(&results.at(0))) throw std::move(failure->error);
  return std::get<Response>(std::move(results.at(0)));
}

}  // namespace imgforge::fetch
