// What prune and archive share: the flags of a retention policy and the table of what goes and what stays.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "artifacts/retention/prune.hpp"
#include "builder/cli/arguments/store_arguments.hpp"

namespace imgforge::cli {

/// The flags as they were given; numbers are read as text so that "0" and "-1" get our words.
struct PolicyArguments {
  std::string last, daily, weekly, monthly, within;
  bool tagged = false;
  artifacts::RetentionPolicy policy(const core::Clock& clock) const;
};

/// What the flag for an age is called, and what it does.
std::shared_ptr<PolicyArguments> declare_policy(OptionSet& set, const char* age_flag);

/// Rows of the table and of `--json`: line, version, fate, why.
std::vector<std::string> plan_row(const artifacts::PlannedRelease& planned, const char* fate);
core::Json plan_json(const artifacts::PlannedRelease& planned);

/// "keeps 9 (current 3, pinned 1, clones 2, monthly 3)"; each kept release counts for its first reason.
std::string kept_text(const std::vector<artifacts::PlannedRelease>& planned);

/// "4 releases", "1 release".
std::string count_text(std::size_t count, const char* what);

}  // namespace imgforge::cli
