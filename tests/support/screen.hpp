// A terminal as far as imgforge uses one: text, line ends, CUU (cursor up), EL and ED (erase to the end of
// the line, of the screen); lines that are too long go on in the next one, and what leaves at the top stays
// as it is.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "builder/cli/frame/columns.hpp"

namespace imgforge::testing {

class Screen {
 public:
  Screen(std::size_t columns, std::size_t height) : columns_(columns), height_(height) {}
  std::size_t columns() const { return columns_; }
  std::size_t height() const { return height_; }

  /// What ends in the middle of a sequence or of a character waits for the rest.
  void write(std::string_view text) {
    pending_ += text;
    std::string_view rest = pending_;
    while (!rest.empty() && is_whole(rest)) rest.remove_prefix(take(rest));
    pending_ = std::string(rest);
  }
  /// What can be seen, without blank lines at the end.
  std::vector<std::string> lines() const {
    const std::vector<std::string> all = all_lines();
    return {all.begin() + static_cast<std::ptrdiff_t>(std::min(top(), all.size())), all.end()};
  }
  /// Also what has left at the top.
  std::vector<std::string> all_lines() const {
    std::vector<std::string> out;
    for (const std::vector<std::string>& line : lines_) {
      std::string& text = out.emplace_back();
      for (const std::string& cell : line) text += cell;
    }
    while (!out.empty() && out.back().find_first_not_of(' ') == std::string::npos) out.pop_back();
    return out;
  }

 private:
  std::size_t top() const { return lines_.size() > height_ ? lines_.size() - height_ : 0; }

  static bool is_whole(std::string_view text) {
    constexpr std::size_t kLongestSequence = 16;
    if (text.front() == '\x1b') {
      const bool begins = text.size() == 1 || text[1] == '[';
      return !begins || text.size() > kLongestSequence ||
             text.find_first_of("AKJm") != std::string_view::npos;
    }
    const auto first = static_cast<unsigned char>(text.front());
    const std::size_t size = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    return text.size() >= size;
  }

  std::size_t take(std::string_view text) {
    if (text.front() == '\r') return column_ = 0, 1;
    if (text.front() == '\n') return column_ = 0, down(), 1;
    if (text.front() == '\x1b') return sequence(text);
    std::size_t size = 1;
    while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) ++size;
    put(std::string(text.substr(0, size)));
    return size;
  }
  std::size_t sequence(std::string_view text) {
    const std::size_t end = text.find_first_of("AKJm");
    if (end == std::string_view::npos || text[1] != '[') {
      ADD_FAILURE() << "the screen does not know what this is";
      return text.size();
    }
    const std::string number(text.substr(2, end - 2));
    if (text[end] == 'A') row_ = std::max(top(), row_ - std::min(row_, std::stoul(number)));
    if (text[end] == 'K' || text[end] == 'J') line().resize(std::min(line().size(), column_));
    if (text[end] == 'J') lines_.resize(row_ + 1);
    return end + 1;
  }
  std::vector<std::string>& line() { return lines_[row_]; }
  void down() {
    ++row_;
    if (row_ == lines_.size()) lines_.emplace_back();
  }
  /// A wide character takes its cell and an empty one.
  void put(const std::string& character) {
    const std::size_t width = cli::columns_of(character);
    if (column_ + width > columns_) column_ = 0, down();
    if (line().size() < column_ + width) line().resize(column_ + width, " ");
    line()[column_] = character;
    if (width == 2) line()[column_ + 1].clear();
    column_ += width;
  }

  std::string pending_;
  std::size_t columns_, height_;
  std::vector<std::vector<std::string>> lines_{1};
  std::size_t row_ = 0, column_ = 0;
};

}  // namespace imgforge::testing
