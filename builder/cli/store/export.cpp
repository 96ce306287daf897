#include <fmt/format.h>

#include <cstdlib>

#include "builder/cli/arguments/keys.hpp"
#include "builder/export/tree.hpp"
#include "builder/machine/tools.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "signing/formats/gpg.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;
using exports::ExportResult;

struct ExportArguments {
  fs::path target;
  std::string title = "Images";
  std::size_t keep_last = 0;
  std::string link = "auto";
  bool include_unsigned = false;
  bool is_unsigned = false;
  fs::path signing_key;
  PassphraseArguments passphrase;
  std::string gpg_key;
  std::vector<std::string> public_keys;
};

exports::GpgKey find_gpg_key(Context& context, const std::string& id) {
  std::optional<std::int64_t> time;  // gpg's own, unless the time is said to be another
  if (std::getenv("SOURCE_DATE_EPOCH") != nullptr)
    time = core::build_time(context.clock).time_since_epoch().count();
  machine::require_program("gpg");
  auto signer = std::make_shared<signing::GpgSigner>(id, time, context.processes, context.cancel);
  exports::GpgKey key;
  key.fingerprint = signer->fingerprint();
  key.public_key = signer->public_key();
  key.detach_sign = [signer](std::string_view text) { return signer->detach_sign(text); };
  key.clear_sign = [signer](std::string_view text) { return signer->clear_sign(text); };
  return key;
}

core::Json as_json(const ExportResult& result, const exports::ExportRequest& request) {
  core::Json lines = core::Json::array();
  for (const exports::Line& line : result.catalogue.lines) {
    core::Json versions = core::Json::array();
    for (const exports::Release& release : line.releases) versions.push_back(release.manifest.version);
    lines.push_back(
        {{"name", line.name}, {"current", line.releases.front().manifest.version}, {"versions", versions}});
  }
  return {{"schema", 1},
          {"directory", result.target.native()},
          {"files", result.files},
          {"bytes", result.bytes},
          {"shared", result.links.shared},
          {"linked", result.links.linked},
          {"copied", result.links.copied},
          {"signed", static_cast<bool>(request.signer)},
          {"gpg_fingerprint", request.gpg ? request.gpg->fingerprint : ""},
          {"lines", lines},
          {"left_out", result.left_out}};
}

std::string table(const ExportResult& result) {
  std::string text;
  for (const exports::Line& line : result.catalogue.lines) {
    std::uint64_t size = 0;
    for (const exports::Release& release : line.releases) {
      for (const artifacts::ManifestArtifact& artifact : release.manifest.artifacts) size += artifact.size;
    }
    text += fmt::format("{:<28} {:<12} {} {}   {}\n", line.name, line.releases.front().manifest.version,
                        line.releases.size(), line.releases.size() == 1 ? "release" : "releases",
                        core::Bytes{size}.human());
  }
  return text;
}

std::string how_linked(const exports::LinkCounts& links) {
  std::vector<std::string> parts;
  if (links.shared > 0) parts.push_back(fmt::format("{} share the store's blocks", links.shared));
  if (links.linked > 0) parts.push_back(fmt::format("{} are hard links into the store", links.linked));
  if (links.copied > 0) parts.push_back(fmt::format("{} copied", links.copied));
  return core::join(parts, ", ");
}

int export_releases(Context& context, const ExportArguments& arguments) {
  const signing::TrustStore trust = load_trust(arguments.public_keys);
  exports::ExportRequest request;
  request.target = arguments.target;
  request.title = arguments.title;
  request.keep_last = arguments.keep_last;
  request.link = arguments.link == "copy" ? exports::LinkMode::kCopy : exports::LinkMode::kAuto;
  request.unsigned_releases =
      arguments.include_unsigned ? exports::Unsigned::kInclude : exports::Unsigned::kLeaveOut;
  request.cancel = context.cancel;
  request.verify = [&](std::string_view data, const artifacts::Signatures& signatures) {
    const std::vector<signing::NamedSignature> signers = trust.verify_all(data, signatures);
    return exports::SignedBy{signing::signers_text(signers), signers.front().key.line()};
  };
  const artifacts::Store store = artifacts::Store::open(context.options.output_dir);
  if (!arguments.is_unsigned) {
    auto key = load_signing_key(context, arguments.signing_key, arguments.passphrase, arguments.target);
    request.signer = {std::move(key), core::UnixTime{}};  // the tree has its own time
  }
  if (!arguments.gpg_key.empty()) request.gpg = find_gpg_key(context, arguments.gpg_key);
  const ExportResult result = exports::export_tree(store, request, context.progress);
  context.progress.note(fmt::format("{} files, {} · {} · next: imgforge serve {}", result.files,
                                    core::Bytes{result.bytes}.human(), how_linked(result.links),
                                    arguments.target.native()));
  if (arguments.keep_last == 1) {
    context.progress.note(
        "who still holds an older index may ask for the release before the newest, which is not there: "
        "--keep-last 2 keeps it");
  }
  print(context.options.json ? core::print_json(as_json(result, request)) : table(result));
  return 0;
}

}  // namespace

Runner declare_export(OptionSet& set) {
  auto arguments = std::make_shared<ExportArguments>();
  set.positional("dir", arguments->target, "folder to write, or to replace if it is an export").required();
  set.option("--title", arguments->title, "heading of the catalogue page").show_default();
  set.option("--keep-last", arguments->keep_last, "newest releases of each image to export [all]");
  set.option("--link", arguments->link,
             "auto: reflink, else hard link, else copy; copy: share no file with the store")
      .one_of({"auto", "copy"})
      .show_default();
  set.option("--signing-key", arguments->signing_key,
             "secret key to sign the sums with [the only one of imgforge key show]");
  declare_passphrase(set, arguments->passphrase);
  set.flag("--unsigned", arguments->is_unsigned, "do not sign the sums");
  set.option("--gpg-key", arguments->gpg_key,
             "sign with this GPG key too: index.asc, SHA256SUMS.asc, streams/v1/*.sjson");
  declare_public_keys(set, arguments->public_keys);
  set.flag("--include-unsigned", arguments->include_unsigned,
           "export releases without a signature as well; their digests are still checked");
  set.set_footer(
      "Example:\n  imgforge export /srv/www/images --gpg-key release@example.org --keep-last 3\n"
      "  virt-builder --source file:///srv/www/images/index.asc --fingerprint FINGERPRINT --list\n");
  return [arguments](Context& context) { return export_releases(context, *arguments); };
}

}  // namespace imgforge::cli
