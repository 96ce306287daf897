#include "builder/fetch/apk/apk_names.hpp"

#include <algorithm>
#include <cstddef>

namespace imgforge::fetch {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_alnum(char c) {
  return is_digit(c) || is_lower(c) || (c >= 'A' && c <= 'Z');
}

bool made_of(std::string_view text, std::string_view others, std::size_t limit) {
  return !text.empty() && text.size() <= limit && std::all_of(text.begin(), text.end(), [&](char c) {
    return is_alnum(c) || others.find(c) != std::string_view::npos;
  });
}

}  // namespace

bool is_package_name(std::string_view text) {
  return made_of(text, "._+-", 128) && (is_alnum(text.front()) || text.front() == '_');
}

bool is_package_version(std::string_view text) {
  return made_of(text, "._~-", 128) && is_digit(text.front());
}

bool is_plain_file_name(std::string_view text) {
  return made_of(text, "._+@-", 200) && text.front() != '.';
}

bool is_arch(std::string_view text) {
  return !text.empty() && text.size() <= 32 &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_lower(c) || is_digit(c) || c == '_'; });
}

}  // namespace imgforge::fetch
