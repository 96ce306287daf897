#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "builder/sbom/facts.hpp"
#include "builder/sbom/sbom.hpp"
#include "builder/sbom/security_database.hpp"
#include "builder/sbom/vex.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::sbom {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class HostileDatabase : public testing::Test {
 protected:
  void spill(const std::string& text) const { std::ofstream(file_) << text; }
  std::string refusal() const {
    try {
      read_security_database(folder_.path());
    } catch (const core::Error& error) {
      return error.what();
    }
    return "taken";
  }
  core::TempDir folder_{std::filesystem::temp_directory_path(), "secdb"};
  std::filesystem::path file_ = folder_.path() / "main.json";
};

TEST_F(HostileDatabase, AFixNamedTwiceDoesNotHideTheFirst) {
  spill(R"({"distroversion": "v3.19", "reponame": "main", "packages": [{"pkg": {"name": "busybox",
    "secfixes": {"2-r0": ["CVE-2023-1"], "2-r0": []}}}]})");
  EXPECT_THAT(refusal(), HasSubstr("has the key \"2-r0\" twice"));
}

TEST_F(HostileDatabase, AHundredMegabytesAreRefusedUnparsed) {
  spill("{");
  std::filesystem::resize_file(file_, 100'000'000);
  EXPECT_THAT(refusal(), HasSubstr("main.json"));
  EXPECT_THAT(refusal(), Not(HasSubstr("JSON"))) << "refused for its size, before it is parsed";
}

TEST_F(HostileDatabase, DeepNestingIsRefused) {
  spill(std::string(100'000, '['));
  EXPECT_NE(refusal(), "taken");
}

TEST_F(HostileDatabase, RowsOfAnotherFormAreRefused) {
  const std::string head = R"({"distroversion": "v3.19", "reponame": "main", "packages": )";
  for (const char* rows :
       {"7", "{}", "[7]", "[{}]", R"([{"pkg": []}])", R"([{"pkg": {"secfixes": {}}}])",
        R"([{"pkg": {"name": 7, "secfixes": {}}}])", R"([{"pkg": {"name": "a", "secfixes": []}}])",
        R"([{"pkg": {"name": "a", "secfixes": {"1": "CVE-1"}}}])",
        R"([{"pkg": {"name": "a", "secfixes": {"1": [1]}}}])",
        R"([{"pkg": {"name": "a", "secfixes": {"1": [null]}}}])"}) {
    spill(head + rows + "}");
    EXPECT_THAT(refusal(), HasSubstr("is no security database of Alpine")) << rows;
  }
  for (const char* text :
       {"", "null", "[]", R"({"packages": []})", R"({"packages": [], "distroversion": 1})"}) {
    spill(text);
    EXPECT_NE(refusal(), "taken") << text;
  }
}

const std::string kStatement =
    R"({"vulnerability": {"name": "CVE-1"}, "products": [{"@id": "pkg:generic/demo@1",
  "subcomponents": [{"@id": "pkg:apk/alpine/a@1"}]}], "status": "fixed"})";

std::string vex_of(const std::string& statements,
                   const std::string& context = "https://openvex.dev/ns/v0.2.0") {
  return R"({"@context": ")" + context + R"(", "@id": "urn:uuid:1", "author": "x",
    "timestamp": "2026-11-20T01:02:03Z", "version": 1, "statements": )" +
         statements + "}";
}

std::string changed(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

core::Reason vex_refusal(const std::string& text) {
  try {
    read_vex(text);
  } catch (const core::Error& error) {
    EXPECT_EQ(error.kind(), core::Kind::kIntegrity) << text;
    return error.reason();
  }
  ADD_FAILURE() << "taken: " << text;
  return core::Reason::kNone;
}

TEST(HostileVex, WhatIsNotWrittenByTheRulesIsMalformed) {
  ASSERT_EQ(read_vex(vex_of("[" + kStatement + "]")).size(), 1U) << "else nothing below shows anything";
  const std::string status = R"("status": "fixed")";
  for (const std::string& row :
       {changed(kStatement, status, R"("status": "harmless")"),
        changed(kStatement, status, R"("status": "not_affected")"),
        changed(kStatement, status, R"("status": "affected")"),
        changed(kStatement, status, R"("status": "fixed", "justification": "component_not_present")"),
        changed(kStatement, status, R"("status": "not_affected", "justification": "trust me")"),
        changed(
            kStatement, status,
            R"("status": "not_affected", "justification": "component_not_present", "impact_statement": "x")"),
        changed(kStatement, status, R"("status": "fixed", "supplier": "x")"),
        changed(kStatement, status, R"("status": 7)"),
        changed(kStatement, R"([{"@id": "pkg:apk/alpine/a@1"}])", "[]"),
        changed(kStatement, R"({"@id": "pkg:apk/alpine/a@1"})", R"({"@id": "x", "hashes": {}})"),
        changed(kStatement, R"({"name": "CVE-1"})", R"({"name": ""})"),
        changed(kStatement, R"({"name": "CVE-1"})", R"({"name": "CVE-1", "aliases": ["CVE-2"]})"),
        changed(kStatement, R"({"name": "CVE-1"})", R"("CVE-1")"), std::string("7"), std::string("{}")})
    EXPECT_EQ(vex_refusal(vex_of("[" + row + "]")), core::Reason::kMalformed) << row;
  EXPECT_EQ(vex_refusal(vex_of("{}")), core::Reason::kMalformed);
  EXPECT_EQ(vex_refusal(vex_of("[]", "https://openvex.dev/ns/v0.3.0")), core::Reason::kMalformed);
  EXPECT_EQ(vex_refusal("[]"), core::Reason::kMalformed);
  EXPECT_EQ(vex_refusal("{}"), core::Reason::kMalformed);
}

TEST(HostileVex, AStatusNamedTwiceDoesNotHideTheFirst) {
  vex_refusal(vex_of(
      "[" + changed(kStatement, R"("status": "fixed")", R"("status": "affected", "status": "fixed")") + "]"));
}

TEST(HostileVex, MoreThanItsBoundsIsRefused) {
  std::string rows = "[";
  for (int i = 0; i < 10'001; ++i) rows += (i == 0 ? "" : ",") + std::string("7");
  EXPECT_EQ(vex_refusal(vex_of(rows + "]")), core::Reason::kMalformed);
  vex_refusal(std::string(kMaxVexBytes + 1, ' '));
  vex_refusal(std::string(100'000, '['));
}

TEST(HostileBill, PartsThatAreNoneAreRefused) {
  const std::string sha = R"({"alg": "SHA-256", "content": ")" + std::string(64, 'a') + "\"}";
  const std::string file = R"({"type": "file", "name": "/x", "hashes": [)" + sha +
                           R"(, {"alg": "SHA-1", "content": ")" + std::string(40, 'a') +
                           R"("}], "properties": [{"name": "imgforge:size", "value": "1"}]})";
  const auto refuses = [](const std::string& row) {
    try {
      read_inventory(R"({"components": [)" + row + "]}");
    } catch (const core::Error& error) {
      return error.kind() == core::Kind::kIntegrity;
    }
    return false;
  };
  ASSERT_FALSE(refuses(file));
  EXPECT_TRUE(refuses(changed(file, "\"/x\"", "\"x\"")));
  EXPECT_TRUE(refuses(changed(file, "\"1\"", "\"-1\"")));
  EXPECT_TRUE(refuses(changed(file, "\"1\"", "\"99999999999999999999999\"")));
  EXPECT_TRUE(refuses(changed(file, "SHA-1\"", "MD5\"")));
  EXPECT_TRUE(refuses(changed(file, "aaaa", "zzzz")));
  EXPECT_TRUE(refuses(changed(file, "imgforge:size", "imgforge:other")));
  EXPECT_TRUE(
      refuses(R"({"type": "firmware", "name": "x", "hashes": [], "properties": [{"name": "imgforge:component",
                        "value": "kernel"}]})"));
  EXPECT_TRUE(refuses(R"({"type": "firmware", "name": "x", "hashes": [)" + sha +
                      R"(], "properties": [{"name": "imgforge:component", "value": "spell"}]})"));
  std::string many = file;
  for (std::size_t i = 0; i < kMostContentFiles; ++i) many += "," + file;
  EXPECT_TRUE(refuses(many));
  EXPECT_TRUE(refuses(std::string(100'000, '[')));
}

/// Ten thousand names that are the same in SPDX's alphabet get their numbers in time that grows with them
/// alone.
TEST(HostileBill, NamesThatClashAreToldApart) {
  Inventory inventory;
  for (std::size_t i = 0; i < kMostContentFiles; ++i) {
    std::string path(40, '_');
    for (std::size_t bit = 0; bit < 14; ++bit) path[bit] = (i >> bit & 1U) != 0 ? '_' : '!';
    inventory.files.push_back(
        {path, "", 0, std::string(40, 'a'), core::digest_of(core::HashAlgorithm::kSha256, path)});
  }
  const std::string spdx = make_spdx({}, inventory);
  EXPECT_THAT(spdx, HasSubstr("-10000\""));
  EXPECT_EQ(read_inventory(make_cyclonedx({}, inventory)), inventory);
}

TEST(HostileLicence, ControlBytesAreNoExpressionAndLeaveEscaped) {
  const std::string licence = "MIT\x1b[2J";
  EXPECT_FALSE(is_licence_expression(licence));
  EXPECT_FALSE(is_licence_expression(std::string(100'000, '(')));
  artifacts::Manifest manifest;
  artifacts::ManifestPackage package;
  package.name = "odd";
  package.version = "1-r0";
  package.licence = licence;
  manifest.packages = {package};
  for (const artifacts::Document& document : documents(manifest, {})) {
    EXPECT_THAT(document.content, Not(HasSubstr("\x1b"))) << document.file;
    EXPECT_THAT(document.content, HasSubstr("MIT\\u001b[2J")) << document.file;
  }
}

}  // namespace
}  // namespace imgforge::sbom
