// verify-signature KEY FILE SIGNATURE: whether a file is what the owner of a minisign key signed. Static,
// without any library, for images that have nothing else to check signatures with.
//
// Files (https://jedisct1.github.io/minisign/): the second line of a public key is the base64 of "Ed", the
// key's id (8 bytes) and the key (32). A signature has four lines: a comment, the base64 of "ED", the id and
// the signature of the BLAKE2b-512 of the file, the trusted comment, and the base64 of the signature of both.
// Only this prehashed form passes.
#include "builder/target/runtime/system_calls.hpp"
#include "builder/target/runtime/text.hpp"
#include "builder/target/verifier/ed25519.hpp"

// The kernel starts a program with the argument count at the top of the stack and the arguments above it.
asm(".globl _start\n"
    "_start:\n"
    "  xor %ebp, %ebp\n"
    "  mov %rsp, %rdi\n"
    "  and $-16, %rsp\n"
    "  call verify_main\n"
    "  hlt\n");

extern "C" [[noreturn]] void verify_main(const long* stack);

namespace imgforge::verifier {
namespace {

constexpr std::size_t kLargestFile = 4 << 20;
constexpr std::size_t kLargestText = 16 << 10;

unsigned char file_bytes[kLargestFile + 1];
unsigned char key_bytes[kLargestText + 1];
unsigned char signature_bytes[kLargestText + 1];

[[noreturn]] void refuse(const char* first, const char* second = "") {
  target::Text message;
  message.add(first).add(second).add("\n");
  target::sys_write(target::kStandardError, message.c_str(), message.size());
  target::sys_exit(1);
}

std::size_t read_file(const char* path, unsigned char* bytes, std::size_t largest) {
  const long fd = target::sys_open(path, target::kReadOnly);
  if (fd < 0) refuse("cannot read ", path);
  std::size_t size = 0;
  while (size <= largest) {
    const long count = target::sys_pread(static_cast<int>(fd), bytes + size, largest + 1 - size, size);
    if (count < 0) refuse("cannot read ", path);
    if (count == 0) return size;
    size += static_cast<std::size_t>(count);
  }
  refuse("too large: ", path);
}

struct Line {
  const unsigned char* text = nullptr;
  std::size_t size = 0;
};

/// Lines of a text that ends with a line feed; false when there are not exactly `count`.
bool split(const unsigned char* text, std::size_t size, Line* lines, std::size_t count) {
  std::size_t found = 0, begin = 0;
  for (std::size_t i = 0; i < size; ++i) {
    if (text[i] != '\n') continue;
    if (found == count) return false;
    lines[found++] = {text + begin, i - begin};
    begin = i + 1;
  }
  return begin == size && found == count;
}

bool starts_with(const Line& line, const char* start) {
  const std::size_t size = target::length_of(start);
  if (line.size < size) return false;
  for (std::size_t i = 0; i < size; ++i) {
    if (line.text[i] != static_cast<unsigned char>(start[i])) return false;
  }
  return true;
}

int base64_value(unsigned char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/// Exactly `size` bytes, in base64 with padding and without a stray bit.
bool decode_base64(const Line& line, unsigned char* bytes, std::size_t size) {
  const std::size_t padding = (3 - size % 3) % 3;
  if (line.size != (size + 2) / 3 * 4) return false;
  unsigned held = 0;
  int bits = 0;
  std::size_t made = 0;
  for (std::size_t i = 0; i < line.size; ++i) {
    if (i >= line.size - padding) {
      if (line.text[i] != '=') return false;
      continue;
    }
    const int value = base64_value(line.text[i]);
    if (value < 0) return false;
    held = (held << 6 | static_cast<unsigned>(value)) & 0xFFFF;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[made++] = static_cast<unsigned char>(held >> bits);
  }
  return made == size && (held & ((1U << bits) - 1)) == 0;
}

bool same_bytes(const unsigned char* a, const unsigned char* b, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

void check_files(const char* key_path, const char* path, const char* signature_path) {
  Line key_lines[2], lines[4];
  unsigned char key[42], over_file[74 + kLargestText], over_comment[64], digest[64];
  if (!split(key_bytes, read_file(key_path, key_bytes, kLargestText), key_lines, 2) ||
      !starts_with(key_lines[0], "untrusted comment:") || !decode_base64(key_lines[1], key, 42) ||
      key[0] != 'E' || key[1] != 'd') {
    refuse("not a public key of minisign: ", key_path);
  }
  constexpr const char* kTrusted = "trusted comment: ";
  if (!split(signature_bytes, read_file(signature_path, signature_bytes, kLargestText), lines, 4) ||
      !starts_with(lines[0], "untrusted comment:") || !decode_base64(lines[1], over_file, 74) ||
      !starts_with(lines[2], kTrusted) || !decode_base64(lines[3], over_comment, 64)) {
    refuse("not a signature of minisign: ", signature_path);
  }
  if (over_file[0] != 'E' || over_file[1] != 'D') refuse("not a prehashed signature: ", signature_path);
  if (!same_bytes(over_file + 2, key + 2, 8)) refuse("signed with another key: ", signature_path);
  const std::size_t size = read_file(path, file_bytes, kLargestFile);
  blake2b(file_bytes, size, digest);
  if (!verify(key + 10, digest, sizeof(digest), over_file + 10)) refuse("not what was signed: ", path);
  // The second signature covers the first one and the trusted comment.
  const std::size_t start = target::length_of(kTrusted);
  for (std::size_t i = start; i < lines[2].size; ++i) over_file[74 + i - start] = lines[2].text[i];
  if (!verify(key + 10, over_file + 10, 64 + lines[2].size - start, over_comment)) {
    refuse("its trusted comment was changed: ", signature_path);
  }
}

}  // namespace
}  // namespace imgforge::verifier

void verify_main(const long* stack) {
  auto* const words = reinterpret_cast<const char* const*>(stack + 1);
  if (stack[0] != 4) imgforge::verifier::refuse("usage: verify-signature KEY FILE SIGNATURE");
  imgforge::verifier::check_files(words[1], words[2], words[3]);
  imgforge::target::sys_exit(0);
}
