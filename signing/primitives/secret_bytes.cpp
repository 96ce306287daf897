#include "signing/primitives/secret_bytes.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "core/error.hpp"

namespace imgforge::signing {

SecretBytes::SecretBytes(std::size_t size) : size_(size) {
  if (size == 0) return;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t length = (size + page - 1) / page * page;
  void* memory = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    throw core::Error(core::Kind::kNoSpace, "there is no memory left for a secret key");
  mapped_ = length;
  data_ = static_cast<std::uint8_t*>(memory);
  // Both are refused in some containers; a key that may be swapped is still better than no signature.
  (void)::mlock(memory, length);
  (void)::madvise(memory, length, MADV_DONTDUMP);
}

SecretBytes::SecretBytes(std::string_view text) : SecretBytes(text.size()) {
  if (!text.empty()) std::memcpy(data_, text.data(), text.size());
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      mapped_(std::exchange(other.mapped_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  if (this != &other) {
    release();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    mapped_ = std::exchange(other.mapped_, 0);
  }
  return *this;
}

void SecretBytes::truncate(std::size_t size) {
  if (size >= size_) return;
  OPENSSL_cleanse(data_ + size, size_ - size);
  size_ = size;
}

void SecretBytes::release() noexcept {
  if (data_ == nullptr) return;
  OPENSSL_cleanse(data_, mapped_);
  ::munmap(data_, mapped_);
  data_ = nullptr;
}

bool equal_secrets(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

SecretBytes to_secret_base64(std::span<const std::uint8_t> bytes) {
  const std::size_t length = 4 * ((bytes.size() + 2) / 3);
  SecretBytes text(length + 1);  // the encoder ends its output with a zero byte
  EVP_EncodeBlock(text.data(), bytes.data(), static_cast<int>(bytes.size()));
  text.truncate(length);
  return text;
}

SecretBytes from_secret_base64(std::string_view text, std::size_t size) {
  if (text.empty() || text.size() != 4 * ((size + 2) / 3)) return {};
  SecretBytes decoded(text.size() / 4 * 3);
  const auto* input = reinterpret_cast<const unsigned char*>(text.data());
  const int length = EVP_DecodeBlock(decoded.data(), input, static_cast<int>(text.size()));
  if (length != static_cast<int>(decoded.size())) return {};
  decoded.truncate(size);
  // The decoder forgives blanks and odd padding; only the one canonical text encodes back to itself.
  const SecretBytes again = to_secret_base64(decoded.bytes());
  if (!equal_secrets(again.bytes(), {input, text.size()})) return {};
  return decoded;
}

}  // namespace imgforge::signing
