// What the guest's apk is told to do with the packages of a lock, for which it makes an index itself.
#include "builder/guest/apk/apk.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "support/fake_sandbox.hpp"

namespace imgforge::guest {
namespace {

namespace fs = std::filesystem;

/// Notes what is shown to the guest.
class ShownSandbox : public testing::FakeSandbox {
 public:
  using FakeSandbox::FakeSandbox;
  void present(const fs::path& folder) override {
    for (const auto& file : fs::recursive_directory_iterator(folder)) {
      if (file.is_regular_file()) shown.insert(fs::relative(file.path(), folder).native());
    }
  }
  std::set<std::string> shown;
};

class ApkOfTheGuest : public ::testing::Test {
 protected:
  /// The script that installs `package`.
  std::string script_for(const PackageFile& package, const fs::path& index = {}) {
    std::string told;
    script_.on_run = [&](std::string_view script) {
      told = script;
      return ScriptResult{.exit_code = 0, .output = "(1/1) Installing hello (1.0-r0)\n"};
    };
    SandboxRequest request;
    request.work_dir = folder_.path();
    ShownSandbox sandbox(script_, {}, request);
    World world;
    world.repositories.push_back({.index = index, .arch = "x86_64", .format = package.format});
    world.hidden = hidden_;
    world.trust = Trust::kHost;
    install(sandbox, world, {{PlannedPackage::Action::kInstall, "hello", "1.0-r0", {}}}, {package}, {});
    shown_ = sandbox.shown;
    return told;
  }
  PackageFile package(PackageFormat format) {
    const fs::path file = folder_ / "package";
    if (!fs::exists(file)) core::Fd made = core::open_file(file, O_WRONLY | O_CREAT);
    PackageFile out;
    out.file = file;
    out.name = "hello";
    out.version = "1.0-r0";
    out.format = format;
    return out;
  }
  testing::SandboxScript script_;
  std::set<std::string> shown_;
  std::vector<std::string> hidden_;
  core::TempDir folder_{fs::temp_directory_path(), "imgforge-guest-apk"};
};

TEST_F(ApkOfTheGuest, MakesTheIndexWithWhatKnowsThePackages) {
  const std::string of_apk_2 = script_for(package(PackageFormat::kApk2));
  EXPECT_NE(of_apk_2.find("apk index --rewrite-arch 'x86_64'"), std::string::npos) << of_apk_2;
  const std::string of_apk_3 = script_for(package(PackageFormat::kApk3));
  EXPECT_NE(of_apk_3.find("apk mkndx --pkgname-spec 'x86_64/${name}-${version}.apk'"), std::string::npos)
      << of_apk_3;
}

TEST_F(ApkOfTheGuest, LaysPackagesWhereTheirIndexMeansThem) {
  const fs::path index = folder_ / "index";
  core::Fd made = core::open_file(index, O_WRONLY | O_CREAT);
  PackageFile noarch = package(PackageFormat::kApk3);
  noarch.folder = "noarch";
  EXPECT_EQ(script_for(noarch, index).find("mkndx"), std::string::npos);
  EXPECT_EQ(shown_, (std::set<std::string>{"r0/noarch/hello-1.0-r0.apk", "r0/x86_64/APKINDEX.tar.gz"}));
  script_for(noarch);  // the index that is made here means the folder of the repository
  EXPECT_EQ(shown_, std::set<std::string>{"r0/x86_64/hello-1.0-r0.apk"});
}

TEST_F(ApkOfTheGuest, SeesPartsOfIndexesOfApk2Only) {
  const fs::path index = folder_ / "index";
  core::Fd made = core::open_file(index, O_WRONLY | O_CREAT);
  EXPECT_EQ(script_for(package(PackageFormat::kApk2), index).find("awk"), std::string::npos);
  hidden_ = {"other"};
  EXPECT_NE(script_for(package(PackageFormat::kApk2), index).find("awk"), std::string::npos);
  EXPECT_EQ(script_for(package(PackageFormat::kApk3), index).find("awk"), std::string::npos);
}

}  // namespace
}  // namespace imgforge::guest
