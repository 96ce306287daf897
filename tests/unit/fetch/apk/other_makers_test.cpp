// Packages and indexes as other programs make them: melange, several signatures in one index. The
// files are real ones; the folder beside the Alpine test material has them.
#include <gtest/gtest.h>

#include <filesystem>

#include "builder/fetch/apk/apk_index.hpp"
#include "builder/fetch/apk/apk_package.hpp"
#include "core/fd.hpp"
#include "support/fetch_lab.hpp"
#include "support/source_dir.hpp"

namespace imgforge::fetch {
namespace {

namespace fs = std::filesystem;
using testing::error_of;

class OtherMakers : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fs::exists(folder_)) GTEST_SKIP() << "the real files are missing: " << folder_;
  }
  std::string read(const std::string& name) const { return core::read_text_file(folder_ / name, 64 << 20); }
  PublicKeys keys(const std::vector<std::string>& names, const std::string& folder) const {
    PublicKeys out;
    for (const std::string& name : names) out[name] = read(folder + "/" + name);
    return out;
  }
  const fs::path folder_ = alpine_material().parent_path() / "real";
};

TEST_F(OtherMakers, MelangesIndexAndPackagesAreRead) {
  const Index index = load_index(read("melange/melange-APKINDEX.tar.gz"),
                                 keys({"melange.rsa.pub"}, "melange"), "x86_64", "melange");
  std::size_t found = 0;
  for (const IndexEntry& entry : index.entries()) {
    const fs::path file = folder_ / "melange" / ("melange-" + entry.file_name());
    if (!fs::exists(file)) continue;
    EXPECT_NO_THROW(verify_package(file, entry)) << file;
    ++found;
  }
  EXPECT_GT(found, 0U);
}

TEST_F(OtherMakers, OneTrustedKeyAmongSeveralSignaturesIsEnough) {
  const std::string bytes = read("indexes/chainguard-multi-signed-APKINDEX.tar.gz");
  std::size_t signers = 0;
  for (const auto& file : fs::directory_iterator(folder_ / "indexes")) {
    const std::string name = file.path().filename();
    if (!name.starts_with("chainguard-") || !name.ends_with(".rsa.pub")) continue;
    ++signers;
    const PublicKeys one{{name, read("indexes/" + name)}};
    EXPECT_FALSE(load_index(bytes, one, "aarch64", "chainguard").entries().empty()) << name;
  }
  EXPECT_EQ(signers, 3U);
  const core::Error error =
      error_of([&] { load_index(bytes, keys({"melange.rsa.pub"}, "melange"), "aarch64", "chainguard"); });
  EXPECT_EQ(error.kind(), core::Kind::kSignature);
  EXPECT_NE(error.message().find("chainguard-"), std::string::npos) << error.message();
}

}  // namespace
}  // namespace imgforge::fetch
