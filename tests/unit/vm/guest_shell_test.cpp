// Commands over a console, against console text written by hand as guests print it.
#include "builder/vm/guest_shell.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "builder/vm/console/console.hpp"
#include "unit/image/image_testing.hpp"

namespace imgforge::vm {
namespace {

using image::testing::error_of;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr milliseconds kQuiet{200};

/// A shell and the console between it and the test, which plays the guest.
class Guest {
 public:
  Guest(const Guest&) = delete;
  explicit Guest(std::vector<GuestCommand> commands, LogIn log_in = {})
      : shell(std::move(log_in), std::move(commands), "abc") {}

  void says(std::string_view text) { shell.take(console_.feed(text)); }
  std::string types(milliseconds quiet = kQuiet) { return shell.type(quiet); }
  /// Echo of what was typed, then what the shell prints for it.
  void runs(const std::string& typed, std::size_t number, std::string_view output, int status) {
    says(typed.substr(0, typed.size() - 1) + "\r\n");
    says(fmt::format("\r\nIMGFORGE-BEGIN-abc-{}\r\n", number));
    says(output);
    says(fmt::format("\r\nIMGFORGE-END-abc-{} {}\r\n", number, status));
  }
  void proves_its_shell() {
    says("/ # ");
    runs(types(), 0, "", 1);
    says("/ # ");
  }

  GuestShell shell;

 private:
  ConsoleText console_;
};

TEST(GuestShell, LogsInAndReadsOutputAndStatus) {
  Guest guest({{"uname -r"}}, {"admin", "secret"});
  guest.says("Welcome to Alpine\r\n\r\nunhinged login: ");
  EXPECT_EQ(guest.types(), "admin\n");
  EXPECT_EQ(guest.types(milliseconds(4000)), "") << "the prompt was answered; the guest may be slow";
  guest.says("admin\r\nPassword: ");
  EXPECT_EQ(guest.types(), "secret\n");
  guest.says("\r\nHello # admin\r\nunhinged:~$ ");
  const std::string probe = guest.types();
  EXPECT_THAT(probe, HasSubstr("dmesg -n 1"));
  guest.runs(probe, 0, "dmesg: not permitted\n", 1);
  guest.says("unhinged:~$ ");
  const std::string command = guest.types();
  EXPECT_THAT(command, HasSubstr(": | (eval 'uname -r');"));
  guest.runs(command, 1, "6.12.8\r\n", 0);
  ASSERT_TRUE(guest.shell.finished());
  EXPECT_EQ(guest.shell.failure(), "");
  ASSERT_EQ(guest.shell.results().size(), 1u) << "the probe is no result";
  EXPECT_EQ(guest.shell.results()[0].output, "6.12.8\n");
  EXPECT_EQ(guest.shell.results()[0].status, 0);
}

TEST(GuestShell, AnEchoIsNoMarkerAndAPromptInTheOutputIsOutput) {
  Guest guest({{"printf '# '"}, {"true"}});
  guest.proves_its_shell();
  const std::string typed = guest.types();
  EXPECT_EQ(typed.find("IMGFORGE-BEGIN"), std::string::npos);
  EXPECT_EQ(typed.find("IMGFORGE-END"), std::string::npos);
  EXPECT_THAT(typed, HasSubstr("'printf '\\''# '\\'''"));
  guest.says("\r\nIMGFORGE-BEGIN-abc-1\r\n# ");
  EXPECT_EQ(guest.types(milliseconds(60000)), "") << "a silent command is left alone";
  guest.says("\r\nIMGFORGE-END-abc-1 0\r\n/ # ");
  EXPECT_EQ(guest.shell.results()[0].output, "# ");
  EXPECT_NE(guest.types(), "");
}

TEST(GuestShell, AMarkerThatComesInPiecesIsOne) {
  Guest guest({{"false"}});
  guest.proves_its_shell();
  guest.types();
  guest.says("IMGFORGE-BEG");
  guest.says("IN-abc-1\r\nIMGFORGE-END-abc-1 1");
  EXPECT_FALSE(guest.shell.finished()) << "the status may have more digits";
  guest.says("27\r\n");
  EXPECT_EQ(guest.shell.results()[0].status, 127);
  EXPECT_THAT(guest.shell.failure(), HasSubstr("\"false\" ended with status 127"));
}

TEST(GuestShell, AnExpectationReplacesTheStatus) {
  Guest guest({GuestCommand{"ls /x", "No such file"}, GuestCommand{"cat /etc/issue", "Alpine"}});
  guest.proves_its_shell();
  guest.runs(guest.types(), 1, "ls: /x: No such file or directory\r\n", 1);
  EXPECT_EQ(guest.shell.failure(), "");
  guest.says("/ # ");
  guest.runs(guest.types(), 2, "Debian\r\n", 0);
  EXPECT_THAT(guest.shell.failure(), HasSubstr("has no \"Alpine\""));
}

TEST(GuestShell, AHalfPrintedLineIsNoPrompt) {
  Guest guest({{"true"}});
  guest.says("[    0.5] Command line # ");
  EXPECT_EQ(guest.types(milliseconds(50)), "");
  guest.says("more\r\n/ # ");
  EXPECT_NE(guest.types(), "");
}

TEST(GuestShell, AsksForAPromptAndForAShellThatWaitsForEnter) {
  Guest guest({{"true"}});
  guest.says("\r\nPlease press Enter to activate this console. ");
  EXPECT_EQ(guest.types(), "\n");
  EXPECT_EQ(guest.types(milliseconds(1000)), "");
  guest.says("\r\n[    5.1] random: crng init done\r\n");
  EXPECT_EQ(guest.types(milliseconds(1000)), "");
  EXPECT_EQ(guest.types(milliseconds(3100)), "\n");
  EXPECT_EQ(guest.types(milliseconds(3200)), "") << "once in three seconds";
  guest.says("\r\nsh-5.2> ");
  EXPECT_EQ(guest.types(milliseconds(3100)), "\n");
  guest.says("\r\nsh-5.2> ");
  EXPECT_THAT(guest.types(), HasSubstr("dmesg")) << "a prompt that nobody knows is tried";
}

TEST(GuestShell, AProbeThatWasNotReadIsTypedAgain) {
  Guest guest({{"true"}});
  guest.says("/ # ");
  EXPECT_NE(guest.types(), "");
  EXPECT_EQ(guest.types(milliseconds(1000)), "");
  EXPECT_EQ(guest.types(milliseconds(5100)), "\n");
  guest.says("\r\n/ # ");
  EXPECT_THAT(guest.types(), HasSubstr("dmesg"));
}

TEST(GuestShell, ARefusedLogInIsAFailure) {
  Guest guest({{"true"}}, {"root", "wrong"});
  guest.says("x login: ");
  guest.types();
  guest.says("root\r\nPassword: ");
  guest.types();
  guest.says("\r\nLogin incorrect\r\nx login: ");
  EXPECT_THAT(guest.shell.failure(), HasSubstr("log-in as root was refused"));
  EXPECT_EQ(guest.types(), "");
}

TEST(GuestShell, RefusesWhatCannotBeTyped) {
  for (const std::string& text : {std::string(), std::string("a\nb"), std::string(801, 'x')}) {
    EXPECT_EQ(error_of([&] { GuestShell({}, {{text}}, "abc"); }).kind(), core::Kind::kUsage);
  }
  EXPECT_EQ(error_of([&] { GuestShell({}, {GuestCommand{"true", "("}}, "abc"); }).kind(), core::Kind::kUsage);
  EXPECT_NO_THROW(GuestShell({}, {{std::string(800, 'x')}}, "abc"));
}

}  // namespace
}  // namespace imgforge::vm
