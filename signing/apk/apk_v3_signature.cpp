#include "signing/apk/apk_v3_signature.hpp"

#include <map>
#include <optional>
#include <vector>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"
#include "signing/apk/apk_key.hpp"

namespace imgforge::signing {

using core::Error;
using core::HashAlgorithm;
using core::Kind;

namespace {

constexpr std::size_t kIdSize = 16;
constexpr std::size_t kHeadSize = 2 + kIdSize;  ///< version, digest of the database, id of the key
/// Numbers of digests in files of apk 3. It has others, which are too short.
constexpr unsigned char kSha256 = 3;
constexpr unsigned char kSha512 = 4;

struct Block {
  std::string_view head;
  std::string_view id;
  std::string_view signature;
};

std::string hex_of(std::string_view id) {
  return core::to_hex(std::span(reinterpret_cast<const std::uint8_t*>(id.data()), id.size()));
}

std::string id_of(EVP_PKEY* key) {
  unsigned char* bytes = nullptr;
  const int size = i2d_PublicKey(key, &bytes);
  if (size <= 0) throw_openssl_failure("cannot write a public key");
  const std::string bare(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  const core::Digest digest = core::digest_of(HashAlgorithm::kSha512, bare);
  return {reinterpret_cast<const char*>(digest.bytes().data()), kIdSize};
}

/// Nothing for a block of a version that is not known, which later versions of apk may add.
std::optional<Block> parse(std::string_view bytes) {
  if (bytes.empty() || bytes[0] != 0) return std::nullopt;
  if (bytes.size() <= kHeadSize) throw Error(Kind::kSignature, "a signature that is cut off");
  return Block{.head = bytes.substr(0, kHeadSize),
               .id = bytes.substr(2, kIdSize),
               .signature = bytes.substr(kHeadSize)};
}

HashAlgorithm digest_of_head(std::string_view head) {
  switch (static_cast<unsigned char>(head[1])) {
    case kSha256:
      return HashAlgorithm::kSha256;
    case kSha512:
      return HashAlgorithm::kSha512;
    default:
      throw Error(Kind::kSignature, "a signature over a digest that is weak or unknown");
  }
}

std::string signed_text(const Block& block, const ApkV3Signed& file) {
  std::string text;
  for (unsigned i = 0; i < 4; ++i) text += static_cast<char>(file.schema >> (8 * i));
  text += block.head;
  const core::Digest digest = core::digest_of(digest_of_head(block.head), file.database);
  text.append(reinterpret_cast<const char*>(digest.bytes().data()), digest.bytes().size());
  return text;
}

bool verifies(EVP_PKEY* key, std::string_view text, std::string_view signature) {
  const MdContextHandle context(EVP_MD_CTX_new());
  if (!context || EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha512(), nullptr, key) != 1)
    throw_openssl_failure("cannot check a signature");
  return EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                          signature.size(), reinterpret_cast<const unsigned char*>(text.data()),
                          text.size()) == 1;
}

struct NamedKey {
  std::string name;
  PkeyHandle key;
};

/// By id. A base may bring keys that are of no use here.
std::map<std::string, NamedKey, std::less<>> by_id(const ApkKeys& keys) {
  std::map<std::string, NamedKey, std::less<>> found;
  for (const auto& [name, pem] : keys) {
    try {
      PkeyHandle key = read_apk_key(name, pem);
      std::string id = id_of(key.get());
      found.emplace(std::move(id), NamedKey{name, std::move(key)});
    } catch (const Error& error) {
      if (error.kind() != Kind::kSignature) throw;
    }
  }
  return found;
}

}  // namespace

ApkSignature verify_apk_v3_signatures(std::span<const std::string> blocks, const ApkV3Signed& file,
                                      const ApkKeys& keys) {
  if (blocks.empty()) throw Error(Kind::kSignature, "it is not signed");
  const ErrorQueueGuard guard;
  const auto known = by_id(keys);
  std::string good;
  std::vector<std::string> strangers;
  for (const std::string& bytes : blocks) {
    const std::optional<Block> block = parse(bytes);
    if (!block) continue;
    const auto key = known.find(block->id);
    if (key == known.end()) {
      strangers.push_back(hex_of(block->id));
      continue;
    }
    if (!verifies(key->second.key.get(), signed_text(*block, file), block->signature))
      throw Error(Kind::kSignature, "bad signature by key " + core::escaped(key->second.name));
    if (good.empty()) good = key->second.name;
  }
  if (!good.empty()) return {good, HashAlgorithm::kSha512};
  if (strangers.empty()) throw Error(Kind::kSignature, "no signature of a version that is known");
  std::vector<std::string> names;
  for (const auto& [id, key] : known) names.push_back(core::escaped(key.name));
  throw Error(Kind::kSignature, "signed by the key with the id " + core::join(strangers, ", ") +
                                    ", which is not trusted (trusted: " +
                                    (names.empty() ? "none" : core::join(names, ", ")) + ")");
}

std::string apk_v3_key_id(std::string_view key_name, std::string_view pem) {
  const ErrorQueueGuard guard;
  return id_of(read_apk_key(key_name, pem).get());
}

}  // namespace imgforge::signing
