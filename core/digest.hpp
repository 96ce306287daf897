// Cryptographic digests: a value type and a streaming hasher over OpenSSL's EVP (the one place outside
// signing/ that includes OpenSSL).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace imgforge::core {

enum class HashAlgorithm { kSha1, kSha256, kSha512, kBlake2b512 };

std::string_view hash_name(HashAlgorithm algorithm);
/// Digest length in bytes.
std::size_t hash_size(HashAlgorithm algorithm);

/// Algorithm and bytes. Text form is `sha256:<lower-case hex>`.
class Digest {
 public:
  Digest() = default;
  Digest(HashAlgorithm algorithm, std::vector<std::uint8_t> bytes);
  /// Parses `sha256:<hex>` or `sha512:<hex>` (hex in any case). Throws kIntegrity when malformed.
  static Digest parse(std::string_view text);
  /// Parses bare hex of exactly the algorithm's length. Throws kIntegrity when malformed.
  static Digest from_hex(HashAlgorithm algorithm, std::string_view hex);

  HashAlgorithm algorithm() const { return algorithm_; }
  const std::vector<std::uint8_t>& bytes() const { return bytes_; }
  bool empty() const { return bytes_.empty(); }
  std::string hex() const;
  std::string to_string() const;
  bool operator==(const Digest&) const = default;
  auto operator<=>(const Digest&) const = default;

 private:
  HashAlgorithm algorithm_ = HashAlgorithm::kSha256;
  std::vector<std::uint8_t> bytes_;
};

/// Streaming hash of one algorithm. `finish` ends it; further updates are an error.
class Hasher {
 public:
  explicit Hasher(HashAlgorithm algorithm);
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  void update(std::span<const std::byte> data);
  void update(std::string_view text);
  Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Digest digest_of(HashAlgorithm algorithm, std::string_view text);
/// Streams a regular file. Throws kIo or kPermission.
Digest digest_of_file(HashAlgorithm algorithm, const std::filesystem::path& path);

/// Size, sha256 and sha512 of a file, read once.
struct FileDigests {
  std::uint64_t size = 0;
  Digest sha256;
  Digest sha512;
};
FileDigests file_digests(const std::filesystem::path& path);

std::string to_hex(std::span<const std::uint8_t> bytes);
/// RFC 4648 base64 with padding.
std::string to_base64(std::span<const std::uint8_t> bytes);
/// Strict: alphabet, length, padding and canonical trailing bits are checked. Throws kIntegrity.
std::vector<std::uint8_t> from_base64(std::string_view text);

}  // namespace imgforge::core
