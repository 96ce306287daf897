#include "artifacts/check/verify.hpp"

#include <fmt/format.h>

#include <map>
#include <optional>

#include "artifacts/store/store.hpp"
#include "builder/cli/trust/keys.hpp"
#include "builder/cli/trust/verify_all.hpp"
#include "builder/content/deep_check.hpp"
#include "builder/inspect/format_check.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;
using artifacts::CheckRow;
using artifacts::VerifyReport;

struct VerifyArguments {
  std::vector<fs::path> paths;
  std::vector<std::string> public_keys;
  bool strict = false;
  bool all = false;
  bool thorough = false;
  bool deep = false;
};

/// What one argument stands for: the current release of every line of a store, one release, or one file.
struct Subject {
  fs::path path;
  bool is_release = false;
};

std::vector<Subject> subjects_of(const fs::path& path) {
  if (!fs::is_directory(path)) return {{path, false}};
  if (!fs::is_directory(path / "releases")) return {{path, true}};
  const artifacts::Store store = artifacts::Store::open(path);
  std::vector<Subject> found;
  for (const std::string& line : store.lines())
    found.push_back({store.line_directory(line) / "current", true});
  if (found.empty()) throw core::Error(core::Kind::kStore, path.native() + " has no releases");
  return found;
}

std::string render(const VerifyReport& report, const Style& style) {
  std::string out;
  for (const CheckRow& row : report.rows) {
    out += fmt::format("  {} {:<10} {:<44} {}\n", row.ok ? style.good("✓") : style.bad("✗"), row.check,
                       core::escaped(row.subject), row.detail);
  }
  if (report.ok()) {
    const artifacts::Manifest& manifest = report.manifest->manifest();
    out += fmt::format("  {}: {} {}, signed by {}\n", style.good("verified"), manifest.line(),
                       manifest.version, report.manifest->signer());
    if (!manifest.isolation.empty()) {
      out += fmt::format(
          "  made in: {}{}{}\n", core::escaped(manifest.isolation),
          manifest.accelerator.empty() ? "" : ", " + core::escaped(manifest.accelerator),
          manifest.accelerator_reason.empty() ? "" : " (" + core::escaped(manifest.accelerator_reason) + ")");
    }
    if (manifest.is_draft) out += fmt::format("  {}: not for publication\n", style.warn("draft"));
    if (!manifest.insecure.empty())
      out += fmt::format("  {}: made with {}\n", style.warn("insecure"),
                         core::escaped(core::join(manifest.insecure, ", ")));
  }
  return out;
}

core::Json as_json(const Subject& subject, const VerifyReport& report) {
  core::Json rows = core::Json::array();
  for (const CheckRow& row : report.rows) {
    core::Json entry{{"subject", row.subject}, {"check", row.check}, {"ok", row.ok}, {"detail", row.detail}};
    if (row.reason != core::Reason::kNone) entry["reason"] = core::reason_name(row.reason);
    rows.push_back(std::move(entry));
  }
  core::Json out{{"path", subject.path.native()}, {"verified", report.ok()}, {"checks", rows}};
  if (report.manifest) {
    out["name"] = report.manifest->manifest().line();
    out["version"] = report.manifest->manifest().version;
    out["signer"] = report.manifest->signer();
    out["isolation"] = report.manifest->manifest().isolation;
    out["insecure"] = report.manifest->manifest().insecure;
  }
  return out;
}

}  // namespace

Runner declare_verify(OptionSet& set) {
  auto arguments = std::make_shared<VerifyArguments>();
  set.positional("path", arguments->paths, "release folders, artifacts or stores [the output folder]");
  set.option("--public-key", arguments->public_keys,
             "a .pub file or key line to trust besides yours; repeatable");
  set.flag("--strict", arguments->strict,
           "files beside a release that its manifest does not list are a failure");
  const Option all = set.flag("--all", arguments->all,
                              "check the whole output folder: every release, also archived ones, every "
                              "link, and what else lies there");
  set.flag("--thorough", arguments->thorough, "with --all: sha512 too, which takes about 1.7 times as long")
      .needs(all);
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
    const signing::TrustStore trust = load_trust(arguments->public_keys);
    artifacts::VerifyOptions options;
    options.signature = [&](std::string_view data, std::string_view minisig) {
      return trust.verify(data, minisig).signer;
    };
    if (arguments->all) {
      if (!arguments->paths.empty())
        throw core::Error(core::Kind::kUsage, "--all checks the output folder: name no path")
            .hint("choose it with --output-dir");
      return verify_all(context, options.signature,
                        arguments->thorough ? artifacts::Digests::kBoth : artifacts::Digests::kSha256);
    }
    options.format = inspect::format_check(context.processes, context.cancel);
    std::optional<content::Confinement> confinement;
    if (arguments->deep)
      options.content = content::deep_check(context.cancel, {},
                                            [&](const content::Confinement& held) { confinement = held; });
    options.extras = arguments->strict ? artifacts::Extras::kRefuse : artifacts::Extras::kNote;
    std::vector<fs::path> paths = arguments->paths;
    if (paths.empty()) paths.push_back(context.options.output_dir);
    core::Json reports = core::Json::array();
    std::string text;
    bool good = true;
    for (const fs::path& path : paths) {
      for (const Subject& subject : subjects_of(path)) {
        context.cancel.check();
        const VerifyReport report = subject.is_release ? artifacts::verify_release(subject.path, options)
                                                       : artifacts::verify_file(subject.path, options);
        good &= report.ok();
        core::Json entry = as_json(subject, report);
        if (confinement)
          entry["confinement"] = {{"seccomp", true},
                                  {"namespaces", confinement->namespaces},
                                  {"landlock", confinement->landlock}};
        reports.push_back(std::move(entry));
        text += fmt::format("{}\n{}", context.out.bold(core::escaped(subject.path.native())),
                            render(report, context.out));
      }
    }
    print(context.options.json ? core::print_json({{"schema", 1}, {"verified", good}, {"subjects", reports}})
                               : text);
    return good ? 0 : core::exit_code(core::Kind::kIntegrity);
  };
}

}  // namespace imgforge::cli
