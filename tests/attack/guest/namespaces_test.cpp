// Scripts that want out of a sandbox of namespaces, or to take the machine along. After each nothing of the
// host has been read or changed, no process is left and no file.

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <map>
#include <thread>

#include "attack/guest/fixture.hpp"
#include "core/process.hpp"

namespace imgforge::guest::test {
namespace {

using SteadyClock = std::chrono::steady_clock;

std::vector<pid_t> descendants_of(pid_t parent) {
  std::vector<pid_t> all = children_of(parent);
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (const pid_t pid : children_of(all[i])) all.push_back(pid);
  }
  return all;
}

bool is_running(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string number, name, state;
  file >> number >> name >> state;
  return file && state != "Z";
}

bool comes_true(const std::function<bool()>& condition) {
  for (int i = 0; i < 200; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

TEST_P(Namespaces, RefuseEveryAttemptToGetOut) {
  if (!std::filesystem::exists(attempts())) GTEST_SKIP() << "attempts are not compiled";
  NamespaceSandbox& sandbox = start();
  std::filesystem::create_directory(folder_ / "media");
  std::ofstream(folder_ / "media" / "file") << "original";
  sandbox.present(folder_ / "media");
  const ScriptResult result = sandbox.run("/bin/attempts", Seconds(60));
  EXPECT_EQ(result.output, "tried everything\n");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(content_of(folder_ / "media" / "file"), "original");
  EXPECT_EQ(sandbox.query("cat /.imgforge/media/file"), "original");
}

/// Owners, set-id bits, capabilities as the target reads them, hard links.
TEST_P(Namespaces, GiveOutFilesAsTheyAreInside) {
  if (!std::filesystem::exists(attempts())) GTEST_SKIP() << "attempts are not compiled";
  NamespaceSandbox& sandbox = start();
  const ScriptResult result = sandbox.run(
      "/bin/attempts capable; : >/owned; chown 1234:65535 /owned; chmod 6755 /owned; mkfifo /pipe; mkdir -m "
      "1777 "
      "/sticky; ln -s a /link; chown -h 7:8 /link; mknod /dev/x c 1 3 || true",
      Seconds(10));
  ASSERT_EQ(result.exit_code, 0) << result.output;
  {
    const core::Fd target = core::open_file(folder_ / "out.tar", O_WRONLY | O_CREAT);
    sandbox.tar_out("/", target.get(), {"./proc/*", "./dev/*", "./bin/*"});
  }
  std::map<std::string, artifacts::TarEntry> members;
  artifacts::TarReader reader(folder_ / "out.tar", {artifacts::Devices::kAllow});
  for (artifacts::TarEntry entry; reader.next(entry);) members[entry.path] = entry;
  using artifacts::EntryType;
  EXPECT_EQ(members.at("capable").xattrs,
            (std::map<std::string, std::string>{
                {"security.capability", std::string("\1\0\0\2\0\4", 6) + std::string(14, '\0')},
                {"user.note", "text"}}));
  EXPECT_EQ(members.at("second").type, EntryType::kHardlink);
  EXPECT_EQ(members.at("second").link_target, "capable");
  EXPECT_EQ(members.at("owned").uid, 1234U);
  EXPECT_EQ(members.at("owned").gid, 65535U);
  EXPECT_EQ(members.at("owned").mode, 06755U);
  EXPECT_EQ(members.at("pipe").type, EntryType::kFifo);
  EXPECT_EQ(members.at("sticky").mode, 01777U);
  EXPECT_EQ(members.at("link").link_target, "a");
  EXPECT_EQ(members.at("link").uid, 7U);
  EXPECT_FALSE(members.contains("bin/sh") || members.contains("dev/null"));
  // Into another folder, and there the same.
  sandbox.query("mkdir /again");
  sandbox.tar_in(folder_ / "out.tar", "/again");
  const std::string look = "stat -c '%n %u %g %a %h %F %Y' capable etc link mnt owned pipe second sticky tmp";
  EXPECT_EQ(sandbox.query("cd /again; " + look), sandbox.query("cd /; " + look));
}

TEST_P(Namespaces, ShowNothingOfTheHost) {
  std::ofstream(folder_ / "secret") << "secret-of-the-host";
  ::setenv("IMGFORGE_SECRET", "secret-of-the-host", 1);
  NamespaceSandbox& sandbox = start();
  const std::string script = fmt::format(
      "for path in {0} /proc/1/root{0} /proc/*/root{0} /proc/*/cwd/../../..{0} /../../..{0}; do cat $path; "
      "done\n"
      "ln -s {0} /link; cat /link; cat /proc/*/environ | tr '\\0' '\\n'; ls /proc | grep '^[0-9]' | wc -l; "
      "hostname; ls /dev; ls /\n",
      (folder_ / "secret").native());
  const ScriptResult result = sandbox.run("set +e\n" + script, Seconds(30));
  ::unsetenv("IMGFORGE_SECRET");
  EXPECT_EQ(result.output.find("secret-of-the-host"), std::string::npos) << result.output;
  EXPECT_NE(
      result.output.find("\n(none)\nfd\nfull\nnull\nrandom\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n"),
      std::string::npos)
      << result.output;
  // Links that a script leaves are followed inside.
  EXPECT_EQ(sandbox.read("/link"), "");
  sandbox.query(fmt::format("ln -s {} /out", folder_.path().native()));
  EXPECT_EQ(error_of([&] { sandbox.write("/out/new", "x"); }).kind(), core::Kind::kIo);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "new"));
}

TEST_P(Namespaces, FoldersReplacedByLinksLeadNowhere) {
  NamespaceSandbox& sandbox = start();
  sandbox.query(
      "rm -rf /mnt; ln -s /incoming /mnt; rm -rf /.imgforge/media; ln -s /../../../.. /.imgforge/media");
  sandbox.run("true", Seconds(10));
  std::filesystem::create_directory(folder_ / "media");
  std::ofstream(folder_ / "media" / "file") << "original";
  sandbox.present(folder_ / "media");
  EXPECT_EQ(sandbox.query("ls -d /mnt/. 2>/dev/null || echo nothing"), "nothing\n");
  EXPECT_EQ(sandbox.query("rm -rf /proc /dev 2>/dev/null; echo alive"), "alive\n");
}

TEST_P(Namespaces, EndAForkBomb) {
  NamespaceSandbox& sandbox = start();
  const auto begin = SteadyClock::now();
  const ScriptResult result = sandbox.run("bomb() { bomb | bomb & }\nbomb\nsleep 1000", Seconds(2));
  EXPECT_NE(result.exit_code, 0);
  EXPECT_LT(SteadyClock::now() - begin, std::chrono::seconds(30));
  EXPECT_EQ(sandbox.query("echo alive"), "alive\n");
}

TEST_P(Namespaces, TellWhenTheDiskIsFull) {
  NamespaceSandbox& sandbox = start(core::mib(64));
  for (const char* script : {"while :; do dd if=/dev/zero bs=1M count=8 >>/big 2>/dev/null || true; done",
                             "mkdir /many; i=0; while :; do : >/many/$i; i=$((i+1)); done"}) {
    const core::Error error = error_of([&] { sandbox.run(script, Seconds(60)); });
    EXPECT_EQ(error.kind(), core::Kind::kImage) << error.message();
    EXPECT_EQ(error.message(), "the root file system of 64M is full");
    sandbox.query("rm -rf /big /many");
  }
}

TEST_P(Namespaces, KeepTheEndOfAGigabyteOfOutput) {
  NamespaceSandbox& sandbox = start();
  const ScriptResult result = sandbox.run("head -c 1000000000 /dev/zero | tr '\\0' y; echo end", Seconds(60));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_LE(result.output.size(), std::size_t{1} << 20);
  EXPECT_TRUE(result.output.ends_with("yyyyend\n"));
}

TEST_P(Namespaces, LeaveNoDaemonBehind) {
  NamespaceSandbox& sandbox = start();
  const ScriptResult result = sandbox.run(
      "(setsid sh -c 'trap \"\" HUP TERM; while :; do echo x >>/alive; usleep 10000; done' >/dev/null 2>&1 "
      "&)\n"
      "usleep 200000; echo done",
      Seconds(20));
  EXPECT_EQ(result.output, "done\n");
  const std::string size = sandbox.query("wc -c </alive");
  EXPECT_NE(size, "0\n");
  EXPECT_EQ(sandbox.query("usleep 100000; wc -c </alive"), size);
  EXPECT_EQ(sandbox.query("ls /proc | grep -c '^[0-9]'"), "4\n");  // init, sh, ls, grep
}

/// Folders that are closed, deep, full of odd names, and of others: TearDown finds nothing left.
TEST_P(Namespaces, RemoveWhatAScriptMadeHardToRemove) {
  NamespaceSandbox& sandbox = start();
  const ScriptResult result = sandbox.run(
      "mkdir -p /closed/in; echo x >/closed/in/file; chown -R 1000:1000 /closed; chmod 000 /closed/in "
      "/closed\n"
      "mkdir /deep; cd /deep; i=0; while [ $i -lt 1500 ]; do mkdir d; cd d; i=$((i+1)); done; : >file\n"
      "cd /; : >\"$(printf 'a\\nb\\377')\"; mkfifo /pipe; ln -s / /link; chmod 000 /",
      Seconds(60));
  EXPECT_EQ(result.exit_code, 0) << result.output;
  EXPECT_EQ(error_of([&] {
              const core::Fd null = core::open_file("/dev/null", O_WRONLY);
              sandbox.tar_out("/", null.get(), {});
            }).kind(),
            core::Kind::kUnsafe);
}

TEST_P(Namespaces, EndWhenTheyAreKilledAndSaySo) {
  NamespaceSandbox& sandbox = start();
  const std::vector<pid_t> all = descendants_of(::getpid());
  ASSERT_EQ(all.size(), 2U);
  ::kill(all[0], SIGKILL);
  const core::Error error = error_of([&] { sandbox.run("true", Seconds(10)); });
  EXPECT_EQ(error.kind(), core::Kind::kAppliance) << error.message();
  EXPECT_EQ(error_of([&] { sandbox.finish(); }).kind(), core::Kind::kAppliance);
  EXPECT_TRUE(comes_true([&] { return !is_running(all[0]) && !is_running(all[1]); }));
  sandbox_.reset();
  if (::geteuid() != 0) {
    start();  // removes what the killed one had no time to
  }
}

TEST_P(Namespaces, AreCancelled) {
  const NamespaceOptions options = this->options();
  sandbox_ = std::make_unique<NamespaceSandbox>(options);
  sandbox_->tar_in(folder_ / "base.tar", "/");
  std::thread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    options.cancel.cancel();
  });
  const auto begin = SteadyClock::now();
  EXPECT_EQ(error_of([&] { sandbox_->run("while :; do :; done", Seconds(100)); }).kind(),
            core::Kind::kInterrupted);
  canceller.join();
  EXPECT_LT(SteadyClock::now() - begin, std::chrono::seconds(10));
}

/// In a process of its own, which is killed in the middle of a script.
TEST_P(Namespaces, DieWithImgforge) {
  const pid_t imgforge = ::fork();
  if (imgforge == 0) {
    try {
      start().run("(setsid sleep 1000 &); sleep 1000", Seconds(1000));
    } catch (const core::Error&) {
    }
    ::_exit(0);
  }
  // The keeper, init, the script's PID 1, the shell and both sleeps.
  ASSERT_TRUE(comes_true([&] { return descendants_of(imgforge).size() >= 6; }));
  const std::vector<pid_t> all = descendants_of(imgforge);
  ::kill(imgforge, SIGKILL);
  ::waitpid(imgforge, nullptr, 0);
  for (const pid_t pid : all) EXPECT_TRUE(comes_true([&] { return !is_running(pid); })) << pid;
  EXPECT_EQ(content_of("/proc/self/mountinfo").find(folder_.path().filename().native()), std::string::npos);
  // The keeper has removed the root file system; what is left belongs to imgforge.
  EXPECT_TRUE(comes_true([&] {
    for (const auto& entry : std::filesystem::directory_iterator(work_)) {
      if (!std::filesystem::is_empty(entry.path() / "root")) return false;
    }
    return true;
  }));
  EXPECT_EQ(core::TempDir::reclaim(work_), 1);
}

/// Not even the keeper was there to clean up: the next run does, also where only root of the sandbox may.
TEST_P(Namespaces, RemoveWhatAKilledRunLeft) {
  const pid_t imgforge = ::fork();
  if (imgforge == 0) {
    start().run("mkdir -p /closed/in; : >/closed/in/file; chown -R 1000 /closed; chmod 000 /closed",
                Seconds(10));
    std::ofstream(folder_ / "ready") << "now";
    ::pause();
  }
  ASSERT_TRUE(comes_true([&] { return std::filesystem::exists(folder_ / "ready"); }));
  const std::vector<pid_t> all = descendants_of(imgforge);
  ASSERT_EQ(all.size(), 2U);
  ::kill(all[0], SIGKILL);
  ::kill(imgforge, SIGKILL);
  ::waitpid(imgforge, nullptr, 0);
  for (const pid_t pid : all) EXPECT_TRUE(comes_true([&] { return !is_running(pid); })) << pid;
  EXPECT_FALSE(std::filesystem::is_empty(work_));
  core::TempDir::reclaim(work_);
  start();
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(work_), {}), 1);
}

TEST_P(Namespaces, SeveralAtATimeDoNotKeepEachOther) {
  NamespaceSandbox& first = start();
  {
    const std::unique_ptr<PendingSandbox> given_up = start_in_namespaces(options());
    auto second = start_in_namespaces(options())->get();
    second->write("/file", "second");
    EXPECT_EQ(first.read("/file"), "");
    first.write("/file", "first");
    EXPECT_EQ(second->read("/file"), "second");
    sandbox_.reset();  // while the second, which is younger, lives
    EXPECT_EQ(second->read("/file"), "second");
  }
}

INSTANTIATE_TEST_SUITE_P(Each, Namespaces, testing::Values(Ids::kRange, Ids::kNotify));

// --- machines that forbid it

/// Runs the probe of this program, as `prelude` has prepared it.
std::string probe_after(const std::filesystem::path& folder, const std::string& prelude,
                        const std::string& wrapper = {}) {
  core::Command command;
  command.program = "unshare";
  command.args = {"-m", "sh", "-ec",
                  fmt::format("{}\nexec {} {} --gtest_filter=Probe.SaysWhatItFinds 2>&1", prelude, wrapper,
                              (folder / "test").native())};
  command.environment = {{"TMPDIR", (folder / "home").native()}, {"HOME", (folder / "home").native()}};
  return core::system_processes().run(command, {}).out;
}

class ForbiddenNamespaces : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can forbid it";
    if (!probe_namespaces(temporary()).works) GTEST_SKIP() << "namespaces do not work here";
    ::chmod(folder_.path().c_str(), 0755);
    std::filesystem::create_directory(folder_ / "home");
    ::chmod((folder_ / "home").c_str(), 0777);
    std::filesystem::copy_file("/proc/self/exe", folder_ / "test");
  }

  /// The probe by an ordinary user with this range of ids.
  std::string as_user(const std::string& range) const {
    std::ofstream(folder_ / "ids") << range;
    return probe_after(
        folder_.path(),
        fmt::format("mount --bind {0} /etc/subuid\nmount --bind {0} /etc/subgid", (folder_ / "ids").native()),
        fmt::format("setpriv --reuid={0} --regid={0} --clear-groups", kUser));
  }

  /// These attacks once more by an ordinary user, who is root of the sandbox.
  void expect_attacks_fail(const std::string& filter) const {
    std::filesystem::copy_file(attempts(), folder_ / IMGFORGE_ATTEMPTS);
    core::Command command;
    command.program = "unshare";
    command.args = {"-m", "sh", "-ec",
                    fmt::format("mount --bind {0}/ids /etc/subuid\nmount --bind {0}/ids /etc/subgid\n"
                                "exec setpriv --reuid={1} --regid={1} --clear-groups {0}/test "
                                "--gtest_filter='{2}-*ForkBomb*:*Gigabyte*:*Disk*'",
                                folder_.path().native(), kUser, filter)};
    command.environment = {{"TMPDIR", (folder_ / "home").native()}, {"HOME", (folder_ / "home").native()}};
    const core::ProcessResult result = core::system_processes().run(command, {});
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    EXPECT_EQ(result.out.find("SKIPPED"), std::string::npos) << result.out;
    EXPECT_NE(result.out.find("[  PASSED  ]"), std::string::npos) << result.out;
  }

  static constexpr unsigned kUser = 65534;  // newuidmap wants it to have a name
  core::TempDir folder_{temporary(), "imgforge-probe"};
};

TEST(Probe, SaysWhatItFinds) {
  const NamespaceProbe probe = probe_namespaces(temporary());
  fmt::print("works: {} {}; {}; {}\n", probe.works, probe.way, probe.failure(), probe.mend);
  const NamespaceProbe range = probe_namespaces(temporary(), Ids::kRange);
  fmt::print("a range: {}; {}; {}\n", range.works, range.failure(), range.mend);
}

std::string told_by(const NamespaceProbe& probe) {
  return fmt::format("works: {} {}; {}; {}", probe.works, probe.way, probe.failure(), probe.mend);
}

void write_file(const std::string& file, std::string_view text) {
  const core::Fd fd = core::open_file(file, O_WRONLY);
  core::write_all(fd.get(), text, file);
}

/// What root of a container with its own 65536 ids finds, after `prepare` in there.
std::string probe_in_container(const std::filesystem::path& folder, const std::function<void()>& prepare,
                               Ids ids = Ids::kAutomatic) {
  std::array<int, 2> ready{}, mapped{}, result{};
  for (auto* ends : {&ready, &mapped, &result}) EXPECT_EQ(::pipe(ends->data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    const bool is_in = ::unshare(CLONE_NEWUSER) == 0 && ::write(ready[1], "x", 1) == 1 &&
                       ::read(mapped[0], &byte, 1) == 1 && ::setresuid(0, 0, 0) == 0;
    if (is_in) {
      prepare();
      core::write_all(result[1], told_by(probe_namespaces(folder, ids)), "a pipe");
    }
    ::_exit(0);
  }
  char byte = 0;
  EXPECT_EQ(::read(ready[0], &byte, 1), 1);
  write_file(fmt::format("/proc/{}/uid_map", child), "0 0 65536\n");
  write_file(fmt::format("/proc/{}/gid_map", child), "0 0 65536\n");
  EXPECT_EQ(::write(mapped[1], "x", 1), 1);
  ::waitpid(child, nullptr, 0);
  std::string told(4096, '\0');
  told.resize(static_cast<std::size_t>(::read(result[0], told.data(), told.size())));
  for (auto* ends : {&ready, &mapped, &result}) {
    for (const int fd : *ends) ::close(fd);
  }
  return told;
}

TEST_F(ForbiddenNamespaces, WorkInAContainerThatAllowsThem) {
  EXPECT_EQ(probe_in_container(folder_.path(), [] {}), "works: true range; ; ");
}

TEST_F(ForbiddenNamespaces, AreToldWithTheStepAndWhatMendsIt) {
  EXPECT_EQ(
      probe_in_container(folder_.path(), [] { write_file("/proc/sys/user/max_user_namespaces", "0\n"); }),
      "works: false ; making namespaces: No space left on device; allow user namespaces: sysctl "
      "user.max_user_namespaces=10000");
  const std::string few = probe_after(folder_.path(), "", "unshare -Ur");
  EXPECT_NE(few.find("works: true notify; ; "), std::string::npos) << few;
  EXPECT_NE(
      few.find("a range: false; mapping 65536 user and group ids: Operation not permitted; this container "
               "has fewer"),
      std::string::npos)
      << few;
  const std::string masked =
      probe_after(folder_.path(), "mount -t tmpfs none /proc/scsi || mount -t tmpfs none /proc/fs");
  EXPECT_NE(masked.find("works: false ; mounting /proc: Operation not permitted; parts of /proc are hidden"),
            std::string::npos)
      << masked;
}

/// A filter of system calls, as containers have it.
TEST_F(ForbiddenNamespaces, ByAFilterAreTold) {
  const std::string told = probe_in_container(folder_.path(), [] {
    std::array<sock_filter, 4> program{{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                                        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_unshare, 0, 1),
                                        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                                        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}};
    const sock_fprog filter{program.size(), program.data()};
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
  });
  EXPECT_TRUE(
      told.starts_with("works: false ; making namespaces: Operation not permitted; user namespaces are "
                       "forbidden here"))
      << told;
}

/// The kernel lets one process answer system calls, and not another within.
TEST_F(ForbiddenNamespaces, WithOneIdByAContainerThatAnswersSystemCallsAreTold) {
  const auto answer_none = [] {
    std::array<sock_filter, 1> program{{BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}};
    const sock_fprog filter{program.size(), program.data()};
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    EXPECT_GE(::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter), 0);
  };
  EXPECT_EQ(probe_in_container(folder_.path(), answer_none), "works: true range; ; ");
  const std::string told = probe_in_container(folder_.path(), answer_none, Ids::kNotify);
  EXPECT_TRUE(
      told.starts_with("works: false ; a sandbox of namespaces does not start: answering system calls "
                       "about owners: Device or resource busy; give the user ranges of 65536 ids"))
      << told;
}

/// For want of a range there is one id.
TEST_F(ForbiddenNamespaces, HaveOneIdForWantOfMore) {
  for (const char* range : {"65534:200000:1000\n", "somebody:200000:65536\n", "65534:x:y\n", "::\n", ""}) {
    const std::string told = as_user(range);
    EXPECT_NE(told.find("works: true notify; ; \n"
                        "a range: false; mapping 65536 user and group ids: Operation not permitted; give the "
                        "user a range of ids: usermod --add-subuids"),
              std::string::npos)
        << told;
  }
  expect_attacks_fail("Each/*/1:Owners/*/1:Owners/OwnersWithOneId.*");
}

TEST_F(ForbiddenNamespaces, AreAllowedToAUserWithARangeOfIds) {
  if (core::find_program("newuidmap").empty()) GTEST_SKIP() << "newuidmap is not installed (uidmap)";
  EXPECT_NE(as_user(fmt::format("{}:200000:65536\n", kUser)).find("works: true range"), std::string::npos);
  expect_attacks_fail("Each/*/0:Owners/*/0");
}

}  // namespace
}  // namespace imgforge::guest::test
