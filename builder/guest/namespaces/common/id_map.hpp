// Which ids of the host stand for those of a sandbox. As root it is a range that no account has, so that root
// of the sandbox owns nothing on the host; an ordinary user is root there, with the range that /etc/subuid
// and /etc/subgid give him. Who has no range has one id, and owners of files are remembered (notify.hpp).
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string_view>

#include "core/cancel.hpp"

namespace imgforge::guest {

/// Ids that a sandbox has: what a package or a recipe may use as owners.
constexpr unsigned kIds = 65536;

/// Ways to have owners.
enum class Ids {
  kAutomatic,  ///< a range where there is one
  kRange,
  kNotify,  ///< one id
};
/// "range", "notify"
std::string_view name_of(Ids ids);

/// First id of the range that `text` (of /etc/subuid or /etc/subgid) gives to the user, by name or by number,
/// when it has `count` ids at least.
std::optional<unsigned> subordinate_range(std::string_view text, std::string_view name, uid_t uid,
                                          unsigned count);
/// True when `text` (of /proc/self/uid_map) maps all of [first, first + count).
bool maps_range(std::string_view text, unsigned first, unsigned count);

/// Gives the user namespace of a process its ids, and says which way. StepFailure when that is not possible.
Ids map_ids(pid_t process, Ids wanted, const core::CancelToken& cancel);
/// Makes a folder belong to root of the sandbox, whatever group the folder above gave it.
void give_to_root(const std::filesystem::path& folder);

}  // namespace imgforge::guest
