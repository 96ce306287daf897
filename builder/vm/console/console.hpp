// The text of a serial console while it comes in: escape sequences removed, cut into lines, bounded.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace imgforge::vm {

class ConsoleText {
 public:
  /// Takes raw output; returns the lines that it completed, and the unfinished line last (a prompt has no
  /// end).
  std::vector<std::string> feed(std::string_view raw);
  /// The last lines, escaped for printing.
  std::string tail(std::size_t count) const;

 private:
  void take(unsigned char byte);

  enum class State { kText, kEscape, kSequence };
  State state_ = State::kText;
  std::string line_;
  std::vector<std::string> completed_;
  std::deque<std::string> recent_;
};

}  // namespace imgforge::vm
