// Statements of a recipe about the packages of a release.
#include "builder/steps/release/vex_statements.hpp"

#include <gmock/gmock.h>

namespace imgforge::steps {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class VexStatements : public ::testing::Test {
 protected:
  VexStatements() {
    for (const char* name : {"busybox", "busybox-binsh", "musl"}) {
      artifacts::ManifestPackage& package = manifest_.packages.emplace_back();
      package.name = name;
      package.version = "1-r0";
      package.arch = "x86_64";
      package.origin = name == std::string("busybox-binsh") ? "busybox" : name;
    }
  }
  void say(const std::string& package, const std::string& status, const std::string& justification = "") {
    recipe::VexStatement& statement = recipe_.vex.emplace_back();
    statement.vulnerability = "CVE-1";
    statement.package = package;
    statement.status = status;
    statement.justification = justification;
  }
  static std::string purl(const std::string& name) { return "pkg:apk/alpine/" + name + "@1-r0?arch=x86_64"; }

  recipe::ResolvedRecipe recipe_;
  artifacts::Manifest manifest_;
};

TEST_F(VexStatements, APackagesOwnOneWinsOverThatOfItsSource) {
  say("busybox", "fixed");
  say("busybox-binsh", "under_investigation");
  const auto found = vex_statements(recipe_, manifest_);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_THAT(found[0].packages, ElementsAre(purl("busybox")));
  EXPECT_EQ(found[0].vulnerability, "CVE-1");
  EXPECT_THAT(found[1].packages, ElementsAre(purl("busybox-binsh")));
  EXPECT_EQ(found[1].status, "under_investigation");
}

TEST_F(VexStatements, OnesAboutAbsentPackagesAreLeftOutUnlessTheySayThat) {
  say("openssl", "fixed");
  EXPECT_THAT(vex_statements(recipe_, manifest_), IsEmpty());
  say("curl", "not_affected", "component_not_present");
  const auto found = vex_statements(recipe_, manifest_);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_THAT(found[0].packages, ElementsAre("pkg:apk/alpine/curl"));
}

}  // namespace
}  // namespace imgforge::steps
