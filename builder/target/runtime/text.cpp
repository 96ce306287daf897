#include "builder/target/runtime/text.hpp"

#include <linux/errno.h>

#include "builder/target/runtime/system_calls.hpp"

namespace imgforge::target {

std::size_t length_of(const char* text) {
  std::size_t size = 0;
  while (text[size] != 0) ++size;
  return size;
}

bool same(const char* left, const char* right) {
  while (*left != 0 && *left == *right) {
    ++left;
    ++right;
  }
  return *left == *right;
}

Text& Text::add_byte(char byte) {
  if (size_ == kCapacity) {
    truncated_ = true;
  } else {
    bytes_[size_++] = byte;
  }
  return *this;
}

Text& Text::add(const char* text) {
  for (; *text != 0; ++text) add_byte(*text);
  return *this;
}

Text& Text::add(std::uint64_t number) {
  char digits[20];
  std::size_t count = 0;
  do {
    digits[count++] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  while (count > 0) add_byte(digits[--count]);
  return *this;
}

Text& Text::add_hex(const unsigned char* bytes, std::size_t size) {
  constexpr const char* kDigits = "0123456789abcdef";
  for (std::size_t i = 0; i < size; ++i) add_byte(kDigits[bytes[i] >> 4]).add_byte(kDigits[bytes[i] & 15]);
  return *this;
}

bool parse_number(const char* text, std::size_t longest, std::uint64_t& number) {
  const std::size_t size = length_of(text);
  if (size == 0 || size > longest || text[0] == '0') return false;
  number = 0;
  for (std::size_t i = 0; i < size; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    number = number * 10 + static_cast<std::uint64_t>(text[i] - '0');
  }
  return true;
}

bool is_hex(const char* text) {
  for (; *text != 0; ++text) {
    const bool digit = *text >= '0' && *text <= '9';
    if (!digit && !(*text >= 'a' && *text <= 'f') && !(*text >= 'A' && *text <= 'F')) return false;
  }
  return true;
}

namespace {

/// nullptr: no words are known.
const char* error_words(long error) {
  switch (-error) {
    case EPERM:
      return "Operation not permitted";
    case ENOENT:
      return "No such file or directory";
    case EIO:
      return "Input/output error";
    case ENXIO:
      return "No such device or address";
    case EACCES:
      return "Permission denied";
    case EBUSY:
      return "Device or resource busy";
    case EEXIST:
      return "File exists";
    case ENODEV:
      return "No such device";
    case EINVAL:
      return "Invalid argument";
    case ENOTTY:
      return "Inappropriate ioctl for device";
    case ENOSPC:
      return "No space left on device";
    case EROFS:
      return "Read-only file system";
    default:
      return nullptr;
  }
}

Text& add_parts(Text& message, std::initializer_list<Part> parts) {
  message.add("early: ");
  for (const Part& part : parts) {
    if (part.text != nullptr) {
      message.add(part.text);
    } else {
      message.add(part.number);
    }
  }
  return message;
}

[[noreturn]] void say_and_exit(Text& message) {
  message.add("\n");
  sys_write(kStandardError, message.c_str(), message.size());
  sys_exit(1);
}

}  // namespace

void fail_with(std::initializer_list<Part> parts) {
  Text message;
  say_and_exit(add_parts(message, parts));
}

void fail_with(std::initializer_list<Part> parts, long error) {
  Text message;
  add_parts(message, parts).add(": ");
  const char* const words = error_words(error);
  say_and_exit(words != nullptr ? message.add(words)
                                : message.add("error ").add(static_cast<std::uint64_t>(-error)));
}

}  // namespace imgforge::target
