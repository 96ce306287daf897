#include "core/digest.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <functional>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/file_bytes.hpp"
#include "core/handle.hpp"

namespace imgforge::core {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

const EVP_MD* evp_of(HashAlgorithm algorithm) {
  switch (algorithm) {
    case HashAlgorithm::kSha1:
      return EVP_sha1();
    case HashAlgorithm::kSha256:
      return EVP_sha256();
    case HashAlgorithm::kSha512:
      return EVP_sha512();
    case HashAlgorithm::kBlake2b512:
      return EVP_blake2b512();
  }
  return nullptr;
}

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::uint64_t stream_file(const std::filesystem::path& path,
                          const std::function<void(std::span<const std::byte>)>& on_block) {
  return read_whole(open_regular(path).get(), path.native(), on_block);
}

}  // namespace

std::string_view hash_name(HashAlgorithm algorithm) {
  switch (algorithm) {
    case HashAlgorithm::kSha1:
      return "sha1";
    case HashAlgorithm::kSha256:
      return "sha256";
    case HashAlgorithm::kSha512:
      return "sha512";
    case HashAlgorithm::kBlake2b512:
      return "blake2b512";
  }
  return "?";
}

std::size_t hash_size(HashAlgorithm algorithm) {
  switch (algorithm) {
    case HashAlgorithm::kSha1:
      return 20;
    case HashAlgorithm::kSha256:
      return 32;
    default:
      return 64;
  }
}

Digest::Digest(HashAlgorithm algorithm, std::vector<std::uint8_t> bytes)
    : algorithm_(algorithm), bytes_(std::move(bytes)) {
  if (bytes_.size() != hash_size(algorithm_)) {
    throw Error(Kind::kIntegrity, std::string(hash_name(algorithm_)) + " digest has the wrong length");
  }
}

Digest Digest::from_hex(HashAlgorithm algorithm, std::string_view hex) {
  if (hex.size() != 2 * hash_size(algorithm)) {
    throw Error(Kind::kIntegrity, "a " + std::string(hash_name(algorithm)) + " digest has " +
                                      std::to_string(2 * hash_size(algorithm)) + " hex digits, this has " +
                                      std::to_string(hex.size()));
  }
  std::vector<std::uint8_t> bytes;
  bytes.reserve(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = hex_value(hex[i]);
    const int low = hex_value(hex[i + 1]);
    if (high < 0 || low < 0) throw Error(Kind::kIntegrity, "a digest holds hex digits only");
    bytes.push_back(static_cast<std::uint8_t>(high * 16 + low));
  }
  return Digest(algorithm, std::move(bytes));
}

Digest Digest::parse(std::string_view text) {
  for (const HashAlgorithm algorithm : {HashAlgorithm::kSha256, HashAlgorithm::kSha512}) {
    const std::string prefix = std::string(hash_name(algorithm)) + ":";
    if (text.starts_with(prefix)) return from_hex(algorithm, text.substr(prefix.size()));
  }
  throw Error(Kind::kIntegrity, "a digest is written sha256:<64 hex digits> or sha512:<128 hex digits>");
}

std::string Digest::hex() const {
  return to_hex(bytes_);
}

std::string Digest::to_string() const {
  return std::string(hash_name(algorithm_)) + ":" + hex();
}

struct Hasher::State {
  HashAlgorithm algorithm;
  Handle<&EVP_MD_CTX_free> context{EVP_MD_CTX_new()};
};

Hasher::Hasher(HashAlgorithm algorithm) : state_(std::make_unique<State>()) {
  state_->algorithm = algorithm;
  if (!state_->context || EVP_DigestInit_ex(state_->context.get(), evp_of(algorithm), nullptr) != 1) {
    throw Error(Kind::kInternal, "OpenSSL cannot compute " + std::string(hash_name(algorithm)));
  }
}

Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::update(std::span<const std::byte> data) {
  if (EVP_DigestUpdate(state_->context.get(), data.data(), data.size()) != 1) {
    throw Error(Kind::kInternal, "OpenSSL digest update failed");
  }
}

void Hasher::update(std::string_view text) {
  update(as_bytes(text));
}

Digest Hasher::finish() {
  std::vector<std::uint8_t> out(EVP_MAX_MD_SIZE);
  unsigned length = 0;
  if (EVP_DigestFinal_ex(state_->context.get(), out.data(), &length) != 1) {
    throw Error(Kind::kInternal, "OpenSSL digest failed");
  }
  out.resize(length);
  return Digest(state_->algorithm, std::move(out));
}

Digest digest_of(HashAlgorithm algorithm, std::string_view text) {
  Hasher hasher(algorithm);
  hasher.update(text);
  return hasher.finish();
}

Digest digest_of_file(HashAlgorithm algorithm, const std::filesystem::path& path) {
  Hasher hasher(algorithm);
  stream_file(path, [&](std::span<const std::byte> block) { hasher.update(block); });
  return hasher.finish();
}

FileDigests file_digests(const std::filesystem::path& path) {
  Hasher sha256(HashAlgorithm::kSha256);
  Hasher sha512(HashAlgorithm::kSha512);
  FileDigests result;
  result.size = stream_file(path, [&](std::span<const std::byte> block) {
    sha256.update(block);
    sha512.update(block);
  });
  result.sha256 = sha256.finish();
  result.sha512 = sha512.finish();
  return result;
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

std::string to_base64(std::span<const std::uint8_t> bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3), '\0');
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes.data(), static_cast<int>(bytes.size()));
  return out;
}

std::vector<std::uint8_t> from_base64(std::string_view text) {
  const auto malformed = [] { return Error(Kind::kIntegrity, "malformed base64"); };
  if (text.size() % 4 != 0) throw malformed();
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  std::vector<std::uint8_t> out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text.substr(0, text.size() - padding)) {
    const auto value = kBase64.find(c);
    if (value == std::string_view::npos) throw malformed();
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<std::uint8_t>(bits >> count));
      bits &= (1U << count) - 1;
    }
  }
  // What is left over of the last digit must be zero, else two texts would decode to one value.
  if (bits != 0) throw malformed();
  return out;
}

}  // namespace imgforge::core
