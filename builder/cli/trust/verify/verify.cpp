#include "artifacts/check/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "builder/cli/arguments/catalogue_arguments.hpp"
#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/frame/columns.hpp"
#include "builder/cli/trust/verify/verify_all.hpp"
#include "builder/cli/trust/verify/verify_subjects.hpp"
#include "builder/content/deep_check.hpp"
#include "builder/inspect/format_check.hpp"
#include "builder/inspect/held_programs.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;
using artifacts::CheckRow;

struct VerifyArguments {
  std::vector<std::string> subjects;
  fs::path lock;
  fs::path policy;
  std::vector<std::string> requirements;
  std::vector<std::string> public_keys;
  std::string role = "release";
  bool strict = false;
  bool all = false;
  bool thorough = false;
  std::string catalogue;
  fs::path first_root;
  bool deep = false;
};

/// A subject as people read it: of a path its last name; the whole of it stands above.
std::string shown_subject(const CheckRow& row) {
  const std::string name = fs::path(row.subject).filename();
  return core::escaped(row.subject.starts_with('/') && !name.empty() ? name : row.subject, 200);
}

/// What was found to be right, with digests as short as people compare them; what is wrong stays whole.
std::string shown_detail(const CheckRow& row) {
  constexpr std::string_view kPrefix = "sha256:";
  constexpr std::size_t kShort = 16, kWhole = 64;
  if (!row.ok || !row.detail.starts_with(kPrefix) || row.detail.size() < kPrefix.size() + kWhole)
    return row.detail;
  return fmt::format("sha256 {}...{}", row.detail.substr(kPrefix.size(), kShort),
                     row.detail.substr(kPrefix.size() + kWhole));
}

std::string render(const Finding& finding, const Style& style) {
  constexpr std::size_t kWidest = 40;
  const artifacts::VerifyReport& report = finding.report;
  std::size_t widest = 0;
  for (const CheckRow& row : report.rows)
    widest = std::max(widest, std::min(kWidest, columns_of(shown_subject(row))));
  std::string out;
  for (const CheckRow& row : report.rows) {
    out += fmt::format("  {} {:<10} {} {}\n", row.ok ? style.good("✓") : style.bad("✗"), row.check,
                       padded_to_columns(shown_subject(row), widest), shown_detail(row));
  }
  if (finding.ok && !report.manifest) out += fmt::format("  {}\n", style.good("verified"));
  if (finding.ok && report.manifest) {
    const artifacts::Manifest& manifest = report.manifest->manifest();
    out += fmt::format("  {}: {} {}, signed by {}\n", style.good("verified"), manifest.line(),
                       manifest.version, report.manifest->signer());
    if (!manifest.isolation.empty())
      out += fmt::format("  made in: {}{}\n", core::escaped(manifest.isolation),
                         manifest.accelerator.empty() ? "" : ", " + core::escaped(manifest.accelerator));
    if (manifest.is_draft) out += fmt::format("  {}: not for publication\n", style.warn("draft"));
    if (!manifest.insecure.empty())
      out += fmt::format("  {}: made with {}\n", style.warn("insecure"),
                         core::escaped(core::join(manifest.insecure, ", ")));
  }
  return out;
}

core::Json as_json(const Finding& finding) {
  core::Json rows = core::Json::array();
  for (const CheckRow& row : finding.report.rows) {
    core::Json entry{{"subject", row.subject}, {"check", row.check}, {"ok", row.ok}, {"detail", row.detail}};
    if (row.reason != core::Reason::kNone) entry["reason"] = core::reason_name(row.reason);
    rows.push_back(std::move(entry));
  }
  core::Json out{{"path", finding.name}, {"verified", finding.ok}, {"checks", rows}};
  if (finding.report.manifest) {
    const artifacts::Manifest& manifest = finding.report.manifest->manifest();
    out["name"] = manifest.line();
    out["version"] = manifest.version;
    out["signer"] = finding.report.manifest->signer();
    out["isolation"] = manifest.isolation;
    out["insecure"] = manifest.insecure;
  }
  return out;
}

}  // namespace

Runner declare_verify(OptionSet& set) {
  auto arguments = std::make_shared<VerifyArguments>();
  set.positional(
      "subject", arguments->subjects,
      "releases, their files, stores, exported trees, vendored folders, signed files, URLs [the output "
      "folder]");
  declare_public_keys(set, arguments->public_keys);
  set.option("--role", arguments->role,
             "what the keys of signed files have to be trusted for: release, catalogue, models or update")
      .show_default();
  set.option("--policy", arguments->policy, "a file that says what else must hold of each release");
  set.option("--require", arguments->requirements,
             "a single field of a policy, such as sbom, booted or rebuilt-by=2; repeatable");
  set.option("--lock", arguments->lock, "the files are bases, packages or models that this lock names");
  set.flag("--strict", arguments->strict,
           "files beside a release that its manifest does not list are a failure");
  const Option all = set.flag("--all", arguments->all,
                              "check the whole output folder: every release, also archived ones, every "
                              "link, and what else lies there");
  set.flag("--thorough", arguments->thorough, "with --all: sha512 too, which takes about 1.7 times as long")
      .needs(all);
  set.option("--catalogue", arguments->catalogue,
             "a URL, store, exported tree or folder whose catalogue must have each release as it is")
      .excludes(all);
  declare_first_root(set, arguments->first_root);
  set.flag(
         "--deep", arguments->deep,
         "compare every file inside the images with the signed list of files; reads ext4, squashfs, ISO and "
         "tar directly and runs nothing")
      .excludes(all);
  set.set_footer(
      "Without --all the current release of each line is checked, with both digests and its image "
      "structure.\n"
      "Example: imgforge verify --all");
  return [arguments](Context& context) {
    const auto store = std::make_shared<const signing::TrustStore>(load_trust(arguments->public_keys));
    const signing::TrustStore& trust = *store;
    artifacts::VerifyOptions options;
    options.signature = counting(store, signing::parse_role(arguments->role));
    if (arguments->all) {
      if (!arguments->subjects.empty())
        throw core::Error(core::Kind::kUsage, "--all checks the output folder: name nothing else")
            .hint("choose it with --output-dir");
      if (!arguments->policy.empty() || !arguments->lock.empty() || !arguments->requirements.empty())
        throw core::Error(core::Kind::kUsage, "--policy, --require and --lock are not for --all");
      return verify_all(context, options.signature,
                        arguments->thorough ? artifacts::Digests::kBoth : artifacts::Digests::kSha256);
    }
    std::vector<policy::Policy> policies;
    if (!arguments->policy.empty()) policies.push_back(policy::load_policy(arguments->policy));
    if (!arguments->requirements.empty())
      policies.push_back(policy::parse_policy(policy::text_of(arguments->requirements), "--require"));
    inspect::HeldPrograms programs(context.processes);
    options.format = inspect::format_check(programs, context.cancel);
    std::optional<content::Confinement> confinement;
    if (arguments->deep)
      options.content = content::deep_check(context.cancel, {},
                                            [&](const content::Confinement& held) { confinement = held; });
    options.extras = arguments->strict ? artifacts::Extras::kRefuse : artifacts::Extras::kNote;
    std::vector<std::string> subjects = arguments->subjects;
    if (subjects.empty()) subjects.push_back(context.options.output_dir.native());
    std::optional<catalogue::Catalogue> catalogue;
    if (!arguments->catalogue.empty())
      catalogue = follow_catalogue(context, arguments->catalogue, arguments->first_root);
    core::Json reports = core::Json::array();
    std::string text;
    bool good = true;
    for (const std::string& subject : subjects) {
      context.cancel.check();
      for (Finding& finding : verify_subject(context, subject, options, trust, arguments->lock)) {
        if (catalogue) {
          finding.report.rows.push_back(freshness(*catalogue, finding.report));
          finding.is_fresh = finding.report.rows.back().ok;
          finding.ok &= finding.is_fresh;
        }
        for (const policy::Policy& policy : policies) ask_policy(policy, trust, finding, context.clock.now());
        good &= finding.ok;
        core::Json entry = as_json(finding);
        if (confinement)
          entry["confinement"] = {{"seccomp", true},
                                  {"namespaces", confinement->namespaces},
                                  {"landlock", confinement->landlock}};
        reports.push_back(std::move(entry));
        text += fmt::format("{}\n{}", context.out.bold(core::escaped(finding.name)),
                            render(finding, context.out));
      }
    }
    print(context.options.json ? core::print_json({{"schema", 1}, {"verified", good}, {"subjects", reports}})
                               : text);
    return good ? 0 : core::exit_code(core::Kind::kIntegrity);
  };
}

}  // namespace imgforge::cli
