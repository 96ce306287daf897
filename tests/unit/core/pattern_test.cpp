// Users' regular expressions against long and hostile text: what they find, and that neither time nor stack
// run away. With a std::regex that backtracks, half of these lines crash and the other half do not end.
#include "core/pattern.hpp"

#include <gmock/gmock.h>

#include <chrono>

#include "core/error.hpp"

namespace imgforge::core {
namespace {

using testing::HasSubstr;

TEST(Pattern, IsFoundInALine) {
  const auto found = [](const char* pattern, std::string_view text) {
    return Pattern(pattern).found_in(text);
  };
  EXPECT_TRUE(found("login:", "unhinged login: "));
  EXPECT_TRUE(found("^b$", "a\nb\nc"));
  EXPECT_FALSE(found("^b$", "ab\nbc"));
  EXPECT_FALSE(found("a.c", "a\nc")) << "one line at a time";
  EXPECT_FALSE(found("a[^x]c", "a\nc"));
  EXPECT_TRUE(found("one|two", "and two"));
  EXPECT_TRUE(found("^one|two$", "and two"));
  EXPECT_TRUE(found("\\bKIOSK (\\d+)\\b", "x KIOSK 12 y"));
  EXPECT_TRUE(found("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
                    "id 01234567-89ab-cdef-0123-456789abcdef"));
  EXPECT_TRUE(found("(?=.*b)a", "ab"));
  EXPECT_TRUE(found("", ""));
  EXPECT_TRUE(found("^$", "a\n\nb"));
  EXPECT_TRUE(found("[)]{2}", "))"));
}

TEST(Pattern, LooksAtABoundedPartOfALine) {
  const std::string line = std::string(kLongestMatchedLine - 1, 'a') + "bc";
  EXPECT_TRUE(Pattern("ab$").found_in(line));
  EXPECT_FALSE(Pattern("c").found_in(line));
  EXPECT_TRUE(Pattern("c").found_in(line + "\nc"));
}

TEST(Pattern, NeitherStackNorTimeRunAway) {
  const auto start = std::chrono::steady_clock::now();
  const std::string line(1 << 20, 'a');
  for (const char* pattern :
       {"(.|a)*x", "(a|b|c)*x", "(a+)+x", "(a*)*x", "(.*)*x", "(a|aa)+x", "((a?){9}){9}x"}) {
    EXPECT_FALSE(Pattern(pattern).found_in(line)) << pattern;
  }
  std::string lines;
  while (lines.size() < (1 << 20)) lines += std::string(79, 'a') + "\n";
  EXPECT_FALSE(Pattern("(a+)+x").found_in(lines));
  EXPECT_FALSE(Pattern(".*.*.*x").found_in(lines));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

void expect_refused(const std::string& pattern, const std::string& says) {
  try {
    const Pattern made(pattern);
    ADD_FAILURE() << "accepted " << pattern.substr(0, 60);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), Kind::kUsage);
    EXPECT_THAT(error.message(), HasSubstr(says)) << pattern.substr(0, 60);
  }
}

TEST(Pattern, ThatSpansLinesIsRefused) {
  for (const char* pattern : {"a\nb", "a\\nb", "a\\x0ab", "a\\x0Ab", "a\\u000Ab", "a\\cJb", "[\\n]", "a\rb"})
    expect_refused(pattern, "spans lines");
  for (const char* pattern : {"a\\\\nb", "\\\\x0a", "\\x0b", "\\s"})
    EXPECT_NO_THROW(Pattern{pattern}) << pattern;
}

TEST(Pattern, ThatIsTooMuchIsRefused) {
  EXPECT_NO_THROW(Pattern(std::string(kLargestPattern, 'a')));
  expect_refused(std::string(kLongestPattern + 1, 'a'), "longer than 1000 bytes");
  for (const char* pattern : {"a{501}", "(a{30}){30}", "((a?){99}){99}", "(((((a{9}){9}){9}){9}){9})",
                              "\\w{1,1000}", "a{99999999999999999999999}", "(a{1,255}){1,255}", "[ab]{600}"})
    expect_refused(pattern, "more than 500 characters");
  expect_refused(std::string(600, 'a'), "more than 500 characters");
}

TEST(Pattern, ThatIsNoneIsRefused) {
  for (const char* pattern : {"(", ")", "a)|(b", "[", "*", "a{2", "\\"})
    expect_refused(pattern, "regular expression");
  expect_refused("(a)\\1", "refers back");
}

}  // namespace
}  // namespace imgforge::core
