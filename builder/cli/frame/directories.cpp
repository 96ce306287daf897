#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "builder/cli/frame/command.hpp"

namespace imgforge::cli {
namespace {

/// The user's home as POSIX has it: HOME, or what the system says where a service has none set.
const char* find_home() {
  if (const char* home = std::getenv("HOME")) return home;
  const passwd* user = ::getpwuid(::geteuid());  // the command line is read by one thread
  return user == nullptr ? nullptr : user->pw_dir;
}

std::optional<std::filesystem::path> find_xdg_dir(const char* variable, const char* below_home) {
  const char* value = std::getenv(variable);
  // The specification asks to ignore relative values.
  if (value != nullptr && *value == '/') return std::filesystem::path(value) / "imgforge";
  const char* home = find_home();
  if (home == nullptr || *home != '/') return std::nullopt;
  return std::filesystem::path(home) / below_home / "imgforge";
}

std::filesystem::path xdg_dir(const char* variable, const char* below_home) {
  if (auto found = find_xdg_dir(variable, below_home)) return *std::move(found);
  throw core::Error(core::Kind::kUsage, std::string("neither ") + variable + " nor HOME names a folder")
      .hint(std::string("set ") + variable + " or HOME to an absolute path");
}

}  // namespace

std::filesystem::path default_cache_dir() {
  return xdg_dir("XDG_CACHE_HOME", ".cache");
}
std::filesystem::path config_dir() {
  return xdg_dir("XDG_CONFIG_HOME", ".config");
}
std::filesystem::path state_dir() {
  return xdg_dir("XDG_STATE_HOME", ".local/state");
}
std::optional<std::filesystem::path> find_config_dir() {
  return find_xdg_dir("XDG_CONFIG_HOME", ".config");
}

}  // namespace imgforge::cli
