#include "builder/sbom/vex.hpp"

#include <gmock/gmock.h>

#include "builder/sbom/security_database.hpp"
#include "core/json.hpp"

namespace imgforge::sbom {
namespace {

using artifacts::Manifest;
using core::Json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Manifest release() {
  Manifest manifest;
  manifest.name = "demo";
  manifest.profile = "minimal";
  manifest.version = "v20261120";
  manifest.created = "2026-11-20T01:02:03Z";
  manifest.tool_version = "0.1.0";
  manifest.base.release = "3.22.2";
  for (const char* name : {"busybox", "busybox-binsh", "musl"}) {
    artifacts::ManifestPackage package;
    package.name = name;
    package.version = "1-r0";
    package.arch = "x86_64";
    package.origin = std::string_view(name).starts_with("busybox") ? "busybox" : "";
    manifest.packages.push_back(package);
  }
  return manifest;
}

std::string purl(const std::string& name) {
  return "pkg:apk/alpine/" + name + "@1-r0?arch=x86_64&distro=3.22.2";
}

std::vector<Statement> statements() {
  return {{"CVE-1",
           {purl("busybox"), purl("busybox-binsh")},
           "not_affected",
           "vulnerable_code_not_present",
           "",
           "",
           "looked"},
          {"CVE-2", {purl("musl")}, "affected", "", "", "restart it", ""},
          {"CVE-3", {purl("musl")}, "not_affected", "", "never called", "", ""},
          {"CVE-4", {purl("musl")}, "fixed", "", "", "", ""}};
}

TEST(Vex, IsADocumentOfTheRelease) {
  const auto document = vex_document(release(), statements());
  ASSERT_TRUE(document);
  EXPECT_EQ(document->file, "vex.openvex.json");
  const Json json = core::parse_json(document->content, "the document");
  EXPECT_EQ(json.at("@context"), "https://openvex.dev/ns/v0.2.0");
  EXPECT_EQ(json.at("timestamp"), "2026-11-20T01:02:03Z");
  EXPECT_EQ(json.at("version"), 1);
  const Json& first = json.at("statements").at(0);
  EXPECT_EQ(first.at("vulnerability").at("name"), "CVE-1");
  EXPECT_EQ(first.at("products").at(0).at("@id"), "pkg:generic/demo-minimal@v20261120");
  EXPECT_EQ(first.at("products").at(0).at("subcomponents").at(1).at("@id"), purl("busybox-binsh"));
  EXPECT_EQ(first.at("justification"), "vulnerable_code_not_present");
  EXPECT_FALSE(first.contains("impact_statement"));
  EXPECT_EQ(read_vex(document->content), statements());
}

TEST(Vex, IsEqualForEqualStatementsAndElseHasAnotherName) {
  const std::string text = vex_document(release(), statements())->content;
  EXPECT_EQ(vex_document(release(), statements())->content, text);
  std::vector<Statement> other = statements();
  other[3].status = "under_investigation";
  EXPECT_NE(core::parse_json(vex_document(release(), other)->content, "x").at("@id"),
            core::parse_json(text, "x").at("@id"));
  EXPECT_FALSE(vex_document(release(), {}));
}

TEST(Vex, ASourcePackageMeansAllThatWasBuiltFromIt) {
  EXPECT_THAT(packages_named(release(), "busybox"), ElementsAre(purl("busybox"), purl("busybox-binsh")));
  EXPECT_THAT(packages_named(release(), "busybox-binsh"), ElementsAre(purl("busybox-binsh")));
  EXPECT_THAT(packages_named(release(), "openssl"), IsEmpty());
  EXPECT_EQ(absent_package("libstdc++"), "pkg:apk/alpine/libstdc%2B%2B");
}

TEST(Judged, WhatTheReleaseSaysIsTakenApartByStatement) {
  const std::vector<Vulnerable> found{{"busybox", "busybox", "1-r0", "2-r0", {"CVE-1 (ALPINE-7)", "CVE-9"}},
                                      {"musl", "musl", "1-r0", "3-r0", {"CVE-2", "CVE-3", "CVE-4", "CVE-1"}}};
  const std::vector<Judged> rows = judged(found, release(), statements());
  const auto row = [](const Vulnerable& what, std::string id) {
    Vulnerable out = what;
    out.ids = {std::move(id)};
    return out;
  };
  EXPECT_THAT(
      rows,
      ElementsAre(Judged{row(found[0], "CVE-1 (ALPINE-7)"), "not_affected", "vulnerable_code_not_present"},
                  Judged{row(found[0], "CVE-9"), "", ""},
                  Judged{row(found[1], "CVE-2"), "affected", "restart it"},
                  Judged{row(found[1], "CVE-3"), "not_affected", "never called"},
                  Judged{row(found[1], "CVE-4"), "fixed", ""}, Judged{row(found[1], "CVE-1"), "", ""}))
      << "what is said of one package is not said of another";
  EXPECT_TRUE(rows[0].is_excused());
  EXPECT_FALSE(rows[2].is_excused()) << "affected counts";
  EXPECT_TRUE(rows[4].is_excused());
}

TEST(Judged, WithoutStatementsNothingChanges) {
  const std::vector<Vulnerable> found{{"musl", "musl", "1-r0", "3-r0", {"CVE-2", "CVE-3"}}};
  EXPECT_THAT(judged(found, release(), {}), ElementsAre(Judged{found[0], "", ""}));
}

TEST(Judged, AStatementAboutAnotherVersionCountsForNothing) {
  std::vector<Statement> other = statements();
  other[1].packages = {"pkg:apk/alpine/musl@2-r0?arch=x86_64&distro=3.22.2"};
  other[1].status = "fixed";
  const std::vector<Vulnerable> found{{"musl", "musl", "1-r0", "3-r0", {"CVE-2"}}};
  EXPECT_THAT(judged(found, release(), other), ElementsAre(Judged{found[0], "", ""}));
}

}  // namespace
}  // namespace imgforge::sbom
