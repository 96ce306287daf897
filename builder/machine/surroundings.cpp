#include "builder/machine/surroundings.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cstdlib>

namespace imgforge::machine {
namespace {

namespace fs = std::filesystem;

/// What reprotest chooses between, too.
constexpr mode_t kUsualMask = 0022;
constexpr mode_t kOtherMask = 0002;

/// The first processor that may be used, alone; nothing where there is no other one.
std::optional<cpu_set_t> first_of(const cpu_set_t& all) {
  if (CPU_COUNT(&all) < 2) return std::nullopt;
  for (int processor = 0; processor < CPU_SETSIZE; ++processor) {
    if (!CPU_ISSET(processor, &all)) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    return one;
  }
  return std::nullopt;
}

}  // namespace

OtherSurroundings::OtherSurroundings(const fs::path& folder) : directory_(fs::current_path()) {
  fs::create_directories(folder / "directory");
  fs::create_directories(folder / "temporary");
  fs::current_path(folder / "directory");
  varied_.emplace_back("working directory");
  set("TMPDIR", folder / "temporary");
  set("LC_ALL", "et_EE.UTF-8");
  set("TZ", "GMT-14");
  umask_ = ::umask(kOtherMask);
  if (umask_ == kOtherMask) ::umask(kUsualMask);
  varied_.push_back(
      fmt::format("umask {:04o} -> {:04o}", umask_, umask_ == kOtherMask ? kUsualMask : kOtherMask));
  cpu_set_t all;
  if (::sched_getaffinity(0, sizeof all, &all) != 0) return;
  const auto one = first_of(all);
  if (!one || ::sched_setaffinity(0, sizeof *one, &*one) != 0) return;
  processors_ = all;
  varied_.push_back(fmt::format("processors {} -> 1", CPU_COUNT(&all)));
}

OtherSurroundings::~OtherSurroundings() {
  if (processors_) static_cast<void>(::sched_setaffinity(0, sizeof *processors_, &*processors_));
  ::umask(umask_);
  for (const auto& [name, value] : variables_) {
    if (value) {
      ::setenv(name.c_str(), value->c_str(), 1);
    } else {
      ::unsetenv(name.c_str());
    }
  }
  std::error_code error;
  fs::current_path(directory_, error);
}

void OtherSurroundings::set(const char* variable, const std::string& value) {
  const char* before = std::getenv(variable);
  variables_.emplace_back(variable, before == nullptr ? std::nullopt : std::optional<std::string>(before));
  ::setenv(variable, value.c_str(), 1);
  varied_.emplace_back(variable);
}

}  // namespace imgforge::machine
