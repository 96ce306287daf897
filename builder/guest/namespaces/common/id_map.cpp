#include "builder/guest/namespaces/common/id_map.hpp"

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

#include "builder/guest/namespaces/common/owners.hpp"
#include "builder/guest/namespaces/common/steps.hpp"
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
std::optional<unsigned> range_of_root() {
  for (const unsigned first : {kRootRange, 0U}) {
    if (maps_range(text_of("/proc/self/uid_map"), first, kIds) &&
        maps_range(text_of("/proc/self/gid_map"), first, kIds)) {
      return first;
    }
  }
  return std::nullopt;
}

/// By its number where it has none.
std::string user_name() {
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> buffer(1 << 16);
  ::getpwuid_r(::geteuid(), &entry, buffer.data(), buffer.size(), &found);
  return found != nullptr ? entry.pw_name : std::to_string(::geteuid());
}

void write_setting(pid_t process, const char* file, const std::string& text) {
  const std::string path = fmt::format("/proc/{}/{}", process, file);
  const core::Fd fd(require(::open(path.c_str(), O_WRONLY | O_CLOEXEC), Step::kMap));
  require(::write(fd.get(), text.data(), text.size()), Step::kMap);
}

void write_maps(pid_t process, unsigned uid, unsigned gid, unsigned count) {
  write_setting(process, "uid_map", fmt::format("0 {} {}\n", uid, count));
  write_setting(process, "gid_map", fmt::format("0 {} {}\n", gid, count));
}

std::string mend_for(const std::string& name) {
  return fmt::format(
      "give the user a range of ids: usermod --add-subuids 100000-165535 --add-subgids "
      "100000-165535 {}",
      name);
}

/// One of newuidmap and newgidmap, which look into the same file once more.
class MapProgram {
 public:
  /// StepFailure when it would not work.
  MapProgram(const char* program, const char* file, unsigned own)
      : program_(program), own_(own), user_(user_name()) {
    const std::optional<unsigned> first = subordinate_range(text_of(file), user_, ::geteuid(), kIds - 1);
    if (!first) throw StepFailure{Step::kMap, EPERM, mend_for(user_)};
    if (core::find_program(program).empty()) {
      throw StepFailure{Step::kMap, ENOENT, fmt::format("install {} (package uidmap)", program)};
    }
    first_ = *first;
  }
  void run(pid_t process, const core::CancelToken& cancel) const {
    core::Command command;
    command.program = program_;
    command.args = {std::to_string(process), "0", std::to_string(own_), "1", "1", std::to_string(first_),
                    std::to_string(kIds - 1)};
    const core::ProcessResult result = core::system_processes().run(command, cancel);
    if (result.exit_code == 0) return;
    throw StepFailure{Step::kMap, EPERM,
                      fmt::format("{} ({})", mend_for(user_), core::escaped(core::trimmed(result.err)))};
  }

 private:
  const char* program_;
  unsigned own_;
  std::string user_;
  unsigned first_ = 0;
};

void map_range(pid_t process, const core::CancelToken& cancel) {
  if (::geteuid() != 0) {
    const MapProgram users("newuidmap", "/etc/subuid", ::geteuid());
    const MapProgram groups("newgidmap", "/etc/subgid", ::getegid());
    users.run(process, cancel);
    groups.run(process, cancel);
    return;
  }
  const std::optional<unsigned> first = range_of_root();
  if (!first) {
    throw StepFailure{Step::kMap, EPERM,
                      "this container has fewer than 65536 user and group ids: give it more"};
  }
  write_maps(process, *first, *first, kIds);
}

/// What root of a sandbox is outside.
Owner host_root() {
  if (::geteuid() != 0) return {::geteuid(), ::getegid()};
  const unsigned first = range_of_root().value_or(0);
  return {first, first};
}

/// Takes no right, but nobody may change his groups then.
void map_one(pid_t process) {
  if (::geteuid() != 0) write_setting(process, "setgroups", "deny");
  const Owner root = host_root();
  write_maps(process, root.uid, root.gid, 1);
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

std::string_view name_of(Ids ids) {
  return ids == Ids::kNotify ? "notify" : "range";
}

Ids map_ids(pid_t process, Ids wanted, const core::CancelToken& cancel) {
  if (wanted != Ids::kNotify) {
    try {
      map_range(process, cancel);
      return Ids::kRange;
    } catch (const StepFailure&) {
      const std::string mapped = text_of(fmt::format("/proc/{}/uid_map", process));
      if (wanted == Ids::kRange || !mapped.empty()) throw;
    }
  }
  map_one(process);
  return Ids::kNotify;
}

void give_to_root(const std::filesystem::path& folder) {
  const Owner root = host_root();
  if (::chown(folder.c_str(), root.uid, root.gid) != 0) {
    throw core::system_error(errno, "cannot change the owner of", folder.native());
  }
}

}  // namespace imgforge::guest
