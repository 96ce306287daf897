#include "builder/cli/trust/keys.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"
#include "signing/keys/key_files.hpp"

namespace imgforge::cli {

namespace fs = std::filesystem;

namespace {

/// Keys and revocations of whoever runs the machine; a user's folder cannot lift them.
constexpr const char* kSystemTrustedFolder = "/etc/imgforge/trusted";

}  // namespace

void declare_passphrase(OptionSet& set, PassphraseArguments& arguments) {
  set.option("--passphrase-file", arguments.file, "read the key's passphrase from a file of mode 0600");
  set.option("--passphrase-fd", arguments.fd, "read the key's passphrase from an open descriptor");
}

std::unique_ptr<signing::PassphraseSource> passphrase_source(const PassphraseArguments& arguments,
                                                             const core::CancelToken& cancel) {
  if (arguments.fd >= 0) return signing::passphrase_from_fd(arguments.fd, cancel);
  if (!arguments.file.empty()) return signing::passphrase_from_file(arguments.file, cancel);
  return signing::passphrase_from_terminal(cancel);
}

fs::path find_signing_key(const fs::path& chosen) {
  if (!chosen.empty()) return chosen;
  std::vector<std::string> keys;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(keys_folder(), ignored)) {
    if (entry.path().extension() == ".key") keys.push_back(entry.path());
  }
  std::sort(keys.begin(), keys.end());
  if (keys.size() == 1) return keys.front();
  if (keys.empty()) {
    throw core::Error(core::Kind::kUsage, "there is no key to sign with")
        .hint("make one with imgforge key generate NAME, or build --unsigned, which the manifest records");
  }
  throw core::Error(core::Kind::kUsage, fmt::format("there are {} keys to sign with", keys.size()))
      .hint("choose with --signing-key: " + core::join(keys, ", "));
}

std::shared_ptr<const signing::SecretKey> load_signing_key(Context& context, const fs::path& chosen,
                                                           const PassphraseArguments& passphrase,
                                                           const fs::path& published) {
  const fs::path file = find_signing_key(chosen);
  signing::refuse_key_inside(file, published);
  const auto source = passphrase_source(passphrase, context.cancel);
  return std::make_shared<const signing::SecretKey>(signing::load_secret_key(file, *source));
}

signing::Signer make_signer(Context& context, const fs::path& chosen, const PassphraseArguments& passphrase) {
  return {load_signing_key(context, chosen, passphrase, context.options.output_dir),
          core::build_time(context.clock)};
}

std::shared_ptr<std::vector<std::string>> declare_public_keys(OptionSet& set) {
  auto keys = std::make_shared<std::vector<std::string>>();
  set.option("--public-key", *keys, "a .pub file or key line to trust besides yours; repeatable");
  return keys;
}

signing::TrustStore load_trust(const std::vector<std::string>& more) {
  signing::TrustStore trust;
  trust.add_folder(kSystemTrustedFolder);
  trust.add_folder(trusted_folder());
  for (const std::string& key : more) trust.add(key);
  return trust;
}

artifacts::SignatureCheck trusting(const std::vector<std::string>& more, const std::string& own) {
  const auto trust = std::make_shared<signing::TrustStore>(load_trust(more));
  if (!own.empty()) trust->add("the signing key", signing::PublicKey::parse(own));
  return [trust](std::string_view data, std::string_view minisig) {
    return trust->verify(data, minisig).signer;
  };
}

}  // namespace imgforge::cli
