#include "signing/efi/secure_boot_keys.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/new_file.hpp"
#include "core/random.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"
#include "signing/efi/efi_variables.hpp"
#include "signing/keys/private_file.hpp"

namespace imgforge::signing {
namespace {

using core::Error;
using core::Kind;

constexpr std::size_t kLongestName = 40;  // a common name has at most 64 characters

bool plain_name(std::string_view name) {
  const auto bad = [](char c) { return c == '/' || c <= 0x20 || c >= 0x7f; };
  return !name.empty() && name.size() <= kLongestName && name.front() != '.' && name.front() != '-' &&
         std::none_of(name.begin(), name.end(), bad);
}

Error taken(const std::filesystem::path& folder) {
  return Error(Kind::kUsage, core::escaped(folder.native()) + " exists already and is not overwritten")
      .hint("choose another name, or move that folder away");
}

void write_new(const std::filesystem::path& path, std::span<const std::uint8_t> content, unsigned mode) {
  core::NewFile file = new_file(path, mode);
  write_durably(file, content);
  file.keep();
}

void write_key(const std::filesystem::path& folder, EfiVariable variable, const EfiSigner& key,
               const Bytes& signed_content) {
  const std::filesystem::path stem = folder / variable_name(variable);
  const auto with = [&](const char* extension) { return std::filesystem::path(stem.native() + extension); };
  const std::string pem = key.certificate_pem();
  write_new(with(".key"), key.key_pem().bytes(), 0600);
  write_new(with(".crt"), {reinterpret_cast<const std::uint8_t*>(pem.data()), pem.size()}, 0644);
  write_new(with(".cer"), key.certificate_der(), 0644);
  write_new(with(".auth"), signed_content, 0644);
}

void write_all_keys(const std::filesystem::path& folder, std::string_view name, core::UnixTime made) {
  const auto generate = [&](EfiVariable variable) {
    return EfiSigner::generate(std::string(name) + " Secure Boot " + std::string(variable_name(variable)),
                               made);
  };
  const EfiSigner platform = generate(EfiVariable::kPlatformKey);
  const EfiSigner exchange = generate(EfiVariable::kKeyExchangeKey);
  const EfiSigner database = generate(EfiVariable::kSignatureDatabase);
  const std::string owner = core::derived_uuid(core::random_hex(16));
  const EfiGuid guid = parse_guid(owner);
  const auto write = [&](EfiVariable variable, const EfiSigner& key, const EfiSigner& signer) {
    write_key(folder, variable, key,
              signed_variable(variable, made, signature_list(guid, key.certificate_der()), signer));
  };
  write(EfiVariable::kPlatformKey, platform, platform);
  write(EfiVariable::kKeyExchangeKey, exchange, platform);
  write(EfiVariable::kSignatureDatabase, database, exchange);
  const std::string line = owner + "\n";
  write_new(folder / "owner.guid", {reinterpret_cast<const std::uint8_t*>(line.data()), line.size()}, 0644);
}

}  // namespace

void create_secure_boot_keys(const std::filesystem::path& folder, std::string_view name,
                             core::UnixTime made) {
  if (!plain_name(name)) {
    throw Error(Kind::kUsage, "\"" + core::escaped(name) + "\" cannot be the name of Secure Boot keys")
        .hint("a name has at most 40 printable ASCII characters, no slash or blank, no dot or dash in front");
  }
  const std::filesystem::path target = std::filesystem::absolute(folder);
  std::error_code error;
  if (std::filesystem::exists(std::filesystem::symlink_status(target, error))) throw taken(target);
  core::TempDir::reclaim(target.parent_path());
  const core::TempDir work(target.parent_path(), ".new-secure-boot");
  const std::filesystem::path made_folder = work / "keys";
  if (::mkdir(made_folder.c_str(), 0700) != 0) {
    throw core::system_error(errno, "cannot make", made_folder.native());
  }
  write_all_keys(made_folder, name, made);
  core::sync_directory(made_folder);
  if (::renameat2(AT_FDCWD, made_folder.c_str(), AT_FDCWD, target.c_str(), RENAME_NOREPLACE) != 0) {
    if (errno == EEXIST) throw taken(target);
    throw core::system_error(errno, "cannot make", target.native());
  }
  core::sync_directory(target.parent_path());
}

EfiSigner load_program_signer(const std::filesystem::path& folder) {
  return EfiSigner::load(folder / "db.key", folder / "db.crt");
}

}  // namespace imgforge::signing
