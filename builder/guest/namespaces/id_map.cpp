#include "builder/guest/namespaces/id_map.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <system_error>
#include <vector>

#include "builder/guest/namespaces/steps.hpp"
#include "core/fd.hpp"
#include "core/process.hpp"
#include "core/text.hpp"

namespace imgforge::guest {
namespace {

/// Where systemd's containers begin; ordinary accounts end before, ranges of /etc/subuid mostly, too.
constexpr unsigned kRootRange = 524'288;

std::optional<unsigned> number_in(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string text_of(const std::filesystem::path& file) {
  std::error_code ignored;
  return std::filesystem::exists(file, ignored) ? core::read_text_file(file) : std::string();
}

/// In a container that has fewer ids, those of the sandbox are the container's own.
unsigned range_of_root() {
  for (const unsigned first : {kRootRange, 0U}) {
    if (maps_range(text_of("/proc/self/uid_map"), first, kIds) &&
        maps_range(text_of("/proc/self/gid_map"), first, kIds)) {
      return first;
    }
  }
  throw StepFailure{Step::kMap, EPERM,
                    "this container has fewer than 65536 user and group ids: give it more"};
}

/// By its number where it has none.
std::string user_name() {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(1 << 16);
  ::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found);
  return found != nullptr ? entry.pw_name : std::to_string(::geteuid());
}

void write_map(pid_t process, const char* file, unsigned first) {
  const std::string path = fmt::format("/proc/{}/{}", process, file);
  const core::Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  const std::string line = fmt::format("0 {} {}\n", first, kIds);
  require(::write(fd.get(), line.data(), line.size()), Step::kMap);
}

std::string mend_for(const std::string& name) {
  return fmt::format(
      "give the user a range of ids: usermod --add-subuids 100000-165535 --add-subgids "
      "100000-165535 {}",
      name);
}

/// Through newuidmap or newgidmap, which look into the same file once more.
void map_as_user(pid_t process, const char* program, const char* file, unsigned own,
                 const core::CancelToken& cancel) {
  const std::string name = user_name();
  const std::optional<unsigned> first = subordinate_range(text_of(file), name, ::geteuid(), kIds - 1);
  if (!first) throw StepFailure{Step::kMap, EPERM, mend_for(name)};
  if (core::find_program(program).empty()) {
    throw StepFailure{Step::kMap, ENOENT, fmt::format("install {} (package uidmap)", program)};
  }
  core::Command command;
  command.program = program;
  command.args = {std::to_string(process), "0", std::to_string(own), "1", "1", std::to_string(*first),
                  std::to_string(kIds - 1)};
  const core::ProcessResult result = core::system_processes().run(command, cancel);
  if (result.exit_code != 0) {
    throw StepFailure{Step::kMap, EPERM,
                      fmt::format("{} ({})", mend_for(name), core::escaped(core::trimmed(result.err)))};
  }
}

}  // namespace

std::optional<unsigned> subordinate_range(std::string_view text, std::string_view name, uid_t uid,
                                          unsigned count) {
  const std::string number = std::to_string(uid);
  for (const std::string& line : core::split(text, '\n')) {
    const std::vector<std::string> parts = core::split(line, ':');
    if (parts.size() != 3 || (parts[0] != name && parts[0] != number)) continue;
    const std::optional<unsigned> first = number_in(parts[1]);
    const std::optional<unsigned> size = number_in(parts[2]);
    if (first && size && *size >= count) return first;
  }
  return std::nullopt;
}

bool maps_range(std::string_view text, unsigned first, unsigned count) {
  for (const std::string& line : core::split(text, '\n')) {
    std::array<unsigned long, 3> parts{};
    const char* at = line.c_str();
    for (unsigned long& part : parts) {
      char* end = nullptr;
      part = std::strtoul(at, &end, 10);
      at = end;
    }
    if (first >= parts[0] && first + std::uint64_t{count} <= parts[0] + std::uint64_t{parts[2]}) return true;
  }
  return false;
}

void map_ids(pid_t process, const core::CancelToken& cancel) {
  if (::geteuid() == 0) {
    const unsigned first = range_of_root();
    write_map(process, "uid_map", first);
    write_map(process, "gid_map", first);
    return;
  }
  map_as_user(process, "newuidmap", "/etc/subuid", ::geteuid(), cancel);
  map_as_user(process, "newgidmap", "/etc/subgid", ::getegid(), cancel);
}

void give_to_root(const std::filesystem::path& folder) {
  if (::geteuid() != 0) return;
  const unsigned first = range_of_root();
  if (::chown(folder.c_str(), first, first) != 0) {
    throw core::system_error(errno, "cannot change the owner of", folder.native());
  }
}

}  // namespace imgforge::guest
