#include <cstdlib>
#include <string>

#include "builder/cli/command.hpp"

namespace imgforge::cli {
namespace {

std::optional<std::filesystem::path> find_xdg_dir(const char* variable, const char* below_home) {
  const char* value = std::getenv(variable);
  // The specification asks to ignore relative values.
  if (value != nullptr && *value == '/') return std::filesystem::path(value) / "imgforge";
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home != '/') return std::nullopt;
  return std::filesystem::path(home) / below_home / "imgforge";
}

std::filesystem::path xdg_dir(const char* variable, const char* below_home) {
  if (auto found = find_xdg_dir(variable, below_home)) return *std::move(found);
  throw core::Error(core::Kind::kUsage, std::string("neither ") + variable + " nor HOME is set")
      .hint("set HOME, or name the folder with --cache-dir");
}

}  // namespace

std::filesystem::path default_cache_dir() {
  return xdg_dir("XDG_CACHE_HOME", ".cache");
}
std::filesystem::path config_dir() {
  return xdg_dir("XDG_CONFIG_HOME", ".config");
}
std::optional<std::filesystem::path> find_config_dir() {
  return find_xdg_dir("XDG_CONFIG_HOME", ".config");
}

}  // namespace imgforge::cli
