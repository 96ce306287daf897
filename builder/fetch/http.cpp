#include "builder/fetch/http.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace imgforge::fetch {

FileSink::FileSink(std::filesystem::path path) : path_(std::move(path)) {
  fd_ = core::open_file(path_, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
}

FileSink::~FileSink() {
  ::unlink(path_.c_str());
}

void FileSink::restart() {
  if (::ftruncate(fd_.get(), 0) != 0 || ::lseek(fd_.get(), 0, SEEK_SET) < 0) {
    throw core::system_error(errno, "cannot empty", path_.native());
  }
}

void FileSink::write(std::span<const std::byte> data) {
  core::write_all(fd_.get(), data, path_.native());
}

void FileSink::close() {
  fd_.close(path_.native());
}

Response Http::fetch(const Request& request, Sink& sink) {
  std::vector<Result> results = run({Transfer{request, &sink}}, 1);
  if (Failure* failure = std::get_if<Failure>(&results.at(0))) throw std::move(failure->error);
  return std::get<Response>(std::move(results.at(0)));
}

}  // namespace imgforge::fetch
