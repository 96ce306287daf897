// Errors as programs read them, and back.
#include "core/error_json.hpp"

#include <gtest/gtest.h>

#include "core/json.hpp"

namespace imgforge::core {
namespace {

TEST(ErrorJson, SaysWhatThereIsAndNothingElse) {
  EXPECT_EQ(error_line(Error(Kind::kBoot, "it ended")),
            "{\"schema\":1,\"error\":{\"code\":\"E_BOOT\",\"message\":\"it ended\"}}\n");
  Error full(Kind::kSignature, "bad");
  full.reason(Reason::kUnsigned).at({"a.yaml", 3, 5, 1, "x"}).context("reading").context("building");
  full.quote("said").hint("do");
  EXPECT_EQ(
      error_body(full).dump(),
      "{\"code\":\"E_SIGNATURE\",\"message\":\"bad\",\"reason\":\"unsigned\",\"file\":\"a.yaml\",\"line\":3,"
      "\"column\":5,\"while\":[\"reading\",\"building\"],\"output\":\"said\",\"hint\":\"do\"}");
  EXPECT_NE(error_line(Error(Kind::kIo, "a\xff")).find("\xef\xbf\xbd"), std::string::npos);
}

TEST(ErrorJson, IsReadAsItWas) {
  Error error(Kind::kNoSpace, "full");
  error.context("writing").quote("a\nb").hint("make room");
  const Error read = error_of(error_body(error));
  EXPECT_EQ(read.kind(), Kind::kNoSpace);
  EXPECT_EQ(read.message(), "full");
  EXPECT_EQ(read.contexts(), std::vector<std::string>{"writing"});
  EXPECT_EQ(read.quote(), "a\nb");
  EXPECT_EQ(read.hint(), "make room");
  EXPECT_EQ(error_of({{"code", "E_NEW"}, {"message", "x"}}).kind(), Kind::kInternal);
}

}  // namespace
}  // namespace imgforge::core
