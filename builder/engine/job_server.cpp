#include "builder/engine/job_server.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>

namespace imgforge::engine {
namespace {

/// Value of the last option of that name, which is the one that counts.
std::string_view value_of(std::string_view flags, std::string_view option) {
  const auto at = flags.rfind(option);
  if (at == std::string_view::npos) return {};
  const std::string_view value = flags.substr(at + option.size());
  return value.substr(0, value.find(' '));
}

bool is_pipe(const core::Fd& fd) {
  struct stat status {};
  return fd && ::fstat(fd.get(), &status) == 0 && S_ISFIFO(status.st_mode);
}

/// Opened anew, so that reading does not wait and nobody else's descriptor is changed.
core::Fd reopened(std::string_view number, int flags) {
  int fd = -1;
  std::from_chars(number.data(), number.data() + number.size(), fd);
  return core::Fd(::open(fmt::format("/proc/self/fd/{}", fd).c_str(), flags | O_NONBLOCK | O_CLOEXEC));
}

}  // namespace

std::unique_ptr<JobServer> JobServer::find(std::string_view makeflags) {
  std::string_view value = value_of(makeflags, "--jobserver-auth=");
  if (value.empty()) value = value_of(makeflags, "--jobserver-fds=");  // before make 4.2
  core::Fd read, write;
  constexpr std::string_view kFifo = "fifo:";
  if (value.starts_with(kFifo)) {
    const std::string path(value.substr(kFifo.size()));
    read = core::Fd(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    write = core::Fd(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  } else if (const auto comma = value.find(','); comma != std::string_view::npos) {
    read = reopened(value.substr(0, comma), O_RDONLY);
    write = reopened(value.substr(comma + 1), O_WRONLY);
  }
  if (!is_pipe(read) || !is_pipe(write)) return nullptr;
  return std::unique_ptr<JobServer>(new JobServer(std::move(read), std::move(write)));
}

JobServer::~JobServer() {
  while (!tokens_.empty()) release();
}

bool JobServer::acquire() {
  char token = 0;
  if (::read(read_.get(), &token, 1) != 1) return false;
  tokens_ += token;
  return true;
}

void JobServer::release() {
  if (tokens_.empty()) return;
  // The pipe held it before, so there is room.
  static_cast<void>(::write(write_.get(), &tokens_.back(), 1) == 1);
  tokens_.pop_back();
}

}  // namespace imgforge::engine
