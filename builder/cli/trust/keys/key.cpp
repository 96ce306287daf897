#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/trust/keys/key_commands.hpp"
#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "signing/efi/secure_boot_keys.hpp"
#include "signing/formats/sshsig.hpp"
#include "signing/keys/key_files.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;

struct KeyArguments {
  std::string name;
  std::string format = "minisign";
  std::string key;
  bool no_passphrase = false;
  bool secure_boot = false;
  bool sigstore = false;
  PassphraseArguments passphrase;
};

/// The P-256 key beside a signing key, whose public half is trusted from now on.
struct SigstoreFiles {
  fs::path secret;
  fs::path public_half;
};

SigstoreFiles make_sigstore_key(const std::string& name) {
  const SigstoreFiles files{keys_folder() / (name + std::string(kSigstoreSuffix)),
                            keys_folder() / (name + std::string(kSigstorePublicSuffix))};
  const signing::P256Key key = signing::P256Key::generate();
  key.save(files.secret, files.public_half);
  core::write_file_atomically(trusted_folder() / files.public_half.filename(), key.public_key().pem());
  return files;
}

std::string as_text(const SigstoreFiles& files) {
  return fmt::format(
      "made a Sigstore key\n"
      "  secret  {}   mode 0600, no passphrase\n"
      "  public  {}   for cosign verify-blob --key\n",
      files.secret.native(), files.public_half.native());
}

/// Only that, for a signing key that is there.
int add_sigstore_key(Context& context, const KeyArguments& arguments) {
  const SigstoreFiles files = make_sigstore_key(arguments.name);
  print(context.options.json ? core::print_json({{"schema", 1},
                                                 {"name", arguments.name},
                                                 {"sigstore_secret_file", files.secret.native()},
                                                 {"sigstore_public_file", files.public_half.native()}})
                             : as_text(files));
  return 0;
}

int generate(Context& context, const KeyArguments& arguments) {
  const fs::path secret = keys_folder() / (arguments.name + ".key");
  const fs::path public_half = keys_folder() / (arguments.name + ".pub");
  const auto passphrase = arguments.no_passphrase ? signing::no_passphrase()
                                                  : passphrase_source(arguments.passphrase, context.cancel);
  const signing::SecretKey key = signing::SecretKey::generate();
  signing::create_key_pair(secret, public_half, key, *passphrase);
  const fs::path trusted = signing::trust_key(trusted_folder(), arguments.name, key.public_key());
  std::optional<SigstoreFiles> sigstore;
  if (arguments.sigstore) sigstore = make_sigstore_key(arguments.name);
  if (context.options.json) {
    core::Json made{{"schema", 1},
                    {"name", arguments.name},
                    {"public_key", key.public_key().line()},
                    {"secret_file", secret.native()},
                    {"public_file", public_half.native()}};
    if (sigstore) {
      made["sigstore_secret_file"] = sigstore->secret.native();
      made["sigstore_public_file"] = sigstore->public_half.native();
    }
    print(core::print_json(made));
    return 0;
  }
  print(
      fmt::format("made key {} ({})\n"
                  "  secret  {}   mode 0600{}; keep a copy somewhere safe\n"
                  "  public  {}   give this to those who verify your releases\n"
                  "  trusted {}   so that imgforge verify accepts it here\n",
                  arguments.name, key.public_key().abbreviated(), secret.native(),
                  arguments.no_passphrase ? ", no passphrase" : "", public_half.native(), trusted.native()));
  if (sigstore) print(as_text(*sigstore));
  return 0;
}

int generate_secure_boot(Context& context, const KeyArguments& arguments) {
  if (!arguments.passphrase.file.empty() || arguments.passphrase.fd >= 0) {
    throw core::Error(core::Kind::kUsage, "Secure Boot keys are stored without a passphrase")
        .hint("leave the passphrase out, and keep the folder private");
  }
  const fs::path folder = keys_folder() / (arguments.name + std::string(signing::kSecureBootSuffix));
  signing::create_secure_boot_keys(folder, arguments.name, context.clock.now());
  if (context.options.json) {
    print(core::print_json({{"schema", 1}, {"name", arguments.name}, {"folder", folder.native()}}));
    return 0;
  }
  print(
      fmt::format("made Secure Boot keys {} in {}\n"
                  "  db.key   signs boot loaders and kernels; mode 0600, no passphrase\n"
                  "  KEK.key  signs changes of db; PK.key signs changes of KEK: keep both offline\n"
                  "  *.auth   enrol the keys in firmware that is in setup mode; *.cer do it by hand\n",
                  arguments.name, folder.native()));
  return 0;
}

/// A secret key of minisign's that is elsewhere: its bytes are kept as they are, under their passphrase.
int import_key(Context& context, const KeyArguments& arguments) {
  const fs::path source = arguments.key;
  const auto passphrase = passphrase_source(arguments.passphrase, context.cancel);
  const signing::SecretKey key = signing::load_secret_key(source, *passphrase);
  const std::string name = arguments.name.empty() ? source.stem().string() : arguments.name;
  const fs::path secret = keys_folder() / (name + ".key");
  const fs::path public_half = keys_folder() / (name + ".pub");
  signing::copy_key_pair(source, secret, public_half, key);
  signing::trust_key(trusted_folder(), name, key.public_key());
  print(context.options.json ? core::print_json({{"schema", 1},
                                                 {"name", name},
                                                 {"public_key", key.public_key().line()},
                                                 {"secret_file", secret.native()},
                                                 {"public_file", public_half.native()}})
                             : fmt::format("imported key {} ({})\n"
                                           "  secret  {}   mode 0600, as it was; {} is still there\n"
                                           "  public  {}   give this to those who verify your releases\n",
                                           name, key.public_key().abbreviated(), secret.native(),
                                           source.native(), public_half.native()));
  return 0;
}

/// A public key for those who have other tools.
int export_key(Context&, const KeyArguments& arguments) {
  const signing::TrustStore trust = load_trust({});
  const auto key = std::find_if(trust.keys().begin(), trust.keys().end(),
                                [&](const signing::TrustedKey& row) { return row.name == arguments.name; });
  if (key == trust.keys().end())
    throw core::Error(core::Kind::kUsage, "there is no trusted key " + core::escaped(arguments.name, 120))
        .hint("imgforge key show lists them");
  if (arguments.format == "ssh") {
    print(signing::allowed_signers_line(key->name, key->key));
  } else if (arguments.format == "sigstore") {
    print(signing::P256PublicKey::load(trusted_folder() / (key->name + std::string(kSigstorePublicSuffix)))
              .pem());
  } else {
    print(key->key.file_text());
  }
  return 0;
}

}  // namespace

Runner declare_key(OptionSet& set) {
  auto arguments = std::make_shared<KeyArguments>();
  set.set_commands(OptionSet::Commands::kRequired);
  OptionSet& generating = set.command("generate", "make a signing key and trust it");
  generating.positional("name", arguments->name, "name of the key, such as release@example").required();
  generating.flag("--no-passphrase", arguments->no_passphrase, "store the key unencrypted (for CI)");
  generating.flag("--secure-boot", arguments->secure_boot,
                  "make the keys of UEFI Secure Boot (PK, KEK, db) instead, without passphrase");
  generating.flag(
      "--sigstore", arguments->sigstore,
      "make a P-256 key too, also for a signing key that is there: releases get Sigstore bundles");
  declare_passphrase(generating, arguments->passphrase);
  generating.set_runner([arguments](Context& context) {
    if (arguments->secure_boot) return generate_secure_boot(context, *arguments);
    const bool is_there = fs::exists(keys_folder() / (arguments->name + ".key"));
    if (arguments->sigstore && is_there) return add_sigstore_key(context, *arguments);
    return generate(context, *arguments);
  });
  declare_key_attach(set.command("attach", "sign with a key that ssh-agent, a token or a program holds"));
  OptionSet& importing = set.command("import", "sign with a key that minisign made");
  importing.positional("file", arguments->key, "its secret half, of mode 0600").required();
  importing.option("--name", arguments->name, "name of the key [the file's name]");
  declare_passphrase(importing, arguments->passphrase);
  importing.set_runner([arguments](Context& context) { return import_key(context, *arguments); });
  OptionSet& exporting = set.command("export", "print a public key for other tools");
  exporting.positional("name", arguments->name, "name of a key that you trust").required();
  exporting
      .option("--format", arguments->format,
              "minisign, ssh (a line for ssh-keygen -Y verify -f) or sigstore (PEM for cosign)")
      .one_of({"minisign", "ssh", "sigstore"});
  exporting.set_runner([arguments](Context& context) { return export_key(context, *arguments); });
  declare_key_list(set);
  declare_key_trust(set);
  return {};
}

}  // namespace imgforge::cli
