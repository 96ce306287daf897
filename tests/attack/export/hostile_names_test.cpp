// Text out of manifests, keys and the command line must not become markup, lines or fields of what an export
// writes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "builder/export/html.hpp"
#include "builder/export/latest_releases.hpp"
#include "builder/export/page.hpp"
#include "builder/export/simplestreams.hpp"
#include "builder/export/virt_builder_index.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "unit/export/catalogue_fixture.hpp"

namespace imgforge::exports {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kEvil =
    "</style></script><img src=x onerror=alert(1)>\"'&\n[evil]\nfile=/etc/passwd\xff";

/// The text in every field that is not a checked file name.
Catalogue hostile() {
  Catalogue all = testing_support::catalogue();
  const std::string evil(kEvil);
  all.title = evil;
  for (Release& release : all.lines[0].releases) {
    artifacts::Manifest& manifest = release.manifest;
    manifest.base.kind = evil;
    manifest.base.release = evil;
    manifest.kernel_release = evil;
    manifest.created = evil;
    manifest.packages.front().name = evil;
    manifest.packages.front().version = evil;
    manifest.packages.front().arch = evil;
    manifest.boots.front().path = evil;
    manifest.boots.front().accelerator = evil;
    manifest.artifacts.back().media["role"] = evil;
    manifest.insecure = {evil};
    release.signer = evil;
    release.public_key = evil;
  }
  return all;
}

TEST(HostileNames, NoMarkupComesThrough) {
  const std::string page = print_page(hostile(), {std::string(kEvil), std::string(kEvil)});
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page, Not(HasSubstr("\"'&\n")));
  EXPECT_THAT(page, HasSubstr("&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;"));
  EXPECT_TRUE(core::is_utf8(page));
  const auto count = [&](std::string_view what) {
    std::size_t found = 0;
    for (std::size_t at = page.find(what); at != std::string::npos; at = page.find(what, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count("</style>"), 1U);
  EXPECT_EQ(count("</script>"), 1U);
  EXPECT_EQ(count("<script"), 1U);
}

TEST(HostileNames, NoDirectionOfWritingIsTurned) {
  EXPECT_EQ(escape_html("gpj.\u202egnp"), "gpj.\\u202egnp");
  EXPECT_EQ(escape_html("Grüße 你好 <>"), "Grüße 你好 &lt;&gt;");
}

TEST(HostileNames, NoLineIsAddedToTheIndex) {
  const std::string text = print_virt_builder_index(hostile());
  for (const std::string& line : core::split(text, '\n')) {
    EXPECT_NE(line, "[evil]");
    EXPECT_FALSE(line.starts_with("file=/"));
    EXPECT_FALSE(line.starts_with(' '));
  }
}

TEST(HostileNames, YamlAndJsonStayWhole) {
  EXPECT_THAT(print_latest_releases(hostile()), Not(HasSubstr("\n[evil]")));
  const core::Json images = core::parse_json(print_streams_images(hostile()), "images");
  EXPECT_EQ(images.at("products").size(), 1U);
}

TEST(HostileNames, LinksAreEncoded) {
  EXPECT_EQ(percent_encoded("a b/ü?#%\"<"), "a%20b/%C3%BC%3F%23%25%22%3C");
}

}  // namespace
}  // namespace imgforge::exports
