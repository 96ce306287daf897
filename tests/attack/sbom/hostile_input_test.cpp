#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "builder/sbom/facts.hpp"
#include "builder/sbom/sbom.hpp"
#include "builder/sbom/security_database.hpp"
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
