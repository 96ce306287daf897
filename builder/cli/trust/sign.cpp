// Signatures that a release gets after it was published: by further keys, in other formats, and by keys on
// machines that see neither the store nor a network.
#include <fmt/format.h>

#include <algorithm>

#include "artifacts/check/signatures.hpp"
#include "artifacts/check/verify.hpp"
#include "artifacts/manifest/companions.hpp"
#include "artifacts/store/add_companion.hpp"
#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "signing/formats/gpg.hpp"
#include "signing/formats/sigstore.hpp"
#include "signing/formats/sshsig.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;
using artifacts::ReleaseLocation;
using core::Error;
using core::Json;
using core::Kind;

struct Arguments {
  std::string release;
  fs::path signing_key;
  PassphraseArguments passphrase;
  std::vector<std::string> public_keys;
  bool ssh = false;
  bool sigstore = false;
  bool anew = false;
  std::string gpg_key;
  fs::path request;
  fs::path response;
  fs::path answer;
  fs::path output;
};

/// The release whose manifest is signed already, and what it says.
struct Subject {
  ReleaseLocation location;
  artifacts::Manifest manifest;
  std::string text;  ///< of manifest.json
};

/// One signature is enough here: others are missing yet, or this would not be called. With --anew the key may
/// have been revoked, or its time be over, as long as it is known.
artifacts::SignatureCheck signed_before(const Arguments& arguments) {
  const signing::TrustStore trust = load_trust(arguments.public_keys);
  return counting(std::make_shared<const signing::TrustStore>(arguments.anew ? trust.without_rules()
                                                                             : trust.without_thresholds()));
}

Subject find_subject(Context& context, const Arguments& arguments, const artifacts::Store& store) {
  if (arguments.release.empty()) throw Error(Kind::kUsage, "name the release to sign");
  const ReleaseLocation location = artifacts::find_release(store, arguments.release);
  Subject subject{
      location, artifacts::trusted_manifest(location.directory, signed_before(arguments)),
      core::read_text_file(location.directory / artifacts::kManifestFile, artifacts::kMaxManifestBytes)};
  if (subject.manifest.is_unsigned)
    throw Error(Kind::kUsage, location.reference() + " was published unsigned, and its manifest says so")
        .hint("build it again with a key");
  context.cancel.check();
  return subject;
}

/// What travels to a machine with a key: small, and all that whoever signs must see.
std::string print_request(const Subject& subject) {
  const core::Digest sha256 = core::digest_of(core::HashAlgorithm::kSha256, subject.text);
  return core::print_json({{"imgforge_sign_request", 1},
                           {"name", subject.manifest.line()},
                           {"version", subject.manifest.version},
                           {"sha256", sha256.hex()},
                           {"manifest", subject.text}});
}

/// The manifest in a request, which must be what the request says it is.
artifacts::Manifest read_request(const fs::path& file, std::string& text) {
  const auto refused = [&](const std::string& why) {
    return std::move(Error(Kind::kIntegrity, file.native() + " is no request to sign: " + why)
                         .reason(core::Reason::kMalformed));
  };
  try {
    const Json json =
        core::parse_json(core::read_text_file(file, 2 * artifacts::kMaxManifestBytes), file.native(),
                         {.bytes = 2 * artifacts::kMaxManifestBytes, .depth = 4});
    if (json.at("imgforge_sign_request") != 1 || json.size() != 5) throw refused("another form");
    text = json.at("manifest").get<std::string>();
    artifacts::Manifest manifest = artifacts::parse_manifest(text);
    if (json.at("name") != manifest.line() || json.at("version") != manifest.version ||
        json.at("sha256") != core::digest_of(core::HashAlgorithm::kSha256, text).hex())
      throw refused("it says something else than its manifest");
    return manifest;
  } catch (const Json::exception& error) {
    throw refused(core::escaped(error.what(), 160));
  }
}

/// On the machine with the key.
int answer(Context& context, const Arguments& arguments) {
  if (arguments.output.empty()) throw Error(Kind::kUsage, "--answer needs --output FILE");
  std::string text;
  const artifacts::Manifest manifest = read_request(arguments.answer, text);
  const signing::Signer signer = make_signer(context, arguments.signing_key, arguments.passphrase);
  core::write_file_atomically(arguments.output, signer.sign(artifacts::kManifestFile, text));
  if (context.options.json) {
    print(core::print_json({{"schema", 1},
                            {"name", manifest.line()},
                            {"version", manifest.version},
                            {"key", signer.key().line()},
                            {"file", arguments.output.native()}}));
    return 0;
  }
  std::string out = fmt::format("signed {} {}, made {}, with key {}\n", manifest.line(), manifest.version,
                                core::escaped(manifest.created, 40), signer.key().id());
  for (const artifacts::ManifestArtifact& artifact : manifest.artifacts)
    out += fmt::format("  {} sha256 {}\n", artifact.file, artifact.sha256.hex());
  if (!manifest.insecure.empty())
    out += "  made with " + core::escaped(core::join(manifest.insecure, ", "), 200) + "\n";
  print(out + fmt::format("next: imgforge sign {}@{} --response {}\n", manifest.line(), manifest.version,
                          arguments.output.filename().native()));
  return 0;
}

/// A minisign signature under its key's name, if it is one by a trusted key that has not signed yet.
std::string place_signature(const artifacts::Store& store, const Subject& subject,
                            const std::string& signature, const signing::TrustStore& trust,
                            Context& context) {
  const signing::NamedSignature made = trust.verify(subject.text, signature);
  const signing::Ed25519Signature fresh = signing::Signature::parse(signature).over_message;
  for (const std::string& there :
       artifacts::read_signatures(subject.location.directory / artifacts::kManifestFile)) {
    if (signing::Signature::parse(there).over_message == fresh)
      throw Error(Kind::kUsage, made.signer + " has signed " + subject.location.reference() + " already");
  }
  const std::string name = std::string(artifacts::kFurtherSignaturePrefix) + made.key.id() +
                           std::string(artifacts::kFurtherSignatureSuffix);
  artifacts::add_companion(store, subject.location, name, signature, "sign", {.cancel = context.cancel});
  return name;
}

/// What the flags ask for, made here and now.
std::vector<std::string> sign_here(Context& context, const Arguments& arguments,
                                   const artifacts::Store& store, const Subject& subject) {
  std::vector<std::string> names;
  const auto place = [&](std::string_view name, const std::string& text) {
    artifacts::add_companion(store, subject.location, std::string(name), text, "sign",
                             {.cancel = context.cancel});
    names.emplace_back(name);
  };
  if (!arguments.gpg_key.empty()) {
    signing::GpgSigner gpg(arguments.gpg_key, core::source_date_epoch(), context.processes, context.cancel);
    place(artifacts::kGpgSignatureFile, gpg.detach_sign(subject.text));
  }
  const bool other_formats = arguments.ssh || arguments.sigstore || !arguments.gpg_key.empty();
  if (other_formats && !arguments.ssh && !arguments.sigstore) return names;
  if (arguments.sigstore) {
    const fs::path file = find_signing_key(arguments.signing_key);
    const auto key = find_sigstore_key(context, file, arguments.passphrase);
    if (!key)
      throw Error(Kind::kUsage, "there is no P-256 key beside " + file.native())
          .hint(
              "imgforge key generate NAME --sigstore makes one; key attach --sigstore takes one that is "
              "elsewhere");
    place(artifacts::kSigstoreFile, signing::sigstore_sign(*key, subject.text));
    if (!arguments.ssh) return names;
  }
  const signing::Signer signer = make_signer(context, arguments.signing_key, arguments.passphrase);
  if (arguments.ssh) {
    place(artifacts::kSshSignatureFile, signing::ssh_sign(signer, subject.text));
    return names;
  }
  signing::TrustStore trust = load_trust(arguments.public_keys);
  trust.add("the signing key", signer.key());
  names.push_back(
      place_signature(store, subject, signer.sign(artifacts::kManifestFile, subject.text), trust, context));
  return names;
}

int sign(Context& context, const Arguments& arguments) {
  if (!arguments.answer.empty()) return answer(context, arguments);
  const artifacts::Store store = open_store(context);
  const Subject subject = find_subject(context, arguments, store);
  if (!arguments.request.empty()) {
    core::write_file_atomically(arguments.request, print_request(subject));
    print(
        context.options.json
            ? core::print_json({{"schema", 1}, {"request", arguments.request.native()}})
            : fmt::format("wrote {}\nnext, where the key is: imgforge sign --answer {} --output {}.minisig\n",
                          arguments.request.native(), arguments.request.filename().native(),
                          arguments.request.stem().native()));
    return 0;
  }
  std::vector<std::string> names;
  if (!arguments.response.empty()) {
    names.push_back(place_signature(store, subject, signing::read_signature_file(arguments.response),
                                    load_trust(arguments.public_keys), context));
  } else {
    names = sign_here(context, arguments, store, subject);
  }
  print(context.options.json
            ? core::print_json({{"schema", 1}, {"release", subject.location.reference()}, {"files", names}})
            : fmt::format("{}: added {}\n", subject.location.reference(), core::join(names, ", ")));
  return 0;
}

}  // namespace

Runner declare_sign(OptionSet& set) {
  auto arguments = std::make_shared<Arguments>();
  set.positional("release", arguments->release,
                 "LINE (its current release), LINE@VERSION, LINE-VERSION or a path");
  set.option("--signing-key", arguments->signing_key,
             "secret key to sign with [the only one of imgforge key show]");
  declare_passphrase(set, arguments->passphrase);
  set.flag("--ssh", arguments->ssh, "add an SSH signature by that key");
  set.flag("--sigstore", arguments->sigstore, "add a Sigstore bundle by the P-256 key beside it");
  set.option("--gpg-key", arguments->gpg_key, "add an OpenPGP signature by this key of gpg's");
  declare_public_keys(set, arguments->public_keys);
  set.flag(
      "--anew", arguments->anew,
      "also when no signature of it counts any more, as its key was revoked or its time is over: look at "
      "the release first");
  const Option request = set.option("--request", arguments->request,
                                    "write what is to be signed to a file, for a key on another machine");
  const Option response =
      set.option("--response", arguments->response, "add the signature that was made there")
          .excludes(request);
  set.option("--answer", arguments->answer, "sign a request; needs no store and no network")
      .excludes(request)
      .excludes(response);
  set.option("--output", arguments->output, "file for the answer");
  set.set_footer(
      "Adds a signature to a release that is signed already; nothing that is there is changed.\n"
      "Example: imgforge sign hello-boot --signing-key second.key");
  return [arguments](Context& context) { return sign(context, *arguments); };
}

}  // namespace imgforge::cli
