// The catalogue page as text: what it says without its script.
#include "builder/export/page.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "builder/export/html.hpp"
#include "builder/export/page_assets.hpp"
#include "builder/export/page_chart.hpp"
#include "unit/export/catalogue_fixture.hpp"

namespace imgforge::exports {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing_support::catalogue;

TEST(Page, ShowsReleasesSizesBootsAndPackages) {
  const std::string page = print_page(catalogue(), {});
  EXPECT_THAT(page, HasSubstr("href=\"releases/hello-minimal/v20261120.1/hello-minimal-v20261120.1.qcow2\""));
  EXPECT_THAT(page, HasSubstr("data-key=\"90000000\">90.0 MB"));
  EXPECT_THAT(page, HasSubstr("data-key=\"4200\">4.2 s"));
  EXPECT_THAT(page, HasSubstr(">qcow2, disk BIOS</th>"));
  EXPECT_THAT(page, HasSubstr("1 package, 400.0 kB · the same as in v20261119"));
  EXPECT_THAT(page,
              HasSubstr("<desc id=\"line-0-text\">qcow2: 20.0 MB in v20261119, 30.0 MB in v20261120.1."));
  EXPECT_THAT(page, HasSubstr("scope=\"col\""));
}

TEST(Page, LoadsNothingAndAllowsNothingElse) {
  const std::string page = print_page(catalogue(), {});
  EXPECT_THAT(page, HasSubstr("default-src &#39;none&#39;"));
  EXPECT_THAT(page, HasSubstr(escape_html(csp_hash(page_style()))));
  EXPECT_THAT(page, HasSubstr(escape_html(csp_hash(page_script()))));
  EXPECT_THAT(page, Not(HasSubstr(" src=")));
  EXPECT_THAT(page, Not(HasSubstr("style=\"")));
  EXPECT_THAT(page, Not(HasSubstr("onclick")));
}

TEST(Page, TellsHowToVerify) {
  const std::string key = catalogue().lines[0].releases[0].public_key;
  const std::string page = print_page(catalogue(), {key, "0123456789ABCDEF0123456789ABCDEF01234567"});
  EXPECT_THAT(page, HasSubstr("minisign -Vm SHA256SUMS -P " + key));
  EXPECT_THAT(page, HasSubstr("gpg --verify SHA256SUMS.asc SHA256SUMS"));
  EXPECT_THAT(page, HasSubstr("--fingerprint 0123456789ABCDEF0123456789ABCDEF01234567"));
  Catalogue bare = catalogue();
  for (Release& release : bare.lines[0].releases) release.signer = release.public_key = "";
  const std::string unsigned_page = print_page(bare, {});
  EXPECT_THAT(unsigned_page, HasSubstr("These releases are not signed."));
  EXPECT_THAT(unsigned_page, Not(HasSubstr("minisign")));
}

TEST(Page, CountsChangesOfPackages) {
  Catalogue all = catalogue();
  auto& packages = all.lines[0].releases[0].manifest.packages;
  packages.front().version = "1.2.6-r0";
  packages.push_back(packages.front());
  packages.back().name = "zlib";
  EXPECT_THAT(print_page(all, {}), HasSubstr("1 added, 0 removed, 1 changed since v20261119"));
}

TEST(Page, OneReleaseHasNoChart) {
  Line line = catalogue().lines[0];
  EXPECT_THAT(print_size_chart(line, "x"), HasSubstr("<polyline"));
  line.releases.resize(1);
  EXPECT_EQ(print_size_chart(line, "x"), "");
}

}  // namespace
}  // namespace imgforge::exports
