#include "builder/cli/arguments/derive_arguments.hpp"

#include <fmt/format.h>

#include "builder/cli/arguments/build_arguments.hpp"
#include "core/json.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using artifacts::PublishOutcome;
using artifacts::PublishResult;

std::optional<artifacts::Version> wanted_version(const std::string& text) {
  if (text.empty()) return std::nullopt;
  if (const auto version = artifacts::Version::parse(text)) return version;
  throw core::Error(core::Kind::kUsage,
                    "\"" + core::escaped(text, 100) + "\" cannot be the version of a release");
}

core::Json as_json(const PublishResult& result, bool current) {
  core::Json rows = core::Json::array();
  for (const artifacts::ManifestArtifact& artifact : result.manifest.artifacts) {
    rows.push_back({{"file", (result.directory / artifact.file).native()},
                    {"format", artifact.format},
                    {"size", artifact.size},
                    {"virtual_size", artifact.virtual_size},
                    {"sha256", artifact.sha256.hex()}});
  }
  const artifacts::ManifestDerivation& derived = *result.manifest.derived_from;
  return {{"schema", 1},
          {"line", result.manifest.line()},
          {"version", result.manifest.version},
          {"published", result.outcome == PublishOutcome::kPublished},
          {"current", current},
          {"directory", result.directory.native()},
          {"derived_from", {{"release", derived.release}, {"operation", derived.operation}}},
          {"artifacts", rows}};
}

std::string as_text(const PublishResult& result) {
  std::string text = fmt::format("{:<28} {:<12}", result.manifest.line(), result.manifest.version);
  for (const artifacts::ManifestArtifact& artifact : result.manifest.artifacts)
    text += fmt::format("  {} {}", artifact.format, core::Bytes{artifact.size}.human());
  return text + (result.manifest.is_unsigned ? "   unsigned\n" : "   signed\n");
}

}  // namespace

std::shared_ptr<DeriveArguments> declare_derive(OptionSet& set) {
  auto arguments = std::make_shared<DeriveArguments>();
  set.positional("release", arguments->release, "LINE, LINE@VERSION, LINE-VERSION or a path").required();
  set.option("--as-version", arguments->version,
             "what to call the new release [next revision of the source]");
  set.flag("--promote", arguments->promote, "make the new release the current one of its line");
  set.option("--signing-key", arguments->signing_key,
             "secret key to sign with [the only one of imgforge key show]");
  declare_passphrase(set, arguments->passphrase);
  declare_builder_id(set, arguments->builder_id);
  set.flag("--unsigned", arguments->is_unsigned, "publish without a signature; the manifest records it");
  declare_public_keys(set, arguments->public_keys);
  return arguments;
}

int run_derivation(Context& context, const DeriveArguments& arguments, const Derive& body) {
  artifacts::Store store = open_store(context);
  const signing::Signer signer = arguments.is_unsigned
                                     ? signing::Signer()
                                     : make_signer(context, arguments.signing_key, arguments.passphrase);
  BuildTools tools(context, BuildArguments());
  core::TempDir::reclaim(tools.toolbox().scratch());
  const derive::DeriveRequest request{
      artifacts::find_release(store, arguments.release),
      wanted_version(arguments.version),
      arguments.promote ? artifacts::Current::kTurn : artifacts::Current::kLeave,
      trusting(arguments.public_keys),
      trusting(arguments.public_keys, signer.public_key()),
      signer,
      core::build_time(context.clock),
      arguments.builder_id};
  const PublishResult result = body(tools.toolbox(), store, request);
  const auto current = store.current(result.manifest.line());
  const bool is_current = current && current->to_string() == result.manifest.version;
  const std::string reference = result.manifest.line() + "@" + result.manifest.version;
  if (!is_current) context.progress.note(fmt::format("not current · next: imgforge promote {}", reference));
  print(context.options.json ? core::print_json(as_json(result, is_current)) : as_text(result));
  return 0;
}

}  // namespace imgforge::cli
