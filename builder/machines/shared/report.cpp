#include "builder/machines/shared/report.hpp"

#include <algorithm>
#include <charconv>

namespace imgforge::machines {
namespace {

constexpr std::string_view kTimeForm = "dddd-dd-dd dd:dd:dd: ";
constexpr std::size_t kMostDigits = 9;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool begins_with_time(std::string_view line) {
  if (line.size() < kTimeForm.size()) return false;
  return std::equal(kTimeForm.begin(), kTimeForm.end(), line.begin(),
                    [](char form, char c) { return form == 'd' ? is_digit(c) : form == c; });
}

}  // namespace

std::optional<Answer> parse_answer(std::string_view text) {
  const std::size_t blank = text.find(' ');
  if (!text.starts_with('#') || blank == std::string_view::npos || blank < 2 || blank > 1 + kMostDigits)
    return std::nullopt;
  Answer answer;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + blank, answer.number);
  if (error != std::errc() || end != text.data() + blank || text[1] == '0') return std::nullopt;
  std::string_view rest = text.substr(blank + 1);
  for (const std::string_view outcome : {"done: ", "refused: ", "failed: "}) {
    if (!rest.starts_with(outcome)) continue;
    answer.outcome = outcome.substr(0, outcome.size() - 2);
    answer.text = rest.substr(outcome.size());
    return answer;
  }
  return std::nullopt;
}

ReportLine parse_report_line(std::string_view line) {
  ReportLine out;
  if (!begins_with_time(line)) {
    out.text = line;
    return out;
  }
  out.time = line.substr(0, kTimeForm.size() - 2);
  out.text = line.substr(kTimeForm.size());
  out.answer = parse_answer(out.text);
  return out;
}

void LineSplitter::add(std::string_view piece) {
  buffer_.erase(0, taken_);
  taken_ = 0;
  if (dropping_) {
    const std::size_t end = piece.find('\n');
    if (end == std::string_view::npos) return;
    piece.remove_prefix(end + 1);
    dropping_ = false;
  }
  buffer_ += piece;
}

std::optional<std::string> LineSplitter::next() {
  const std::string_view rest = std::string_view(buffer_).substr(taken_);
  const std::size_t end = rest.find('\n');
  if (end == std::string_view::npos && rest.size() <= kLongestLine) return std::nullopt;
  std::string line(rest.substr(0, std::min(end, kLongestLine)));
  dropping_ = end == std::string_view::npos;
  taken_ += dropping_ ? rest.size() : end + 1;
  return line;
}

}  // namespace imgforge::machines
