// Which releases of a line stay: a policy and a pure function. It knows neither files nor stores, so that
// what a policy means can be tested by itself.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/iso_time.hpp"

namespace imgforge::artifacts {

/// A release stays when any rule keeps it. Days, weeks (from Monday) and months are those of UTC.
struct RetentionPolicy {
  std::optional<unsigned> last{};     ///< the newest N
  std::optional<unsigned> daily{};    ///< of each of the latest N days that have releases the newest one
  std::optional<unsigned> weekly{};   ///< likewise of weeks
  std::optional<unsigned> monthly{};  ///< likewise of months
  bool tagged = false;                ///< nothing but what is protected anyway (pins, current, clones)
  std::optional<std::chrono::seconds> within{};  ///< what was built less long than this before `now`
  core::UnixTime now{};

  /// No rule: such a policy is refused, nothing is guessed.
  bool empty() const { return !last && !daily && !weekly && !monthly && !tagged && !within; }
};

/// Throws kUsage for an empty policy and for a rule that keeps 0.
void check_policy(const RetentionPolicy& policy);

/// One release as the policy sees it.
struct RetentionItem {
  std::optional<core::UnixTime> built;   ///< nothing: not known
  std::vector<std::string> protections;  ///< why it stays whatever the policy says: "current", "pinned"
};

/// For each item, given newest first, why it stays; empty for one that goes. Protected items count like the
/// others where the policy counts releases; items without time are kept and not counted.
std::vector<std::vector<std::string>> apply_policy(const RetentionPolicy& policy,
                                                   const std::vector<RetentionItem>& items);

/// "30d", "12h", "2w", "6m" (of 30 days), "1y" (of 365 days) as a time. Throws kUsage.
std::chrono::seconds parse_age(std::string_view text);

using core::parse_iso_time;

}  // namespace imgforge::artifacts
