// Commands that choose what a line offers and what stays: promote, rollback, pin, unpin.
#include <fmt/format.h>

#include "artifacts/check/verify.hpp"
#include "artifacts/store/release_reference.hpp"
#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "builder/cli/trust/verify/verify_subjects.hpp"
#include "builder/vm/claimed_paths.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using artifacts::ReleaseLocation;
using artifacts::Store;
using artifacts::Turn;
using artifacts::Version;

void warn_all(Context& context, const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) context.progress.warn(warning);
}

int say_turn(Context& context, const Turn& turn) {
  warn_all(context, turn.warnings);
  if (context.options.json) {
    print(core::print_json({{"schema", 1},
                            {"line", turn.line},
                            {"from", turn.from},
                            {"to", turn.to},
                            {"changed", turn.changed}}));
  } else if (!turn.changed) {
    print(fmt::format("{}: {} is current already\n", turn.line, turn.to));
  } else if (turn.from.empty()) {
    print(fmt::format("{}: {} is current now (all formats)\n", turn.line, turn.to));
  } else {
    print(fmt::format("{}: {} -> {} (all formats)\n", turn.line, turn.from, turn.to));
  }
  return 0;
}

Version version_of(const ReleaseLocation& location) {
  const std::optional<Version> version = Version::parse(location.version);
  if (!version) throw core::Error(core::Kind::kUsage, location.reference() + " is not a version");
  return *version;
}

/// The signed manifest must hold a boot by every path that its artifacts claim.
void require_boots(const ReleaseLocation& location, const artifacts::SignatureCheck& signature) {
  artifacts::VerifyOptions options;
  options.contents = artifacts::Contents::kLeave;  // promote hashes the files itself
  options.signature = signature;
  const artifacts::VerifyReport report = artifacts::verify_release(location.directory, options);
  if (!report.ok())
    throw core::Error(core::Kind::kIntegrity,
                      location.reference() + " has no manifest with a trusted signature")
        .hint("imgforge verify " + location.directory.native() + " says what is wrong");
  const std::vector<std::string> unproven = vm::unproven_boots(report.manifest->manifest());
  if (unproven.empty()) return;
  throw core::Error(core::Kind::kBoot, fmt::format("{} was not seen to boot: {}", location.reference(),
                                                   core::join(unproven, ", ")))
      .hint("build it with --require-boot");
}

/// What `verify --policy` says; the files are hashed by promote itself.
void require_policy(Context& context, const ReleaseLocation& location,
                    const artifacts::SignatureCheck& signature, const signing::TrustStore& trust,
                    const policy::Policy& policy) {
  artifacts::VerifyOptions options;
  options.contents = artifacts::Contents::kLeave;
  options.signature = signature;
  Finding finding = verify_with_statements(context, location.directory, options, trust);
  ask_policy(policy, trust, finding, context.clock.now());
  for (const artifacts::CheckRow& row : finding.report.rows) {
    if (row.ok) continue;
    throw core::Error(
        row.kind.value_or(core::Kind::kIntegrity),
        fmt::format("{} is not as the policy asks: {}: {}", location.reference(), row.subject, row.detail))
        .reason(row.reason)
        .hint("imgforge verify " + location.directory.native() + " --policy ... shows all of it");
  }
}

struct PromoteArguments {
  std::string reference;
  bool booted = false;
  std::filesystem::path policy;
  std::vector<std::string> public_keys;
};

int promote(Context& context, const PromoteArguments& arguments) {
  const std::string& reference = arguments.reference;
  std::optional<policy::Policy> policy;
  if (!arguments.policy.empty()) policy = policy::load_policy(arguments.policy);
  const artifacts::SignatureCheck signature = trusting(arguments.public_keys);
  Store store = open_store(context);
  const ReleaseLocation location = artifacts::find_release(store, reference);
  if (location.archived) {
    throw core::Error(core::Kind::kStore,
                      location.reference() + " is archived: " + location.directory.native())
        .hint("only releases below releases/ can be current");
  }
  if (arguments.booted) require_boots(location, signature);
  if (policy) require_policy(context, location, signature, load_trust(arguments.public_keys), *policy);
  return say_turn(context, store.promote(location.line, version_of(location),
                                         {.cancel = context.cancel, .signature = signature}));
}

int rollback(Context& context, const std::string& name, const std::string& to,
             const std::vector<std::string>& public_keys) {
  Store store = open_store(context);
  const std::string line = artifacts::find_line(store, name);
  std::optional<Version> version;
  if (!to.empty()) version = version_of(artifacts::find_release(store, line + "@" + to));
  return say_turn(
      context, store.rollback(line, version, {.cancel = context.cancel, .signature = trusting(public_keys)}));
}

int pin(Context& context, const std::vector<std::string>& references, const std::string& reason) {
  Store store = open_store(context);
  core::Json rows = core::Json::array();
  std::string text;
  for (const std::string& reference : references) {
    const ReleaseLocation location = artifacts::find_release(store, reference);
    warn_all(context, store.pin(location.line, version_of(location), reason, {.cancel = context.cancel}));
    rows.push_back({{"line", location.line}, {"version", location.version}, {"pinned", true}});
    text += fmt::format("{}: pinned{}\n", location.reference(),
                        reason.empty() ? "" : " (" + core::escaped(reason) + ")");
  }
  print(context.options.json ? core::print_json({{"schema", 1}, {"releases", rows}}) : text);
  return 0;
}

/// The pin of a release that is gone is named exactly as LINE@VERSION.
ReleaseLocation pinned_release(const Store& store, const std::string& reference) {
  const std::size_t at = reference.find('@');
  if (at != std::string::npos && artifacts::read_pins(store.root()).contains(reference)) {
    return {reference.substr(0, at), reference.substr(at + 1), "", false};
  }
  return artifacts::find_release(store, reference);
}

int unpin(Context& context, const std::vector<std::string>& references) {
  Store store = open_store(context);
  core::Json rows = core::Json::array();
  std::string text;
  for (const std::string& reference : references) {
    const ReleaseLocation location = pinned_release(store, reference);
    std::vector<std::string> warnings;
    const bool was = store.unpin(location.line, version_of(location), warnings, {.cancel = context.cancel});
    warn_all(context, warnings);
    rows.push_back(
        {{"line", location.line}, {"version", location.version}, {"pinned", false}, {"changed", was}});
    text += fmt::format("{}: {}\n", location.reference(), was ? "no longer pinned" : "was not pinned");
  }
  print(context.options.json ? core::print_json({{"schema", 1}, {"releases", rows}}) : text);
  return 0;
}

constexpr const char* kReleaseHelp =
    "a release: LINE (its current one), LINE@VERSION, LINE-VERSION or a path";

}  // namespace

Runner declare_promote(OptionSet& set) {
  auto arguments = std::make_shared<PromoteArguments>();
  set.positional("release", arguments->reference, kReleaseHelp).required();
  set.flag("--require-boot", arguments->booted,
           "refuse a release that was not seen to boot by every path it claims");
  set.option("--policy", arguments->policy, "a file that says what else must hold, as for verify");
  declare_public_keys(set, arguments->public_keys);
  set.set_footer(
      "The release's signature is checked and its files are hashed first: one that nobody trusted signed is "
      "refused,\n"
      "unless it was published --unsigned, and so is a damaged one. All formats change together, by one "
      "rename.\n"
      "Example: imgforge promote hello-boot@v20261120");
  return [arguments](Context& context) { return promote(context, *arguments); };
}

Runner declare_rollback(OptionSet& set) {
  auto line = std::make_shared<std::string>();
  auto to = std::make_shared<std::string>();
  set.positional("line", *line, "name and profile, as in unhinged-os-minimal").required();
  set.option("--to", *to, "VERSION to go back to [the one built before the current one]");
  auto public_keys = declare_public_keys(set);
  set.set_footer("Example: imgforge rollback unhinged-os-minimal");
  return [=](Context& context) { return rollback(context, *line, *to, *public_keys); };
}

Runner declare_pin(OptionSet& set) {
  auto references = std::make_shared<std::vector<std::string>>();
  auto reason = std::make_shared<std::string>();
  set.positional("release", *references, kReleaseHelp).required();
  set.option("--reason", *reason, "one line that list --json, show and the journal repeat");
  set.set_footer(
      "A pinned release is never removed by retention.\n"
      "Example: imgforge pin hello-boot@v20261120 --reason \"runs in the field\"");
  return [=](Context& context) { return pin(context, *references, *reason); };
}

Runner declare_unpin(OptionSet& set) {
  auto references = std::make_shared<std::vector<std::string>>();
  set.positional("release", *references, kReleaseHelp).required();
  set.set_footer("Example: imgforge unpin hello-boot@v20261120");
  return [references](Context& context) { return unpin(context, *references); };
}

}  // namespace imgforge::cli
