#include "artifacts/retention/retention.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;

using Days = std::chrono::sys_days;

/// The number of the day, of the week (from Monday) or of the month that a time is in.
std::int64_t day_of(core::UnixTime time) {
  return std::chrono::floor<std::chrono::days>(time).time_since_epoch().count();
}
std::int64_t week_of(core::UnixTime time) {
  const std::int64_t day = day_of(time) + 3;  // 1970-01-01 was a Thursday
  return (day >= 0 ? day : day - 6) / 7;
}
std::int64_t month_of(core::UnixTime time) {
  const std::chrono::year_month_day date{Days(std::chrono::days(day_of(time)))};
  return int{date.year()} * 12 + static_cast<std::int64_t>(unsigned{date.month()});
}

/// Keeps the newest of each of the latest `count` periods.
class PeriodRule {
 public:
  PeriodRule(const char* name, std::optional<unsigned> count, std::int64_t (*period)(core::UnixTime))
      : name_(name), left_(count.value_or(0)), period_(period) {}

  void look_at(core::UnixTime built, std::vector<std::string>& reasons) {
    if (left_ == 0) return;
    const std::int64_t period = period_(built);
    if (last_ && *last_ == period) return;
    last_ = period;
    --left_;
    reasons.emplace_back(name_);
  }

 private:
  const char* name_;
  unsigned left_;
  std::int64_t (*period_)(core::UnixTime);
  std::optional<std::int64_t> last_;
};

}  // namespace

void check_policy(const RetentionPolicy& policy) {
  if (policy.empty()) {
    throw Error(Kind::kUsage, "say what to keep: nothing is guessed")
        .hint("for instance --keep-last 3 --keep-monthly 6");
  }
  for (const auto& rule : {policy.last, policy.daily, policy.weekly, policy.monthly}) {
    if (rule && *rule == 0) throw Error(Kind::kUsage, "a rule keeps at least 1 release");
  }
  if (policy.within && policy.within->count() <= 0) throw Error(Kind::kUsage, "an age is more than 0");
}

std::vector<std::vector<std::string>> apply_policy(const RetentionPolicy& policy,
                                                   const std::vector<RetentionItem>& items) {
  std::vector<std::vector<std::string>> result;
  unsigned last = policy.last.value_or(0);
  std::array rules{PeriodRule("daily", policy.daily, day_of), PeriodRule("weekly", policy.weekly, week_of),
                   PeriodRule("monthly", policy.monthly, month_of)};
  for (const RetentionItem& item : items) {
    std::vector<std::string> reasons = item.protections;
    if (!item.built) {
      reasons.emplace_back("nobody knows when it was built");
      result.push_back(std::move(reasons));
      continue;
    }
    if (last != 0) {
      --last;
      reasons.emplace_back("last");
    }
    for (PeriodRule& rule : rules) rule.look_at(*item.built, reasons);
    if (policy.within && *item.built + *policy.within > policy.now) reasons.emplace_back("recent");
    result.push_back(std::move(reasons));
  }
  return result;
}

std::chrono::seconds parse_age(std::string_view text) {
  constexpr std::int64_t kDay = 86400;
  constexpr std::array kUnits{std::pair{'h', std::int64_t{3600}}, std::pair{'d', kDay},
                              std::pair{'w', 7 * kDay}, std::pair{'m', 30 * kDay},
                              std::pair{'y', 365 * kDay}};
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto unit = std::find_if(kUnits.begin(), kUnits.end(), [&, last = end](const auto& row) {
    return last + 1 == text.data() + text.size() && *last == row.first;
  });
  if (error != std::errc() || unit == kUnits.end() || number <= 0 || number > 100000) {
    throw Error(Kind::kUsage, "\"" + core::escaped(text, 40) + "\" is not an age")
        .hint("write 12h, 30d, 2w, 6m (of 30 days) or 1y");
  }
  return std::chrono::seconds(number * unit->second);
}

}  // namespace imgforge::artifacts
