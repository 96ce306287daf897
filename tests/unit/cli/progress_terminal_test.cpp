// Progress on a pseudo terminal: what a person sees, from a process of its own.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "builder/cli/progress/watched_progress.hpp"
#include "core/fd.hpp"
#include "support/screen.hpp"

namespace imgforge::cli {
namespace {

using imgforge::testing::Screen;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A child whose standard error is a terminal of 80 columns and 10 rows; it works until it is told to end.
class OnTerminal {
 public:
  using Work = std::function<void(core::Progress&, const std::function<void()>& wait)>;

  OnTerminal(const char* choice, const Work& work) {
    int master = -1, slave = -1, ends[2];
    const winsize size{10, 80, 0, 0};
    EXPECT_EQ(::openpty(&master, &slave, nullptr, nullptr, &size), 0);
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    master_ = core::Fd(master);
    const core::Fd terminal(slave), go_on(ends[0]);
    tell_ = core::Fd(ends[1]);
    child_ = ::fork();
    if (child_ == 0) {
      tell_ = {};
      ::dup2(slave, STDERR_FILENO);
      run(choice, work, ends[0]);
      ::_exit(0);
    }
  }
  ~OnTerminal() { end(); }

  /// Reads until the screen is as wanted, for a minute at most.
  bool see(const std::function<bool(const std::vector<std::string>&)>& is_as_wanted) {
    pollfd waiting{master_.get(), POLLIN, 0};
    while (!is_as_wanted(screen_.lines()) && ::poll(&waiting, 1, 60'000) == 1 && read()) continue;
    return is_as_wanted(screen_.lines());
  }
  /// Lets the child come to its end, and reads the rest.
  const Screen& end() {
    tell_ = {};
    while (read()) continue;
    int status = 0;
    if (child_ > 0) ::waitpid(std::exchange(child_, -1), &status, 0);
    EXPECT_EQ(status, 0);
    return screen_;
  }

 private:
  static void run(const char* choice, const Work& work, int go_on) {
    ::unsetenv("CI");
    ::setenv("TERM", "xterm", 1);
    const auto progress = make_progress(choice, Colour::kOff, Verbosity::kNormal);
    work(*progress, [go_on] {
      char byte;
      static_cast<void>(!::read(go_on, &byte, 1));  // until the other end is closed
    });
  }
  bool read() {
    char buffer[4096];
    const ssize_t n = ::read(master_.get(), buffer, sizeof buffer);
    if (n > 0) screen_.write({buffer, static_cast<std::size_t>(n)});
    return n > 0;  // EIO when the child has gone
  }

  core::Fd master_, tell_;
  pid_t child_ = -1;
  Screen screen_{80, 10};
};

TEST(ProgressTerminal, AStepThatSaysNothingIsSeenToRun) {
  OnTerminal terminal("auto", [](core::Progress& progress, const auto& wait) {
    core::Activity step = progress.begin("minimal/rootfs");
    step.say("appliance starting");
    wait();
    step.done("41 packages");
  });
  std::string first;
  EXPECT_TRUE(terminal.see([&](const auto& lines) {
    if (lines.empty()) return false;
    if (first.empty()) first = lines[0];
    return lines[0] != first;
  })) << "it moves: "
      << first;
  EXPECT_THAT(first, HasSubstr(" minimal/rootfs               appliance starting  0 s"));
  EXPECT_THAT(terminal.end().all_lines(),
              ElementsAre(HasSubstr("  ✓ minimal/rootfs               41 packages  ")));
}

TEST(ProgressTerminal, AFailureLeavesNothing) {
  OnTerminal terminal("auto", [](core::Progress& progress, const auto& wait) {
    const core::Activity step = progress.begin("minimal/rootfs");
    const core::Activity part = step.part("download");
    wait();
  });
  EXPECT_TRUE(terminal.see([](const auto& lines) { return lines.size() == 2; }));
  EXPECT_THAT(terminal.end().all_lines(), IsEmpty());
}

TEST(ProgressTerminal, MoreStepsThanRowsFit) {
  OnTerminal terminal("auto", [](core::Progress& progress, const auto& wait) {
    std::vector<core::Activity> steps;
    for (int i = 0; i < 20; ++i) steps.push_back(progress.begin("step " + std::to_string(i)));
    wait();
    for (core::Activity& step : steps)
      step.done("made, with a result that is longer than eighty columns are " + std::string(80, 'x'));
  });
  EXPECT_TRUE(terminal.see([](const auto& lines) { return lines.size() == 9; }));
  const std::vector<std::string> lines = terminal.end().all_lines();
  ASSERT_EQ(lines.size(), 20U);
  for (std::size_t i = 0; i < lines.size(); ++i)
    EXPECT_TRUE(lines[i].starts_with("  ✓ step " + std::to_string(i) + " ")) << lines[i];
}

TEST(ProgressTerminal, PlainHasNoRows) {
  OnTerminal terminal("plain", [](core::Progress& progress, const auto& wait) {
    core::Activity step = progress.begin("base");
    progress.note("a note");
    wait();
    step.known("3.22.2");
  });
  EXPECT_TRUE(terminal.see([](const auto& lines) { return !lines.empty(); }));
  EXPECT_THAT(terminal.end().all_lines(),
              ElementsAre("  a note", "  ✓ base                         3.22.2  cached"));
}

}  // namespace
}  // namespace imgforge::cli
