// Text on its way into XML and HTML.
#include "core/markup.hpp"

#include <gtest/gtest.h>

namespace imgforge::core {
namespace {

TEST(Markup, LeavesNoWayOutOfAnAttributeOrAnElement) {
  EXPECT_EQ(escaped_markup("<a href=\"x\" b='&'>"), "&lt;a href=&quot;x&quot; b=&#39;&amp;&#39;&gt;");
  EXPECT_EQ(escaped_markup("&lt;"), "&amp;lt;") << "what is escaped already is text, too";
  EXPECT_EQ(escaped_markup("Gr\xc3\xbc\xc3\x9f"
                           "e\t\n"),
            "Gr\xc3\xbc\xc3\x9f"
            "e\t\n");
  using namespace std::string_view_literals;
  EXPECT_EQ(escaped_markup("a\0\x1b[1m\r\x7f"sv), "a[1m\x7f");
}

}  // namespace
}  // namespace imgforge::core
