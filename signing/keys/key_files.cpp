#include "signing/keys/key_files.hpp"

#include <algorithm>
#include <string>
#include <system_error>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/new_file.hpp"
#include "core/text.hpp"
#include "signing/keys/private_file.hpp"

namespace imgforge::signing {

using core::Error;
using core::Kind;

namespace {

constexpr std::size_t kMaxKeyFile = 4096;

void make_folder_of(const std::filesystem::path& path) {
  if (!path.has_parent_path()) return;
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (error) throw core::system_error(error.value(), "cannot create folder", path.parent_path().native());
}

/// Both files, or neither.
void write_pair(const std::filesystem::path& secret, const std::filesystem::path& public_half,
                const SecretBytes& text, const PublicKey& key) {
  const std::string public_text = key.file_text();
  make_folder_of(secret);
  make_folder_of(public_half);
  core::NewFile secret_file = new_file(secret, 0600);
  core::NewFile public_file = new_file(public_half, 0644);
  write_durably(secret_file, text.bytes());
  write_durably(public_file, {reinterpret_cast<const std::uint8_t*>(public_text.data()), public_text.size()});
  secret_file.keep();
  public_file.keep();
}

}  // namespace

void create_key_pair(const std::filesystem::path& secret, const std::filesystem::path& public_half,
                     const SecretKey& key, PassphraseSource& passphrase, const KdfLimits& limits) {
  // Only a courtesy before the question; new_file is what refuses for certain.
  refuse_taken(secret);
  refuse_taken(public_half);
  const std::optional<SecretBytes> words = passphrase.ask(PassphraseUse::kCreate, secret.native());
  const SecretBytes text =
      words ? key.file_text(words->view(), limits) : key.file_text(std::optional<std::string_view>());
  write_pair(secret, public_half, text, key.public_key());
}

void copy_key_pair(const std::filesystem::path& source, const std::filesystem::path& secret,
                   const std::filesystem::path& public_half, const SecretKey& key) {
  write_pair(secret, public_half, read_private_file(source, "secret key", kMaxKeyFile), key.public_key());
}

SecretKey load_secret_key(const std::filesystem::path& path, PassphraseSource& passphrase) {
  const SecretBytes text = read_private_file(path, "secret key", kMaxKeyFile);
  return core::while_doing("loading the secret key " + core::escaped(path.native()), [&] {
    if (!SecretKey::is_encrypted(text.view())) return SecretKey::parse(text.view());
    const std::optional<SecretBytes> words = passphrase.ask(PassphraseUse::kOpen, path.native());
    if (words) return SecretKey::parse(text.view(), words->view());
    throw Error(Kind::kSignature, "the secret key is encrypted and no passphrase was given")
        .hint("give it with --passphrase-file or --passphrase-fd");
  });
}

PublicKey load_public_key(const std::filesystem::path& path) {
  return core::while_doing("loading the public key " + core::escaped(path.native()), [&] {
    std::string text;
    try {
      text = core::read_text_file(path, kMaxKeyFile);
    } catch (const Error& error) {
      if (error.kind() != Kind::kUnsafe) throw;
      throw Error(Kind::kSignature, "malformed public key: the file is too large");
    }
    return PublicKey::parse(text);
  });
}

PublicKey read_public_key(const std::string& line_or_path) {
  return std::filesystem::exists(line_or_path) ? load_public_key(line_or_path)
                                               : PublicKey::parse(line_or_path);
}

void refuse_key_inside(const std::filesystem::path& key, const std::filesystem::path& folder) {
  std::error_code error;
  const auto inner = std::filesystem::weakly_canonical(std::filesystem::absolute(key), error);
  if (error) throw core::system_error(error.value(), "cannot resolve", key.native());
  const auto outer = std::filesystem::weakly_canonical(std::filesystem::absolute(folder), error);
  if (error) throw core::system_error(error.value(), "cannot resolve", folder.native());
  const auto [end, rest] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  const bool trailing_slash = end != outer.end() && end->empty();
  if (end == outer.end() || trailing_slash) {
    throw Error(Kind::kPermission, "the secret key " + core::escaped(key.native()) + " lies inside " +
                                       core::escaped(folder.native()) + ", which is published")
        .hint("keep secret keys elsewhere, for example in ~/.config/imgforge");
  }
}

}  // namespace imgforge::signing
