// Appliances that do not start, die or hang: each must end with the right error, soon, with no process and no
// file left.

#include <signal.h>
#include <sys/stat.h>

#include <thread>

#include "integration/guest/fixture.hpp"

namespace imgforge::guest::test {
namespace {

using SteadyClock = std::chrono::steady_clock;

class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) { ::setenv(name, value.c_str(), 1); }
  ~Variable() { ::unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

core::Error error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const core::Error& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {core::Kind::kInternal, ""};
}

void expect_nothing_left(const LaunchOptions& options) {
  EXPECT_TRUE(std::filesystem::is_empty(options.work_dir));
  EXPECT_EQ(children(), "");
}

struct BadStart {
  const char* variable;
  const char* value;
  const char* told;  ///< part of the message
};

class Appliance : public testing::Test {
 protected:
  core::TempDir folder_{std::filesystem::temp_directory_path(), "imgforge-appliance"};
  LaunchOptions options_ = options_in(folder_);

  std::filesystem::path write_program(const char* name, const std::string& text) {
    const std::filesystem::path file = folder_ / name;
    std::ofstream(file) << text;
    ::chmod(file.c_str(), 0755);
    return file;
  }
};

TEST_F(Appliance, ThatDoesNotStartSaysWhy) {
  for (const BadStart& bad :
       {BadStart{"LIBGUESTFS_HV", "/bin/false", "/bin/false exited with error status 1"},
        BadStart{"LIBGUESTFS_HV", "/nonexistent/qemu", "/nonexistent/qemu"},
        BadStart{"LIBGUESTFS_PATH", "/nonexistent", "LIBGUESTFS_PATH"},
        BadStart{"LIBGUESTFS_MEMSIZE", "64", "memsize"}}) {
    const Variable variable(bad.variable, bad.value);
    const core::Error error = error_of([&] { launch(options_); });
    EXPECT_EQ(error.kind(), core::Kind::kAppliance) << bad.value;
    EXPECT_NE(error.message().find(bad.told), std::string::npos) << error.message();
    expect_nothing_left(options_);
  }
}

TEST_F(Appliance, ThatHangsAtStartIsKilled) {
  const Variable hv("LIBGUESTFS_HV", write_program("qemu-hangs", "#!/bin/sh\nsleep 1000\n"));
  options_.launch_timeout = Seconds(2);
  const auto start = SteadyClock::now();
  EXPECT_EQ(error_of([&] { launch(options_); }).kind(), core::Kind::kTimeout);
  EXPECT_LT(SteadyClock::now() - start, std::chrono::seconds(20));
  expect_nothing_left(options_);
}

TEST_F(Appliance, LaunchIsCancelledByTheUserAndByLosingInterest) {
  const Variable hv("LIBGUESTFS_HV", write_program("qemu-hangs", "#!/bin/sh\nsleep 1000\n"));
  {
    PendingGuest pending(options_);
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    options_.cancel.cancel();
    EXPECT_EQ(error_of([&] { pending.get(); }).kind(), core::Kind::kInterrupted);
  }
  expect_nothing_left(options_);
  options_.cancel = core::CancelToken();
  const auto start = SteadyClock::now();
  { const PendingGuest pending(options_); }
  EXPECT_LT(SteadyClock::now() - start, std::chrono::seconds(20));
  expect_nothing_left(options_);
}

TEST_F(Appliance, BrokenKvmFallsBackToEmulationAndALaterDeathIsTold) {
  const Variable hv("LIBGUESTFS_HV",
                    write_program("qemu-without-kvm",
                                  "#!/bin/sh\ncase \"$*\" in *accel=kvm*-kernel*) kill -ABRT $$;; esac\n"
                                  "exec qemu-system-x86_64 \"$@\"\n"));
  options_.accelerator = machine::Accelerator::kKvm;
  {
    Guest guest = launch(options_);
    EXPECT_EQ(guest.accelerator(), machine::Accelerator::kEmulation);
    ASSERT_TRUE(guest.kvm_failure());
    guest.write("/file", "content");
    EXPECT_EQ(guest.read("/file"), "content");
    EXPECT_EQ(guest.read("/no-file"), "");
    const pid_t qemu = qemu_child();
    ASSERT_GT(qemu, 0);
    ::kill(qemu, SIGKILL);
    const core::Error error = error_of([&] { guest.write("/file", "more"); });
    EXPECT_EQ(error.kind(), core::Kind::kAppliance) << error.message();
    EXPECT_NE(error.message().find("died"), std::string::npos) << error.message();
    EXPECT_NE(error.hint().find("appliance.log"), std::string::npos);
    EXPECT_EQ(error_of([&] { guest.finish(); }).kind(), core::Kind::kAppliance);
  }
  expect_nothing_left(options_);
  EXPECT_GT(std::filesystem::file_size(options_.log_file), 0U);
}

TEST_F(Appliance, FrozenIsKilledAtTheDeadline) {
  options_.call_timeout = Seconds(3);
  {
    Guest guest = launch(options_);
    ::kill(qemu_child(), SIGSTOP);
    const auto start = SteadyClock::now();
    const core::Error error = error_of([&] { guest.write("/file", "content"); });
    EXPECT_EQ(error.kind(), core::Kind::kTimeout) << error.message();
    EXPECT_LT(SteadyClock::now() - start, std::chrono::seconds(15));
    EXPECT_EQ(error_of([&] { guest.write("/file", "again"); }).kind(), core::Kind::kTimeout);
  }
  expect_nothing_left(options_);
}

/// The frozen appliance once more, by a user without any right: root is never needed.
TEST(Unprivileged, WorksWithoutRoot) {
  if (::geteuid() != 0)
    GTEST_SKIP() << "only root can become another user here; the other tests ran unprivileged";
  const core::TempDir folder(std::filesystem::temp_directory_path(), "imgforge-nobody");
  ::chmod(folder.path().c_str(), 0755);
  std::filesystem::create_directory(folder / "home");
  ASSERT_EQ(::chown((folder / "home").c_str(), 65534, 65534), 0);
  std::filesystem::copy_file("/proc/self/exe", folder / "test");
  core::Command command;
  command.program = "setpriv";
  command.args = {"--reuid=65534", "--regid=65534", "--clear-groups", (folder / "test").native(),
                  "--gtest_filter=Appliance.Frozen*"};
  command.environment = {{"HOME", folder / "home"}, {"TMPDIR", folder / "home"}};
  const core::ProcessResult result = core::system_processes().run(command, core::CancelToken());
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_NE(result.out.find("[  PASSED  ] 1 test"), std::string::npos) << result.out;
}

}  // namespace
}  // namespace imgforge::guest::test
