#include "builder/sbom/security_database.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "builder/sbom/apk_version.hpp"
#include "core/error.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::sbom {
namespace {

using ::testing::ElementsAre;

TEST(ApkVersion, OrderIsThatOfApk) {
  // Each is older than the next.
  constexpr const char* kOrder[] = {
      "0.1_alpha", "0.1_alpha2", "0.1_beta", "0.1_rc1-r3", "0.1", "0.1-r1", "0.1-r10", "0.1_git20230717-r4",
      "0.1_p1",    "0.1a",       "0.1.0",    "0.1.1",      "0.2", "1.09",   "1.9",     "1.10",
      "20230901",  "20240226-r0"};
  for (std::size_t i = 0; i < std::size(kOrder); ++i) {
    for (std::size_t j = 0; j < std::size(kOrder); ++j) {
      const int order = compare_apk_versions(kOrder[i], kOrder[j]);
      EXPECT_EQ(order < 0, i < j) << kOrder[i] << " " << kOrder[j];
      EXPECT_EQ(order == 0, i == j) << kOrder[i] << " " << kOrder[j];
    }
  }
}

class SecurityDatabaseTest : public testing::Test {
 protected:
  void spill(const std::string& name, const std::string& text) const {
    std::ofstream(folder_.path() / name) << text;
  }
  core::Kind refusal() const {
    try {
      read_security_database(folder_.path());
    } catch (const core::Error& error) {
      return error.kind();
    }
    ADD_FAILURE() << "no error was thrown";
    return core::Kind::kInternal;
  }
  core::TempDir folder_{std::filesystem::temp_directory_path(), "secdb"};
};

TEST_F(SecurityDatabaseTest, FindsWhatANewerVersionMends) {
  spill("main.json", R"({"distroversion": "v3.19", "reponame": "main", "packages": [
    {"pkg": {"name": "busybox", "secfixes": {"1.36.1-r16": ["CVE-2023-42363"], "1.30.0-r0": ["CVE-2018-20679"],
                                             "0": ["CVE-2000-1"]}}},
    {"pkg": {"name": "zlib"}}]})");
  const SecurityDatabase database = read_security_database(folder_.path());
  EXPECT_THAT(database.origins, ElementsAre("v3.19 main"));
  artifacts::ManifestPackage binsh;
  binsh.name = "busybox-binsh";
  binsh.origin = "busybox";
  binsh.version = "1.36.1-r15";
  artifacts::ManifestPackage busybox;
  busybox.name = "busybox";
  busybox.version = "1.36.1-r16";
  artifacts::ManifestPackage other = busybox;
  other.name = "jq";
  const std::vector<Vulnerable> found = vulnerable_packages({binsh, busybox, other}, database);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found.front(),
            (Vulnerable{"busybox-binsh", "busybox", "1.36.1-r15", "1.36.1-r16", {"CVE-2023-42363"}}));
}

TEST_F(SecurityDatabaseTest, OtherFilesAreRefused) {
  EXPECT_EQ(refusal(), core::Kind::kUsage) << "an empty folder";
  for (
      const char* text :
      {"", "[]", "{}", R"({"packages": []})", R"({"distroversion": "a", "reponame": "b", "packages": [1]})",
       R"({"distroversion": "a", "reponame": "b", "packages": [{"pkg": {"name": "a", "secfixes": []}}]})",
       R"({"distroversion": "a", "reponame": "b", "packages": [{"pkg": {"name": "a", "secfixes": {"1": [2]}}}]})"}) {
    spill("main.json", text);
    EXPECT_EQ(refusal(), core::Kind::kIntegrity) << text;
  }
}

}  // namespace
}  // namespace imgforge::sbom
