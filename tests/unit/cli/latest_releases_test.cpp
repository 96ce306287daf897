// The exported latest-releases.yaml, read with the strict reader that Alpine's own files are read with.
#include "builder/export/latest_releases.hpp"

#include <gtest/gtest.h>

#include "builder/fetch/alpine/alpine_releases.hpp"
#include "builder/recipe/document/document.hpp"
#include "core/error.hpp"
#include "unit/export/catalogue_fixture.hpp"

namespace imgforge::cli {
namespace {

TEST(LatestReleases, IsReadBackFieldByField) {
  const exports::Catalogue all = exports::testing_support::catalogue();
  const std::string text = exports::print_latest_releases(all);
  const recipe::Document document =
      recipe::Document::parse(text, "latest-releases.yaml", recipe::Document::TopLevel::kAny);
  const auto& entries = document.root().items();
  ASSERT_EQ(entries.size(), 2U);
  const artifacts::ManifestArtifact& disk = all.lines[0].releases[0].manifest.artifacts[0];
  const auto field = [&](const char* name) { return entries[0].find(name)->text(); };
  EXPECT_EQ(field("branch"), "v3.22");
  EXPECT_EQ(field("arch"), "x86_64");
  EXPECT_EQ(field("version"), "v20261120.1");
  EXPECT_EQ(field("flavor"), "hello-minimal");
  EXPECT_EQ(field("file"), "releases/hello-minimal/v20261120.1/" + disk.file);
  EXPECT_EQ(field("size"), "30000000");
  EXPECT_EQ(field("sha256"), disk.sha256.hex());
  EXPECT_EQ(field("sha512"), disk.sha512.hex());
}

TEST(LatestReleases, IsAReleaseFileWithoutAlpinesOwnFlavor) {
  const std::string text = exports::print_latest_releases(exports::testing_support::catalogue());
  try {
    fetch::parse_releases(text, "here", fetch::ReleaseName::parse("3.22"), fetch::kMiniRootFs, "x86_64");
    FAIL() << "found a minirootfs";
  } catch (const core::Error& error) {
    EXPECT_EQ(error.message(), "here: no release of flavor alpine-minirootfs");
  }
}

}  // namespace
}  // namespace imgforge::cli
