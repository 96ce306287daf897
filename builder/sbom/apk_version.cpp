#include "builder/sbom/apk_version.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

namespace imgforge::sbom {
namespace {

using namespace std::string_view_literals;

/// What a part of a version is, in the order in which parts may follow; a later kind is the older version
/// where the other one has something else.
enum class Part {
  kInvalid = -1,
  kNumberAfterPoint,
  kNumber,
  kLetter,
  kSuffix,
  kSuffixNumber,
  kRevision,
  kEnd
};

/// Suffixes before a release, and after it.
constexpr std::array kBefore{"alpha"sv, "beta"sv, "pre"sv, "rc"sv};
constexpr std::array kAfter{"cvs"sv, "svn"sv, "git"sv, "hg"sv, "p"sv};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  Part part() const { return part_; }

  /// The value of this part; moves on to the next.
  std::int64_t next() {
    switch (part_) {
      case Part::kNumberAfterPoint:
        if (rest_.starts_with('0')) return zeros();
        return number();
      case Part::kNumber:
      case Part::kSuffixNumber:
      case Part::kRevision:
        return number();
      case Part::kLetter: {
        const auto value = static_cast<std::int64_t>(rest_.front());
        rest_.remove_prefix(1);
        move_on();
        return value;
      }
      case Part::kSuffix:
        return suffix();
      case Part::kInvalid:
      case Part::kEnd:
        break;
    }
    part_ = Part::kInvalid;
    return -1;
  }

 private:
  /// ".01" is older than ".1": leading zeros count below every number, and the rest of it is a part of its
  /// own.
  std::int64_t zeros() {
    std::int64_t count = 0;
    while (rest_.starts_with('0')) {
      rest_.remove_prefix(1);
      ++count;
    }
    part_ = rest_.empty() ? Part::kEnd : Part::kNumber;
    return -count;
  }

  std::int64_t number() {
    constexpr std::size_t kMostDigits = 18;
    std::int64_t value = 0;
    std::size_t digits = 0;
    for (; digits < rest_.size() && is_digit(rest_[digits]); ++digits) {
      if (digits == kMostDigits) return invalid();
      value = value * 10 + (rest_[digits] - '0');
    }
    rest_.remove_prefix(digits);
    move_on();
    return value;
  }

  std::int64_t suffix() {
    for (std::size_t i = 0; i < kBefore.size(); ++i) {
      if (take(kBefore[i])) return static_cast<std::int64_t>(i) - static_cast<std::int64_t>(kBefore.size());
    }
    for (std::size_t i = 0; i < kAfter.size(); ++i) {
      if (take(kAfter[i])) return static_cast<std::int64_t>(i);
    }
    return invalid();
  }

  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    move_on();
    return true;
  }

  std::int64_t invalid() {
    part_ = Part::kInvalid;
    return -1;
  }

  void move_on() {
    const Part before = part_;
    part_ = kind_of_rest(before);
    const bool repeats = (part_ == Part::kNumberAfterPoint && before == Part::kNumber) ||
                         (part_ == Part::kSuffix && before == Part::kSuffixNumber) ||
                         (part_ == Part::kNumber && before == Part::kLetter);
    if (part_ < before && !repeats) part_ = Part::kInvalid;
  }

  Part kind_of_rest(Part before) {
    if (rest_.empty()) return Part::kEnd;
    const char c = rest_.front();
    if ((before == Part::kNumber || before == Part::kNumberAfterPoint) && is_lower(c)) return Part::kLetter;
    if (before == Part::kLetter && is_digit(c)) return Part::kNumber;
    if (before == Part::kSuffix && is_digit(c)) return Part::kSuffixNumber;
    rest_.remove_prefix(1);
    if (c == '.') return Part::kNumberAfterPoint;
    if (c == '_') return Part::kSuffix;
    if (c != '-' || !rest_.starts_with('r')) return Part::kInvalid;
    rest_.remove_prefix(1);
    return Part::kRevision;
  }

  std::string_view rest_;
  Part part_ = Part::kNumber;
};

bool is_before_release(Reader version) {
  return version.part() == Part::kSuffix && version.next() < 0;
}

}  // namespace

int compare_apk_versions(std::string_view a, std::string_view b) {
  Reader left(a);
  Reader right(b);
  std::int64_t left_value = 0;
  std::int64_t right_value = 0;
  const auto goes_on = [&] {
    return left.part() == right.part() && left.part() != Part::kEnd && left.part() != Part::kInvalid &&
           left_value == right_value;
  };
  while (goes_on()) {
    left_value = left.next();
    right_value = right.next();
  }
  if (left_value != right_value) return left_value < right_value ? -1 : 1;
  if (left.part() == right.part()) return 0;
  // All that both have is equal: the longer one is newer, unless it goes on with a suffix from before the
  // release.
  if (is_before_release(left)) return -1;
  if (is_before_release(right)) return 1;
  return left.part() > right.part() ? -1 : 1;
}

}  // namespace imgforge::sbom
