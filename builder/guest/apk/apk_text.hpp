// What apk-tools 2 and 3 read and print, as pure functions: the world file (apk-world(5)) and the messages of
// `apk add`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "builder/guest/apk/apk.hpp"

namespace imgforge::guest {

/// Name of a world entry: "jq" of "jq>=1.7", "jq=1.7-r0" and "!jq".
std::string name_of_constraint(std::string_view constraint);

/// The world file `base` without the names in `remove` and with `add`, where the new entry of a name replaces
/// the old one. Sorted as apk sorts it.
std::vector<std::string> next_world(std::string_view base, const std::vector<recipe::Marked>& add,
                                    const std::vector<recipe::Marked>& remove);

/// The "(1/42) Installing jq (1.7.1-r0)" lines of apk's output.
std::vector<PlannedPackage> parse_plan(std::string_view output);

/// Names that apk calls "(no such package)".
std::vector<std::string> missing_packages(std::string_view output);

struct FailedScript {
  std::string package;  ///< name without version
  std::string script;   ///< "post-install", "trigger"
  int exit_code = 0;
};
/// The first "ERROR: jq-1.7.1-r0.post-install: script exited with error 7".
std::optional<FailedScript> failed_script(std::string_view output);

}  // namespace imgforge::guest
