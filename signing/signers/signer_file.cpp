#include "signing/signers/signer_file.hpp"

#include <cstdlib>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "signing/keys/key_files.hpp"
#include "signing/keys/private_file.hpp"
#include "signing/minisign/signer.hpp"
#include "signing/primitives/bytes.hpp"
#include "signing/signers/agent_signer.hpp"
#include "signing/signers/command_signer.hpp"
#include "signing/signers/pkcs11_signer.hpp"

namespace imgforge::signing {
namespace {

using core::Error;
using core::Json;
constexpr std::size_t kMaxFile = 16 << 10;
constexpr std::string_view kTrial = "is this the key that it should be?";

Error malformed(const std::string& why) {
  return std::move(
      Error(core::Kind::kSignature, "malformed signer: " + why).reason(core::Reason::kMalformed));
}

std::filesystem::path agent_socket() {
  const char* socket = std::getenv("SSH_AUTH_SOCK");
  return socket == nullptr ? "" : socket;
}

std::shared_ptr<const RawSigner> signer_of(const SignerFile& signer, const PublicKey& key,
                                           const SignerAccess& access) {
  switch (signer.kind) {
    case SignerFile::Kind::kCommand:
      return command_signer(signer.command, key, access.processes, access.cancel, access.patience);
    case SignerFile::Kind::kPkcs11:
      return pkcs11_signer(Pkcs11Uri::parse(signer.uri), key, access);
    case SignerFile::Kind::kAgent:
      break;
  }
  return agent_signer(agent_socket(), key, access.cancel, access.patience);
}

std::shared_ptr<const P256Signer> signer_of(const SignerFile& signer, const P256PublicKey& key,
                                            const SignerAccess& access) {
  switch (signer.kind) {
    case SignerFile::Kind::kCommand:
      throw Error(core::Kind::kUsage, "programs sign with Ed25519 keys alone")
          .hint("for Sigstore bundles: --ssh-agent or --pkcs11");
    case SignerFile::Kind::kPkcs11:
      return pkcs11_p256_signer(Pkcs11Uri::parse(signer.uri), key, access);
    case SignerFile::Kind::kAgent:
      break;
  }
  return agent_p256_signer(agent_socket(), key, access.cancel, access.patience);
}

/// Both or none.
void write_both(const std::filesystem::path& file, const std::filesystem::path& public_half,
                const SignerFile& signer, const std::string& key) {
  std::error_code error;
  std::filesystem::create_directories(file.parent_path(), error);
  if (error) throw core::system_error(error.value(), "cannot create folder", file.parent_path().native());
  core::NewFile signer_file = new_file(file, 0600);
  core::NewFile public_file = new_file(public_half, 0644);
  write_durably(signer_file, bytes_of(signer.text()));
  write_durably(public_file, bytes_of(key));
  signer_file.keep();
  public_file.keep();
}

}  // namespace

SignerFile SignerFile::parse(std::string_view text) {
  try {
    const Json json = core::parse_json(text, "signer", {.bytes = kMaxFile, .depth = 3});
    if (!json.is_object() || json.size() != 2 || json.at("imgforge_signer") != 1)
      throw malformed("imgforge_signer: 1 and one of agent, command and pkcs11 are expected");
    SignerFile file;
    if (json.contains("pkcs11")) {
      file.kind = Kind::kPkcs11;
      file.uri = json.at("pkcs11").get<std::string>();
      Pkcs11Uri::parse(file.uri);
      return file;
    }
    if (json.contains("agent")) {
      if (json.at("agent") != true) throw malformed("agent is true, or not there");
      return file;
    }
    file.kind = Kind::kCommand;
    file.command = json.at("command").get<std::vector<std::string>>();
    if (file.command.empty() || file.command.front().empty()) throw malformed("a command without a program");
    return file;
  } catch (const Json::exception& error) {
    throw malformed(core::escaped(error.what(), 160));
  } catch (const Error& error) {
    if (error.reason() != core::Reason::kNone) throw;
    throw malformed(error.message());
  }
}

std::string SignerFile::text() const {
  Json json{{"imgforge_signer", 1}};
  if (kind == Kind::kAgent) json["agent"] = true;
  if (kind == Kind::kCommand) json["command"] = command;
  if (kind == Kind::kPkcs11) json["pkcs11"] = uri;
  return core::print_json(json);
}

std::shared_ptr<const RawSigner> load_signer(const std::filesystem::path& file, const SignerAccess& access) {
  const SecretBytes text = read_private_file(file, "signer", kMaxFile);
  return core::while_doing("loading the signer " + core::escaped(file.native()), [&] {
    std::filesystem::path public_half = file;
    return signer_of(SignerFile::parse(text.view()), load_public_key(public_half.replace_extension(".pub")),
                     access);
  });
}

std::shared_ptr<const P256Signer> load_p256_signer(const std::filesystem::path& file,
                                                   const SignerAccess& access) {
  const SecretBytes text = read_private_file(file, "signer", kMaxFile);
  return core::while_doing("loading the signer " + core::escaped(file.native()), [&] {
    std::filesystem::path public_half = file;
    return signer_of(SignerFile::parse(text.view()),
                     P256PublicKey::load(public_half.replace_extension(".p256.pem")), access);
  });
}

void create_signer(const std::filesystem::path& file, const std::filesystem::path& public_half,
                   const SignerFile& signer, const PublicKey& key, const SignerAccess& access) {
  refuse_taken(file);
  refuse_taken(public_half);
  const Signer trial(signer_of(signer, key, access), core::UnixTime{});
  trial.sign("trial", kTrial);
  write_both(file, public_half, signer, key.file_text());
}

void create_p256_signer(const std::filesystem::path& file, const std::filesystem::path& public_half,
                        const SignerFile& signer, const P256PublicKey& key, const SignerAccess& access) {
  refuse_taken(file);
  refuse_taken(public_half);
  signer_of(signer, key, access)->sign(kTrial);
  write_both(file, public_half, signer, key.pem());
}

}  // namespace imgforge::signing
