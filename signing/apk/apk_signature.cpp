#include "signing/apk/apk_signature.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"
#include "signing/apk/apk_key.hpp"
#include "signing/primitives/openssl.hpp"

namespace imgforge::signing {

using core::Error;
using core::HashAlgorithm;
using core::Kind;

namespace {

constexpr std::uint64_t kMaxPem = 64 << 10;

struct Prefix {
  std::string_view text;
  HashAlgorithm algorithm;
};
constexpr std::array kPrefixes = {
    Prefix{".SIGN.RSA.", HashAlgorithm::kSha1},
    Prefix{".SIGN.RSA256.", HashAlgorithm::kSha256},
    Prefix{".SIGN.RSA512.", HashAlgorithm::kSha512},
};

const EVP_MD* evp_of(HashAlgorithm algorithm) {
  if (algorithm == HashAlgorithm::kSha1) return EVP_sha1();
  return algorithm == HashAlgorithm::kSha256 ? EVP_sha256() : EVP_sha512();
}

bool rsa_verifies(EVP_PKEY* key, HashAlgorithm algorithm, std::span<const std::byte> data,
                  std::string_view signature) {
  const MdContextHandle context(EVP_MD_CTX_new());
  if (!context || EVP_DigestVerifyInit(context.get(), nullptr, evp_of(algorithm), nullptr, key) != 1) {
    throw_openssl_failure("cannot check an RSA signature");
  }
  return EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                          signature.size(), reinterpret_cast<const unsigned char*>(data.data()),
                          data.size()) == 1;
}

Error unknown_key(std::string_view name, const ApkKeys& keys) {
  std::vector<std::string> known;
  for (const auto& [key_name, pem] : keys) known.push_back(core::escaped(key_name));
  return Error(Kind::kSignature, "signed by key " + core::escaped(name) +
                                     ", which is not trusted (trusted: " +
                                     (known.empty() ? "none" : core::join(known, ", ")) + ")");
}

}  // namespace

ApkSignature parse_apk_signature_name(std::string_view entry_name) {
  for (const Prefix& prefix : kPrefixes) {
    if (!entry_name.starts_with(prefix.text)) continue;
    const std::string_view key = entry_name.substr(prefix.text.size());
    if (!is_apk_key_name(key)) {
      throw Error(Kind::kSignature, "bad key name in signature entry \"" + core::escaped(entry_name) + "\"");
    }
    return {std::string(key), prefix.algorithm};
  }
  throw Error(Kind::kSignature, "\"" + core::escaped(entry_name) + "\" is no RSA signature entry");
}

ApkSignature verify_apk_signature(const ApkSignatureEntry& entry, std::span<const std::byte> signed_bytes,
                                  const ApkKeys& keys, HashAlgorithm weakest) {
  const ApkSignature signature = parse_apk_signature_name(entry.name);
  const auto key = keys.find(signature.key_name);
  if (key == keys.end()) throw unknown_key(signature.key_name, keys);
  if (core::hash_size(signature.algorithm) < core::hash_size(weakest)) {
    throw Error(Kind::kSignature, std::string(apk_algorithm_name(signature.algorithm)) + " signature where " +
                                      std::string(apk_algorithm_name(weakest)) + " is asked for");
  }
  const ErrorQueueGuard guard;
  const PkeyHandle pkey = read_apk_key(key->first, key->second);
  if (EVP_PKEY_get_base_id(pkey.get()) != EVP_PKEY_RSA)
    throw unusable_apk_key(key->first, "not an RSA key, which files of apk 2 are signed with");
  if (!rsa_verifies(pkey.get(), signature.algorithm, signed_bytes, entry.bytes)) {
    throw Error(Kind::kSignature, "bad " + std::string(apk_algorithm_name(signature.algorithm)) +
                                      " signature by key " + core::escaped(signature.key_name));
  }
  return signature;
}

ApkSignature verify_apk_signatures(std::span<const ApkSignatureEntry> entries,
                                   std::span<const std::byte> signed_bytes, const ApkKeys& keys,
                                   HashAlgorithm weakest) {
  if (entries.empty()) throw Error(Kind::kSignature, "it is not signed");
  std::optional<ApkSignature> best;
  std::optional<Error> passed_over;
  for (const ApkSignatureEntry& entry : entries) {
    const ApkSignature claimed = parse_apk_signature_name(entry.name);
    const bool known = keys.contains(claimed.key_name);
    const bool strong = core::hash_size(claimed.algorithm) >= core::hash_size(weakest);
    try {
      const ApkSignature good = verify_apk_signature(entry, signed_bytes, keys, weakest);
      if (!best || core::hash_size(best->algorithm) < core::hash_size(good.algorithm)) best = good;
    } catch (const Error& error) {
      if (known && strong) throw;
      // The reason of the entry nearest to acceptance is the one worth telling.
      if (!passed_over || known) passed_over = error;
    }
  }
  if (!best) throw *passed_over;
  return *best;
}

void check_apk_key(std::string_view key_name, std::string_view pem) {
  const ErrorQueueGuard guard;
  if (!is_apk_key_name(key_name)) {
    throw Error(Kind::kSignature, "bad key name \"" + core::escaped(key_name) + "\"");
  }
  (void)read_apk_key(key_name, pem);
}

bool is_rsa_apk_key(std::string_view key_name, std::string_view pem) {
  const ErrorQueueGuard guard;
  return EVP_PKEY_get_base_id(read_apk_key(key_name, pem).get()) == EVP_PKEY_RSA;
}

ApkKeys load_apk_keys(const std::filesystem::path& folder) {
  ApkKeys keys;
  std::error_code error;
  std::filesystem::directory_iterator it(folder, error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!name.ends_with(".pub")) continue;
    std::string pem = core::read_text_file(it->path(), kMaxPem);
    check_apk_key(name, pem);
    keys.emplace(name, std::move(pem));
  }
  if (error) throw core::system_error(error.value(), "cannot read key folder", folder.native());
  return keys;
}

std::string apk_key_short_id(std::string_view key_name) {
  for (const std::string_view suffix : {".pub", ".rsa"}) {
    if (key_name.ends_with(suffix)) key_name.remove_suffix(suffix.size());
  }
  const std::size_t dash = key_name.rfind('-');
  const std::string_view tail = dash == std::string_view::npos ? key_name : key_name.substr(dash + 1);
  const bool hex = tail.size() == 8 && tail.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  return std::string(hex ? tail : key_name);
}

std::string_view apk_algorithm_name(HashAlgorithm algorithm) {
  if (algorithm == HashAlgorithm::kSha1) return "RSA-SHA1";
  return algorithm == HashAlgorithm::kSha256 ? "RSA-SHA256" : "RSA-SHA512";
}

}  // namespace imgforge::signing
