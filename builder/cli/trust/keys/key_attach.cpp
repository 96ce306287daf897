// Keys that are elsewhere: in ssh-agent, on a token, behind a program.
#include <fmt/format.h>

#include <algorithm>

#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/trust/keys/key_commands.hpp"
#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "signing/keys/key_files.hpp"
#include "signing/keys/ssh_wire.hpp"
#include "signing/primitives/bytes.hpp"
#include "signing/signers/pkcs11_signer.hpp"
#include "signing/signers/signer_file.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;

struct AttachArguments {
  std::string name;
  std::string key;
  bool agent = false;
  std::vector<std::string> command;
  std::string pkcs11;
  bool sigstore = false;
  PassphraseArguments passphrase;
};

/// A key that has no key id: it is the beginning of the sha256 of the key then, the same everywhere.
signing::PublicKey key_of(const signing::Ed25519Public& point) {
  const std::string_view bytes(reinterpret_cast<const char*>(point.data()), point.size());
  const core::Digest digest = core::digest_of(core::HashAlgorithm::kSha256, bytes);
  signing::KeyId id{};
  std::copy_n(digest.bytes().begin(), id.size(), id.begin());
  return {id, point};
}

/// A public key out of a .pub file of minisign's or OpenSSH's.
signing::PublicKey read_any_public_key(const fs::path& file) {
  const std::string text = core::read_text_file(file, 4096);
  if (!text.starts_with(signing::kSshEd25519)) return signing::load_public_key(file);
  return key_of(signing::parse_ssh_public_key(text));
}

/// A P-256 key out of a .pub file of OpenSSH's or PEM.
signing::P256PublicKey read_any_p256_key(const fs::path& file) {
  const std::string text = core::read_text_file(file, 4096);
  if (!text.starts_with(signing::kSshP256)) return signing::P256PublicKey::parse(text);
  return signing::P256PublicKey::from_point(signing::bytes_of(signing::parse_ssh_p256_key(text)));
}

/// A P-256 key that is elsewhere, for Sigstore bundles of the signing key of that name.
int attach_sigstore(Context& context, const AttachArguments& arguments, const signing::SignerFile& signer) {
  const signing::SignerAccess access = signer_access(context, arguments.passphrase);
  const signing::P256PublicKey key =
      arguments.key.empty() ? signing::pkcs11_p256_public_key(signing::Pkcs11Uri::parse(signer.uri), access)
                            : read_any_p256_key(arguments.key);
  const fs::path file = keys_folder() / (arguments.name + std::string(signing::kP256SignerSuffix));
  const fs::path public_half = keys_folder() / (arguments.name + std::string(kSigstorePublicSuffix));
  signing::create_p256_signer(file, public_half, signer, key, access);
  core::write_file_atomically(trusted_folder() / public_half.filename(), key.pem());
  print(context.options.json
            ? core::print_json({{"schema", 1},
                                {"name", arguments.name},
                                {"signer_file", file.native()},
                                {"sigstore_public_file", public_half.native()}})
            : fmt::format("attached Sigstore key {}: it has signed and verified a test message\n"
                          "  signer  {}   holds no secret\n"
                          "  public  {}   for cosign verify-blob --key\n",
                          arguments.name, file.native(), public_half.native()));
  return 0;
}

signing::SignerFile signer_in(const AttachArguments& arguments) {
  using Kind = signing::SignerFile::Kind;
  if ((arguments.agent ? 1 : 0) + (arguments.command.empty() ? 0 : 1) + (arguments.pkcs11.empty() ? 0 : 1) !=
      1)
    throw core::Error(core::Kind::kUsage, "either --ssh-agent, --signer-command or --pkcs11 says who signs");
  if (arguments.key.empty() && arguments.pkcs11.empty())
    throw core::Error(core::Kind::kUsage, "the public half of the key is missing");
  if (!arguments.pkcs11.empty())
    return {Kind::kPkcs11, {}, signing::Pkcs11Uri::parse(arguments.pkcs11).text()};
  return {arguments.agent ? Kind::kAgent : Kind::kCommand, arguments.command, {}};
}

/// A key that is elsewhere becomes one to sign with.
int attach(Context& context, const AttachArguments& arguments) {
  const signing::SignerFile signer = signer_in(arguments);
  if (arguments.sigstore) return attach_sigstore(context, arguments, signer);
  const signing::SignerAccess access = signer_access(context, arguments.passphrase);
  const signing::PublicKey key =
      arguments.key.empty()
          ? key_of(signing::pkcs11_public_key(signing::Pkcs11Uri::parse(signer.uri), access))
          : read_any_public_key(arguments.key);
  const fs::path file = keys_folder() / (arguments.name + std::string(signing::kSignerSuffix));
  const fs::path public_half = keys_folder() / (arguments.name + ".pub");
  signing::create_signer(file, public_half, signer, key, access);
  signing::trust_key(trusted_folder(), arguments.name, key);
  print(context.options.json
            ? core::print_json({{"schema", 1},
                                {"name", arguments.name},
                                {"public_key", key.line()},
                                {"signer_file", file.native()},
                                {"public_file", public_half.native()}})
            : fmt::format("attached key {} ({}): it has signed and verified a test message\n"
                          "  signer  {}   holds no secret; --signing-key takes it\n"
                          "  public  {}   give this to those who verify your releases\n",
                          arguments.name, key.abbreviated(), file.native(), public_half.native()));
  return 0;
}

}  // namespace

void declare_key_attach(OptionSet& set) {
  auto arguments = std::make_shared<AttachArguments>();
  set.positional("name", arguments->name, "name of the key").required();
  set.positional("key", arguments->key,
                 "its public half: a .pub file of minisign's or OpenSSH's [what the token shows]");
  set.flag("--ssh-agent", arguments->agent, "the agent of SSH_AUTH_SOCK signs");
  set.option("--signer-command", arguments->command,
             "a program that reads the bytes to sign and prints 64 bytes in base64; repeatable for its "
             "arguments");
  set.option("--pkcs11", arguments->pkcs11,
             "a PKCS #11 token: the key's URI, such as pkcs11:token=imgforge;object=release");
  set.flag("--sigstore", arguments->sigstore,
           "it is the P-256 key for Sigstore bundles of the key of that name (--ssh-agent, --pkcs11)");
  declare_passphrase(set, arguments->passphrase);
  set.set_runner([arguments](Context& context) { return attach(context, *arguments); });
}

}  // namespace imgforge::cli
