#include "builder/cli/trust/trusted_release.hpp"

#include "artifacts/check/verify.hpp"
#include "builder/cli/store_arguments.hpp"
#include "builder/cli/trust/keys.hpp"
#include "core/error.hpp"

namespace imgforge::cli {

TrustedRelease find_trusted(const Context& context, const std::string& reference,
                            const std::vector<std::string>& public_keys) {
  const artifacts::Store store = open_store(context);
  const artifacts::ReleaseLocation release = artifacts::find_release(store, reference);
  const signing::TrustStore trust = load_trust(public_keys);
  artifacts::VerifyOptions options;
  options.contents = artifacts::Contents::kLeave;
  options.signature = [&](std::string_view data, std::string_view minisig) {
    return trust.verify(data, minisig).signer;
  };
  const artifacts::VerifyReport report = artifacts::verify_release(release.directory, options);
  if (!report.manifest) {
    throw core::Error(core::Kind::kSignature,
                      release.reference() + " has no manifest that a trusted key signed")
        .hint("imgforge verify " + release.directory.native() + " says why");
  }
  return {release, *report.manifest};
}

void declare_trusted(OptionSet& set, std::string& reference, std::vector<std::string>& public_keys) {
  set.positional("release", reference, "LINE (its current release), LINE@VERSION, LINE-VERSION or a path")
      .required();
  set.option("--public-key", public_keys, "a .pub file or key line to trust besides yours; repeatable");
}

}  // namespace imgforge::cli
