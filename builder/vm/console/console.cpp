#include "builder/vm/console/console.hpp"

#include <utility>

#include "core/text.hpp"

namespace imgforge::vm {
namespace {

constexpr std::size_t kLongestLine = 4096;
constexpr std::size_t kRecentLines = 200;

}  // namespace

void ConsoleText::take(unsigned char byte) {
  if (state_ == State::kEscape) {
    state_ = byte == '[' ? State::kSequence : State::kText;
    return;
  }
  if (state_ == State::kSequence) {  // ECMA-48: parameters until a byte from '@' to '~'
    if (byte >= '@' && byte <= '~') state_ = State::kText;
    return;
  }
  if (byte == 0x1B) {
    state_ = State::kEscape;
  } else if (byte == '\n' || line_.size() >= kLongestLine) {
    if (byte != '\n') line_.push_back(static_cast<char>(byte));
    recent_.push_back(line_);
    if (recent_.size() > kRecentLines) recent_.pop_front();
    completed_.push_back(std::exchange(line_, {}));
  } else if (byte != '\r' && byte != 0) {
    line_.push_back(static_cast<char>(byte));
  }
}

std::vector<std::string> ConsoleText::feed(std::string_view raw) {
  for (const char c : raw) take(static_cast<unsigned char>(c));
  std::vector<std::string> lines = std::exchange(completed_, {});
  lines.push_back(line_);
  return lines;
}

std::string ConsoleText::tail(std::size_t count) const {
  std::string text;
  for (const std::string& line : recent_) text += line + "\n";
  return core::tail_lines(text + line_, count);
}

}  // namespace imgforge::vm
