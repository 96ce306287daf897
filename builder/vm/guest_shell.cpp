#include "builder/vm/guest_shell.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <regex>

#include "core/error.hpp"
#include "core/pattern.hpp"
#include "core/text.hpp"

namespace imgforge::vm {
namespace {

using core::Error;
using core::Kind;
using std::chrono::milliseconds;

constexpr std::size_t kLongestCommand = 800;
constexpr std::size_t kLongestOutput = 1 << 20;
// A console that is still printing shows half lines that may look like prompts.
constexpr milliseconds kSettled{150};
constexpr milliseconds kPromptUnknown{1000};
constexpr milliseconds kNudgeAfter{3000};
constexpr milliseconds kNudgeAfterLogIn{15000};  // a newline would be taken for the password
constexpr milliseconds kProbeLost{5000};
constexpr int kMaxLogIns = 3;
constexpr int kNewlinesBeforeAnyPrompt = 2;

// Fewer kernel messages between the lines of a command. A shell without dmesg does not mind.
constexpr const char* kProbe = "dmesg -n 1 2>/dev/null";

void check_typable(const GuestCommand& command) {
  const bool control = std::any_of(command.text.begin(), command.text.end(),
                                   [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; });
  if (control || command.text.empty() || command.text.size() > kLongestCommand) {
    throw Error(Kind::kUsage,
                fmt::format("\"{}\" cannot be typed on a console: a command is one line of 1 to {} bytes "
                            "without control characters",
                            core::escaped(command.text, 80), kLongestCommand));
  }
  if (!command.expect.empty()) core::Pattern{command.expect};
}

bool ends_like(const std::string& line, const char* pattern) {
  return std::regex_search(line, std::regex(pattern));
}

}  // namespace

GuestShell::GuestShell(LogIn log_in, std::vector<GuestCommand> commands, std::string nonce)
    : log_in_(std::move(log_in)), commands_(std::move(commands)), nonce_(std::move(nonce)) {
  for (const GuestCommand& command : commands_) check_typable(command);
}

std::string GuestShell::marker(std::string_view word) const {
  return fmt::format("{}-{}-{}", word, nonce_, next_);
}

std::string GuestShell::step() const {
  if (next_ == 0) return "waiting for a shell";
  return finished() ? "done" : fmt::format("running \"{}\"", core::escaped(commands_[next_ - 1].text, 80));
}

void GuestShell::take(const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  nudges_ = 0;
  if (lines.size() > 1) answered_.clear();
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) take_line(lines[i]);
  tail_ = lines.back();
}

void GuestShell::take_line(const std::string& line) {
  if (finished()) return;
  if (next_ == 0 && log_ins_ > 0 && line.find("Login incorrect") != std::string::npos) refuse_log_in();
  if (state_ == State::kTyped && line.find(marker("IMGFORGE-BEGIN")) != std::string::npos) {
    state_ = State::kOutput;
    output_.clear();
    output_size_ = 0;
    return;
  }
  if (state_ != State::kOutput) return;
  const std::string end = marker("IMGFORGE-END") + " ";
  if (const std::size_t at = line.find(end); at != std::string::npos) {
    int status = -1;
    const char* first = line.data() + at + end.size();
    std::from_chars(first, line.data() + line.size(), status);
    end_command(status);
  } else if (output_size_ < kLongestOutput) {
    output_.push_back(line);
    output_size_ += line.size() + 1;
  }
}

void GuestShell::refuse_log_in() {
  failure_ = fmt::format("the log-in as {} was refused", core::escaped(log_in_.user));
}

void GuestShell::end_command(int status) {
  state_ = State::kPrompt;
  if (next_ > 0) {
    const GuestCommand& command = commands_[next_ - 1];
    const double seconds = std::chrono::duration<double>(Clock::now() - typed_at_).count();
    results_.push_back({command.text, status, core::join(output_, "\n"), seconds});
    if (command.expect.empty() && status != 0) {
      failure_ = fmt::format("the command \"{}\" ended with status {}", core::escaped(command.text), status);
    } else if (!command.expect.empty() && !core::Pattern(command.expect).found_in(results_.back().output)) {
      failure_ = fmt::format("the output of \"{}\" has no \"{}\"", core::escaped(command.text),
                             core::escaped(command.expect));
    }
  }
  ++next_;
}

std::string GuestShell::typed_command() {
  state_ = State::kTyped;
  answered_ = tail_;
  typed_at_ = Clock::now();
  const std::string text = next_ == 0 ? kProbe : commands_[next_ - 1].text;
  // The markers are typed in two words, so that the echo of this line is none. A subshell keeps syntax
  // errors, exit and cd to the command; eval makes it one word.
  return fmt::format(
      "printf '\\n%s%s\\n' IMGFORGE-BE GIN-{0}-{1}; : | (eval {2}); "
      "printf '\\n%s%s %s\\n' IMGFORGE-E ND-{0}-{1} \"$?\"\n",
      nonce_, next_, core::shell_quoted(text));
}

std::string GuestShell::answer() {
  if (tail_.empty() || tail_ == answered_) return {};
  if (ends_like(tail_, "login: ?$")) {
    answered_ = tail_;
    if (++log_ins_ <= kMaxLogIns) return log_in_.user + "\n";
    refuse_log_in();
    return {};
  }
  if (ends_like(tail_, "[Pp]assword: ?$")) {
    answered_ = tail_;
    return log_in_.password + "\n";
  }
  if (tail_.find("press Enter to activate") != std::string::npos) {
    answered_ = tail_;
    return "\n";
  }
  const bool prompt = ends_like(tail_, "[#$] ?$") || newlines_ >= kNewlinesBeforeAnyPrompt;
  return prompt ? typed_command() : std::string();
}

/// A newline makes getty and shells print their prompt again.
std::string GuestShell::nudge() {
  ++nudges_;
  ++newlines_;
  return "\n";
}

std::string GuestShell::type(milliseconds quiet) {
  if (finished() || !failure_.empty() || quiet < kSettled) return {};
  if (state_ == State::kTyped && next_ == 0 && quiet > kProbeLost) {
    state_ = State::kPrompt;  // nobody read it: a log-in that flushed its input, for example
    return nudge();
  }
  if (state_ != State::kPrompt) return {};
  if (std::string text = answer(); !text.empty() || !failure_.empty()) return text;
  // A shell has been proved: an unusual prompt does not matter any more.
  if (next_ > 0 && quiet > kPromptUnknown) return typed_command();
  const milliseconds patience = log_ins_ > 0 ? kNudgeAfterLogIn : kNudgeAfter;
  return next_ == 0 && quiet > patience * (nudges_ + 1) ? nudge() : std::string();
}

}  // namespace imgforge::vm
