#include "signing/trust/trust.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

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

bool plain_name(std::string_view name) {
  const auto bad = [](char c) { return c == '/' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return !name.empty() && name.size() <= 100 && name.front() != '.' && name.front() != '-' &&
         core::is_utf8(name) && std::none_of(name.begin(), name.end(), bad);
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
  for (KeyRule& rule : load_key_rules(folder)) rules_.push_back(std::move(rule));
}

void TrustStore::add(std::string_view line_or_path) {
  if (line_or_path.size() == kLineLength && line_or_path.starts_with("RW")) {
    const PublicKey key = PublicKey::parse(line_or_path);
    add(key.id(), key);
    return;
  }
  const std::filesystem::path path(line_or_path);
  add(path.stem().string(), load_public_key(path));
}

void TrustStore::add(std::string name, const PublicKey& key) {
  const bool known =
      std::any_of(keys_.begin(), keys_.end(), [&](const TrustedKey& k) { return k.key == key; });
  if (!known) keys_.push_back({std::move(name), key});
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

void TrustStore::require_valid(const PublicKey& key) const {
  for (const KeyRule& rule : rules_) {
    if (rule.key.same_key(key)) rule.require(now_, describe(key));
  }
}

NamedSignature TrustStore::verify(const core::Digest& blake2b512, std::string_view minisig) const {
  VerifiedSignature result = signing::verify(public_keys(), blake2b512, minisig);
  require_valid(result.key);
  return {describe(result.key), result.key, std::move(result.trusted_comment)};
}

NamedSignature TrustStore::verify(std::string_view message, std::string_view minisig) const {
  return verify(core::digest_of(core::HashAlgorithm::kBlake2b512, message), minisig);
}

std::filesystem::path trust_key(const std::filesystem::path& folder, std::string_view name,
                                const PublicKey& key) {
  if (!plain_name(name)) {
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
