#include "builder/fetch/apk/apk_identity.hpp"

#include <vector>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

using core::HashAlgorithm;

constexpr std::string_view kShort = "Q1";
constexpr std::string_view kLong = "Q2";

core::Digest identity_of(std::vector<std::uint8_t> bytes) {
  for (const HashAlgorithm algorithm : {HashAlgorithm::kSha1, HashAlgorithm::kSha256}) {
    if (bytes.size() == core::hash_size(algorithm)) return {algorithm, std::move(bytes)};
  }
  throw core::Error(core::Kind::kIntegrity,
                    "unknown kind of package checksum, of " + std::to_string(bytes.size()) + " bytes");
}

}  // namespace

std::string identity_text(const core::Digest& identity) {
  const bool is_short = identity.algorithm() == HashAlgorithm::kSha1;
  return std::string(is_short ? kShort : kLong) + core::to_base64(identity.bytes());
}

core::Digest parse_identity(std::string_view text) {
  const bool is_short = text.starts_with(kShort);
  if (!is_short && !text.starts_with(kLong)) {
    throw core::Error(core::Kind::kIntegrity,
                      "unknown kind of package checksum \"" + core::escaped(text, 40) + "\"");
  }
  try {
    core::Digest identity = identity_of(core::from_base64(text.substr(kShort.size())));
    if (is_short == (identity.algorithm() == HashAlgorithm::kSha1)) return identity;
  } catch (const core::Error&) {
    // Told below in whole.
  }
  throw core::Error(core::Kind::kIntegrity, "malformed package checksum \"" + core::escaped(text, 60) + "\"");
}

core::Digest identity_of_bytes(std::string_view bytes) {
  return identity_of({bytes.begin(), bytes.end()});
}

std::string installed_identity_text(const core::Digest& identity) {
  std::vector<std::uint8_t> bytes = identity.bytes();
  bytes.resize(core::hash_size(HashAlgorithm::kSha1));
  return std::string(kShort) + core::to_base64(bytes);
}

}  // namespace imgforge::fetch
