// Memory for keys and passphrases: pages of their own, locked against swapping and left out of core dumps
// where the system allows it, and overwritten before they are given back. Ordinary strings and vectors leave
// copies behind when they grow or move; this type has one buffer of fixed capacity and can only be moved.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace imgforge::signing {

class SecretBytes {
 public:
  SecretBytes() = default;
  /// `size` zero bytes. Locking is best effort (RLIMIT_MEMLOCK); throws kNoSpace when there is no memory.
  explicit SecretBytes(std::size_t size);
  explicit SecretBytes(std::string_view text);
  ~SecretBytes() { release(); }
  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::uint8_t* data() { return data_; }
  std::span<std::uint8_t> bytes() { return {data_, size_}; }
  std::span<const std::uint8_t> bytes() const { return {data_, size_}; }
  std::string_view view() const { return {reinterpret_cast<const char*>(data_), size_}; }
  /// Shortens; what is cut off is overwritten.
  void truncate(std::size_t size);

 private:
  void release() noexcept;

  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t mapped_ = 0;
};

/// Compares without telling by its time where the first difference is.
bool equal_secrets(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b);

/// Base64 of a secret, in secret memory.
SecretBytes to_secret_base64(std::span<const std::uint8_t> bytes);
/// Strict inverse for a text that stands for exactly `size` bytes; an empty result says that it does not.
SecretBytes from_secret_base64(std::string_view text, std::size_t size);

}  // namespace imgforge::signing
