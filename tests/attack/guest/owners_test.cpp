// Owners of files: a sandbox with one id, which remembers them, gives out the same as one with a range of
// ids, which has them; and scripts that want it to touch what is not theirs get nothing.

#include <sys/stat.h>

#include "attack/guest/fixture.hpp"

namespace imgforge::guest::test {
namespace {

/// What archives say of files, times aside.
std::string listing_of(const std::filesystem::path& archive) {
  std::string text;
  artifacts::TarReader reader(archive, {artifacts::Devices::kAllow});
  for (artifacts::TarEntry entry; reader.next(entry);) {
    text += fmt::format("{} type {} {:o} {}:{} {} {}\n", entry.path, static_cast<int>(entry.type), entry.mode,
                        entry.uid, entry.gid, entry.link_target, entry.size);
    for (const auto& [name, value] : entry.xattrs) text += fmt::format("  {} {}\n", name, value);
  }
  return text;
}

class Owners : public Namespaces {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(attempts())) GTEST_SKIP() << "attempts are not compiled";
    Namespaces::SetUp();
    std::filesystem::create_directory(folder_ / "media");
    std::ofstream(folder_ / "media" / "file") << "original";
  }

  /// What the attempts print.
  std::string attempt(const std::string& what) {
    NamespaceSandbox& sandbox = start();
    sandbox.present(folder_ / "media");
    const ScriptResult result = sandbox.run("/bin/attempts owners " + what, Seconds(120));
    EXPECT_EQ(result.exit_code, 0) << result.output;
    return result.output;
  }
  std::string listing() {
    const core::Fd target = core::open_file(folder_ / "out.tar", O_WRONLY | O_CREAT | O_TRUNC);
    sandbox_->tar_out("/", target.get(), {"./proc/*", "./dev/*", "./bin/*", "./.imgforge"});
    return listing_of(folder_ / "out.tar");
  }
};

using OwnersInEachWay = Owners;

TEST_P(OwnersInEachWay, AreNotThoseOfFilesThatAreGone) {
  const std::string output = attempt("reuse");
  EXPECT_NE(output.find("inherited: 0\n"), std::string::npos) << output;
  EXPECT_EQ(output.find("NOT ALLOWED"), std::string::npos) << output;
  EXPECT_EQ(listing().find(" 5:6 "), std::string::npos);
}

TEST_P(OwnersInEachWay, AreKeptOfThousands) {
  EXPECT_EQ(attempt("many"), "all done\n");
  EXPECT_NE(listing().find("many/5999 type 0 644 5999:9"), std::string::npos);
}

/// The host's file would lose its set-id bits, whatever owner it had.
TEST_P(OwnersInEachWay, OfTheHostsFilesStay) {
  const std::filesystem::path victim = folder_ / "victim";
  std::ofstream(victim) << "content";
  ASSERT_EQ(::chmod(victim.c_str(), 06777), 0);
  struct stat before {};
  ASSERT_EQ(::stat(victim.c_str(), &before), 0);
  const std::string output = attempt("host:" + victim.native());
  EXPECT_EQ(output, "all done\n");
  struct stat after {};
  ASSERT_EQ(::stat(victim.c_str(), &after), 0);
  EXPECT_EQ(after.st_mode, before.st_mode);
  EXPECT_EQ(after.st_ctim.tv_sec, before.st_ctim.tv_sec);
  EXPECT_EQ(after.st_ctim.tv_nsec, before.st_ctim.tv_nsec);
}

TEST_P(OwnersInEachWay, OutliveAScriptThatIsKilled) {
  NamespaceSandbox& sandbox = start();
  const ScriptResult result = sandbox.run(
      ": >/a; chown 5:6 /a; for i in 1 2 3 4; do (while :; do chown 7 /bin/sh /a /tmp; done) & done; sleep "
      "100",
      Seconds(1));
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(sandbox.query("chown 8 /a; stat -c %u:%g /a"), "8:6\n");
  EXPECT_EQ(sandbox.query("cp -p /a /b; tar -cf /c a b; stat -c %u:%g /b; tar -tvf /c | cut -c 1-22"),
            "8:6\n-rw-r--r-- 8/6        \n-rw-r--r-- 8/6        \n");
}

INSTANTIATE_TEST_SUITE_P(Owners, OwnersInEachWay, testing::Values(Ids::kRange, Ids::kNotify));

using OwnersWithOneId = Owners;

TEST_P(OwnersWithOneId, AreThoseOfARange) {
  const std::string output = attempt("calls");
  const std::string files = listing();
  for (const char* line : {"each/c type 0 644 1234:65535", "groups/folder/last type 1 2755 0:50",
                           "groups/of-another-group type 0 644 0:60", "groups/no-bit type 0 644 0:0"}) {
    EXPECT_NE(files.find(line), std::string::npos) << line << " in\n" << files;
  }
  if (!probe_namespaces(folder_.path(), Ids::kRange).works) return;
  NamespaceOptions wanted = options();
  wanted.ids = Ids::kRange;
  sandbox_ = std::make_unique<NamespaceSandbox>(wanted);
  NamespaceSandbox& range = *sandbox_;
  range.tar_in(folder_ / "base.tar", "/");
  range.query("busybox --install -s /bin");
  range.present(folder_ / "media");
  EXPECT_EQ(range.run("/bin/attempts owners calls", Seconds(60)).output, output);
  EXPECT_EQ(listing(), files);
}

/// Who cannot become another is told why.
TEST_P(OwnersWithOneId, CannotBecomeAccounts) {
  const ScriptResult result = start().run("/bin/attempts owners become", Seconds(10));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(
      result.output,
      "become: Invalid argument\nimgforge: this sandbox has one user id, so programs cannot become other "
      "accounts (su, setuid): give the user who builds ranges of ids in /etc/subuid and /etc/subgid\n");
}

INSTANTIATE_TEST_SUITE_P(Owners, OwnersWithOneId, testing::Values(Ids::kNotify));

}  // namespace
}  // namespace imgforge::guest::test
