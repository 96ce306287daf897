#include "signing/trust/trust.hpp"

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

#include "core/counting.hpp"
#include "core/error.hpp"
#include "core/new_file.hpp"
#include "core/text.hpp"
#include "signing/keys/key_files.hpp"
#include "signing/keys/private_file.hpp"

namespace imgforge::signing {

using core::Error;
using core::Kind;

namespace {

constexpr std::size_t kLineLength = 56;

std::vector<std::filesystem::path> public_key_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  std::filesystem::directory_iterator it(folder, error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.ends_with(".pub") && !name.starts_with('.')) files.push_back(it->path());
  }
  if (error) throw core::system_error(error.value(), "cannot read folder", folder.native());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

void TrustStore::add_folder(const std::filesystem::path& folder) {
  std::error_code error;
  const auto type = std::filesystem::status(folder, error).type();
  if (type == std::filesystem::file_type::not_found) return;
  refuse_world_writable(folder);
  for (const auto& file : public_key_files(folder)) {
    refuse_world_writable(file);
    add(file.stem().string(), load_public_key(file));
  }
  rules_.push_back(load_key_rules(folder));
}

void TrustStore::add(std::string_view line_or_path) {
  if (line_or_path.size() == kLineLength && line_or_path.starts_with("RW")) {
    const PublicKey key = PublicKey::parse(line_or_path);
    add(key.id(), key);
    return;
  }
  const std::filesystem::path path(line_or_path);
  if (std::filesystem::is_directory(path)) return add_folder(path);
  add(path.stem().string(), load_public_key(path));
}

void TrustStore::add(std::string name, const PublicKey& key) {
  const bool known =
      std::any_of(keys_.begin(), keys_.end(), [&](const TrustedKey& k) { return k.key == key; });
  if (!known) keys_.push_back({std::move(name), key});
}

void TrustStore::add(std::string name, const KeyRule& rule) {
  add(std::move(name), rule.key);
  KeyRules rules;
  rules.keys.push_back(rule);
  rules_.push_back(std::move(rules));
}

std::vector<PublicKey> TrustStore::public_keys() const {
  std::vector<PublicKey> keys;
  for (const TrustedKey& trusted : keys_) keys.push_back(trusted.key);
  return keys;
}

const TrustedKey* TrustStore::find(const PublicKey& key) const {
  for (const TrustedKey& trusted : keys_) {
    if (trusted.key.same_key(key)) return &trusted;
  }
  return nullptr;
}

std::string TrustStore::describe(const PublicKey& key) const {
  const TrustedKey* trusted = find(key);
  return (trusted ? core::escaped(trusted->name) : std::string("unknown key")) + " (" + key.abbreviated() +
         ")";
}

void TrustStore::require_valid(const PublicKey& key, Role role) const {
  for (const KeyRule& rule : rules_of(key)) {
    rule.require(now_, describe(key));
    if (rule.serves(role)) continue;
    throw Error(Kind::kSignature,
                "the key " + describe(key) + " is not trusted for the role " + std::string(role_name(role)))
        .reason(core::Reason::kUnknownKey)
        .hint("imgforge key list shows for what each key is trusted");
  }
}

void TrustStore::require_not_revoked(const PublicKey& key) const {
  for (const KeyRule& rule : rules_of(key)) {
    if (rule.revoked) rule.require(now_, describe(key));
  }
}

std::vector<KeyRule> TrustStore::rules_of(const PublicKey& key) const {
  std::vector<KeyRule> found;
  for (const KeyRules& folder : rules_) {
    for (const KeyRule& rule : folder.keys) {
      if (rule.key.same_key(key)) found.push_back(rule);
    }
  }
  return found;
}

bool TrustStore::is_named_for(const PublicKey& key, Role role) const {
  const std::vector<KeyRule> rules = rules_of(key);
  return std::any_of(rules.begin(), rules.end(),
                     [&](const KeyRule& rule) { return !rule.roles.empty() && rule.serves(role); });
}

unsigned TrustStore::threshold(Role role) const {
  unsigned most = 1;
  for (const KeyRules& folder : rules_) {
    const auto found = folder.thresholds.find(role);
    if (found != folder.thresholds.end()) most = std::max(most, found->second);
  }
  return most;
}

void TrustStore::require_enough(std::size_t keys, Role role) const {
  if (keys >= threshold(role)) return;
  throw Error(Kind::kSignature, std::to_string(keys) + " of the " + std::to_string(threshold(role)) +
                                    " keys that have to sign for the role " + std::string(role_name(role)))
      .reason(core::Reason::kBelowThreshold)
      .hint("imgforge key list shows whose signatures count; imgforge sign adds one");
}

NamedSignature TrustStore::verify(const core::Digest& blake2b512, std::string_view minisig) const {
  VerifiedSignature result = signing::verify(public_keys(), blake2b512, minisig);
  require_valid(result.key);
  return {describe(result.key), result.key, std::move(result.trusted_comment)};
}

NamedSignature TrustStore::verify(std::string_view message, std::string_view minisig) const {
  return verify(core::digest_of(core::HashAlgorithm::kBlake2b512, message), minisig);
}

std::vector<NamedSignature> TrustStore::verify_all(std::string_view message,
                                                   const std::vector<std::string>& minisigs,
                                                   Role role) const {
  const core::Digest digest = core::digest_of(core::HashAlgorithm::kBlake2b512, message);
  const std::vector<PublicKey> trusted = public_keys();
  std::vector<NamedSignature> signers;
  std::optional<Error> first;   // why one does not count
  std::optional<Error> broken;  // and one that would, had nobody changed it
  for (const std::string& minisig : minisigs) {
    try {
      VerifiedSignature result = signing::verify(trusted, digest, minisig);
      require_valid(result.key, role);
      const bool known = std::any_of(signers.begin(), signers.end(), [&](const NamedSignature& signer) {
        return signer.key.same_key(result.key);
      });
      if (!known) signers.push_back({describe(result.key), result.key, std::move(result.trusted_comment)});
    } catch (const Error& error) {
      const bool counts_for_nothing = core::does_not_count(error.reason());
      if (!counts_for_nothing && &minisig == &minisigs.front()) throw;
      std::optional<Error>& kept = counts_for_nothing ? first : broken;
      if (!kept) kept = error;
    }
  }
  if (signers.size() < threshold(role) && broken) throw Error(*broken);
  if (signers.empty() && first) throw Error(*first);
  if (signers.empty()) throw Error(Kind::kSignature, "there is no signature").reason(core::Reason::kUnsigned);
  core::while_doing("counting " + signers_text(signers), [&] { require_enough(signers.size(), role); });
  return signers;
}

TrustStore TrustStore::without_thresholds() const {
  TrustStore copy = *this;
  for (KeyRules& folder : copy.rules_) folder.thresholds.clear();
  return copy;
}

TrustStore TrustStore::without_rules() const {
  TrustStore copy = *this;
  copy.rules_.clear();
  return copy;
}

std::string signers_text(const std::vector<NamedSignature>& signatures) {
  std::vector<std::string> names;
  for (const NamedSignature& signature : signatures) names.push_back(signature.signer);
  return core::join(names, ", ");
}

bool is_key_name(std::string_view name) {
  const auto bad = [](char c) { return c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return !name.empty() && name.size() <= 100 && name.front() != '.' && name.front() != '-' &&
         core::is_utf8(name) && std::none_of(name.begin(), name.end(), bad);
}

std::filesystem::path trust_key(const std::filesystem::path& folder, std::string_view name,
                                const PublicKey& key) {
  if (!is_key_name(name)) {
    throw Error(Kind::kUsage, "\"" + core::escaped(name) + "\" cannot be the name of a trusted key")
        .hint("a name is a plain file name without slash that begins with a letter or digit");
  }
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw core::system_error(error.value(), "cannot create folder", folder.native());
  const auto path = folder / (std::string(name) + ".pub");
  if (std::filesystem::is_regular_file(path, error) && load_public_key(path) == key) return path;
  const std::string text = key.file_text();
  core::NewFile file = new_file(path, 0644);
  write_durably(file, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  file.keep();
  return path;
}

}  // namespace imgforge::signing
