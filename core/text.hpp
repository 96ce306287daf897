// Small text helpers: escaping what came from outside, the nearest valid word, splitting lines.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace imgforge::core {

/// Printable form of foreign text: control bytes and invalid UTF-8 become \xNN, newlines \n. At most
/// `limit` bytes; the rest becomes "...".
std::string escaped(std::string_view text, std::size_t limit = 400);
/// Foreign text for a file that people look at in a terminal: newlines and tabs stay, other control bytes
/// become \xNN, carriage returns go.
std::string printable(std::string_view text);
/// The last `count` lines of foreign output, each escaped, joined by newlines.
std::string tail_lines(std::string_view text, std::size_t count = 20);
/// The candidate with the smallest edit distance to `word`, or empty when none is near (distance > 2 or
/// more than a third of the word).
std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates);
/// `text` with asterisks in place of user names, passwords and queries of the URLs (http, https, ftp) in it,
/// as many as there were characters.
std::string masked_urls(std::string text);
std::vector<std::string> split(std::string_view text, char separator);
std::string_view trimmed(std::string_view text);
std::string join(const std::vector<std::string>& words, std::string_view separator);
/// `text` as one word of a POSIX shell script.
std::string shell_quoted(std::string_view text);
/// Each word quoted, with blanks between.
std::string shell_words(const std::vector<std::string>& words);
/// True for valid UTF-8 (no surrogates, no overlong forms).
bool is_utf8(std::string_view text);

}  // namespace imgforge::core
