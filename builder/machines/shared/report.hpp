// Lines of vm-to-host.txt (builder/shared_folder/README.md), read with suspicion: a guest writes them. Text
// is as the guest said it; who prints it escapes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace imgforge::machines {

/// What came of a command.
struct Answer {
  std::uint32_t number = 0;
  std::string outcome;  ///< "done", "refused", "failed"
  std::string text;     ///< the command again, and a reason in brackets
};

struct ReportLine {
  std::string time;  ///< "2026-11-20 01:02:03"; empty: no line of the protocol, and `text` is all of it
  std::string text;
  std::optional<Answer> answer;
};

/// "#12 done: restart: voice-service"; nothing for any other text.
std::optional<Answer> parse_answer(std::string_view text);
/// A line without its end.
ReportLine parse_report_line(std::string_view line);

/// Makes lines of pieces. One that is longer than kLongestLine is cut: its rest is dropped.
class LineSplitter {
 public:
  static constexpr std::size_t kLongestLine = 2048;
  void add(std::string_view piece);
  /// The next whole line.
  std::optional<std::string> next();

 private:
  std::string buffer_;
  std::size_t taken_ = 0;  ///< of `buffer_`
  bool dropping_ = false;  ///< the rest of a line that was too long
};

}  // namespace imgforge::machines
