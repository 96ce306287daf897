#include "builder/guest/appliance/qemu_process.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <vector>

namespace imgforge::guest {
namespace {

std::vector<pid_t> children_in(const std::string& path) {
  std::vector<pid_t> out;
  std::ifstream file(path);
  for (pid_t pid = 0; file >> pid;) out.push_back(pid);
  return out;
}

void kill_tree(pid_t pid) {
  const std::vector<pid_t> children = children_in(fmt::format("/proc/{0}/task/{0}/children", pid));
  ::kill(pid, SIGKILL);
  for (const pid_t child : children) kill_tree(child);
}

}  // namespace

void kill_children_of_thread(pid_t thread) {
  for (const pid_t pid : children_in(fmt::format("/proc/self/task/{}/children", thread))) kill_tree(pid);
}

void remove_socket_folder(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/cmdline", pid), std::ios::binary);
  constexpr std::string_view kStart = "socket,path=";
  for (std::string argument; std::getline(file, argument, '\0');) {
    const std::size_t start = argument.find(kStart);
    if (start == std::string::npos) continue;
    const std::size_t begin = start + kStart.size();
    const std::filesystem::path socket = argument.substr(begin, argument.find(',', begin) - begin);
    const std::filesystem::path folder = socket.parent_path();
    if (!folder.filename().native().starts_with("libguestfs")) continue;
    std::error_code ignored;
    std::filesystem::remove(socket, ignored);
    std::filesystem::remove(folder, ignored);
  }
}

ProcessHandle::ProcessHandle(pid_t pid) : fd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}

void ProcessHandle::kill() const noexcept {
  if (fd_) ::syscall(SYS_pidfd_send_signal, fd_.get(), SIGKILL, nullptr, 0);
}

bool ProcessHandle::running() const noexcept {
  pollfd poll_fd{fd_.get(), POLLIN, 0};
  return fd_ && ::poll(&poll_fd, 1, 0) == 0;
}

}  // namespace imgforge::guest
