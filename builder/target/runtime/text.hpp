// Text of bounded length, numbers in it, and the one way in which programs for the target fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

namespace imgforge::target {

std::size_t length_of(const char* text);
bool same(const char* left, const char* right);

/// Text that grows to at most kCapacity bytes and always ends with a zero; what does not fit is dropped and
/// remembered.
class Text {
 public:
  static constexpr std::size_t kCapacity = 2047;

  Text& add(const char* text);
  Text& add(std::uint64_t number);
  /// Two digits for each byte.
  Text& add_hex(const unsigned char* bytes, std::size_t size);

  const char* c_str() const { return bytes_; }
  std::size_t size() const { return size_; }
  bool is_whole() const { return !truncated_; }

 private:
  Text& add_byte(char byte);
  char bytes_[kCapacity + 1] = {};
  std::size_t size_ = 0;
  bool truncated_ = false;
};

/// True when `text` is 1 to `longest` decimal digits, the first not 0; `number` is what they say.
bool parse_number(const char* text, std::size_t longest, std::uint64_t& number);
bool is_hex(const char* text);

/// A piece of a message: a text, or a number when there is none.
struct Part {
  constexpr Part(const char* words) : text(words) {}
  constexpr Part(std::uint64_t value) : number(value) {}
  const char* text = nullptr;
  std::uint64_t number = 0;
};

/// Writes the message to standard error and ends the program with exit code 1.
[[noreturn]] void fail_with(std::initializer_list<Part> parts);
/// The same, with the words for a negative error number after the parts.
[[noreturn]] void fail_with(std::initializer_list<Part> parts, long error);

template <class... Parts>
[[noreturn]] void fail(Parts... parts) {
  fail_with({Part(parts)...});
}

/// Fails with the words for `result` when it is an error; otherwise returns it.
template <class... Parts>
long check(long result, Parts... parts) {
  if (result < 0) fail_with({Part(parts)...}, result);
  return result;
}

}  // namespace imgforge::target
