#include "builder/steps/build.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "builder/cli/arguments/build_arguments.hpp"
#include "builder/cli/arguments/keys.hpp"
#include "builder/cli/recipes/reproducible.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using artifacts::PublishOutcome;
using engine::StepReport;
using engine::StepState;
using steps::ProfileOutcome;

struct Arguments {
  std::shared_ptr<BuildArguments> build;
  std::filesystem::path signing_key;
  PassphraseArguments passphrase;
  std::string builder_id;
  bool is_unsigned = false;
  bool rehash = false;
  bool verify_reproducible = false;
  bool boot_test = false;
  bool require_boot = false;
  std::vector<std::string> boot_paths;
};

core::Json as_json(const ProfileOutcome& outcome) {
  core::Json steps = core::Json::array();
  for (const StepReport& step : outcome.steps) {
    steps.push_back({{"id", step.id},
                     {"cached", step.state == StepState::kKnown},
                     {"seconds", step.seconds},
                     {"detail", step.detail}});
    for (const auto& [name, seconds] : step.phases) steps.back()["phases"][name] = seconds;
  }
  core::Json artifacts = core::Json::array();
  for (const artifacts::ManifestArtifact& artifact : outcome.manifest.artifacts) {
    artifacts.push_back({{"file", (outcome.directory / artifact.file).native()},
                         {"format", artifact.format},
                         {"size", artifact.size},
                         {"sha256", artifact.sha256.hex()}});
  }
  core::Json boots = core::Json::array();
  for (const artifacts::ManifestBoot& boot : outcome.boots) {
    boots.push_back({{"path", boot.path}, {"accelerator", boot.accelerator}, {"markers", boot.markers}});
  }
  return {{"line", outcome.line},
          {"version", outcome.manifest.version},
          {"published", outcome.outcome == PublishOutcome::kPublished},
          {"directory", outcome.directory.native()},
          {"artifacts", artifacts},
          {"boots", boots},
          {"steps", steps}};
}

std::string table(const std::vector<ProfileOutcome>& outcomes) {
  std::string text;
  for (const ProfileOutcome& outcome : outcomes) {
    text += fmt::format("{:<28} {:<12}", outcome.line, outcome.manifest.version);
    std::vector<std::pair<std::string, std::uint64_t>> sizes;  // a format may be several files
    for (const artifacts::ManifestArtifact& artifact : outcome.manifest.artifacts) {
      if (sizes.empty() || sizes.back().first != artifact.format) sizes.emplace_back(artifact.format, 0);
      sizes.back().second += artifact.size;
    }
    for (const auto& [format, size] : sizes)
      text += fmt::format("  {} {}", format, core::Bytes{size}.human());
    text += outcome.manifest.is_unsigned ? "   unsigned" : "   signed";
    if (outcome.manifest.is_draft) text += ", draft";
    for (const artifacts::ManifestBoot& boot : outcome.boots) {
      const double seconds =
          boot.markers.empty() ? 0 : static_cast<double>(boot.markers.back().second) / 1000;
      text += fmt::format("   {} {:.1f} s", boot.path, seconds);
    }
    text += "\n";
  }
  return text;
}

/// True when everything was there before: no step made anything and no release was published.
bool nothing_done(const std::vector<ProfileOutcome>& outcomes) {
  return std::all_of(outcomes.begin(), outcomes.end(), [](const ProfileOutcome& outcome) {
    return outcome.outcome == PublishOutcome::kIdentical;
  });
}

void say_result(Context& context, const std::vector<ProfileOutcome>& outcomes, double seconds) {
  if (nothing_done(outcomes)) {
    std::size_t steps = 0;
    for (const ProfileOutcome& outcome : outcomes) steps += outcome.steps.size();
    context.progress.note(
        fmt::format("nothing to do: {} {} up to date ({} steps) · {}",
                    outcomes.size() == 1 ? outcomes.front().manifest.version : "all profiles",
                    outcomes.size() == 1 ? "is" : "are", steps, seconds_text(seconds)));
    return;
  }
  context.progress.note(fmt::format("{} · {} · next: imgforge verify", seconds_text(seconds),
                                    context.options.output_dir.native()));
}

/// One line a profile: that it was built twice with equal bytes, and what was varied.
std::string reproducible_lines(const std::vector<ProfileOutcome>& outcomes,
                               const std::vector<std::string>& varied) {
  std::string text;
  for (const ProfileOutcome& outcome : outcomes) {
    text += fmt::format("{}: reproducible, {} file{} the same bytes twice; varied: {}\n", outcome.line,
                        outcome.manifest.artifacts.size(), outcome.manifest.artifacts.size() == 1 ? "" : "s",
                        core::join(varied, ", "));
  }
  return text;
}

int build(Context& context, const Arguments& arguments) {
  const auto start = std::chrono::steady_clock::now();
  if (arguments.build->dry_run) return print_plan(context, *arguments.build);
  steps::BuildRequest request;
  request.release.build_time = core::build_time(context.clock);
  // The second of two builds has another working directory.
  if (arguments.verify_reproducible)
    arguments.build->recipe->file = std::filesystem::absolute(arguments.build->recipe->file);
  request.profiles = resolve_profiles(*arguments.build->recipe, request.release.build_time);
  warn_of(context, request.profiles);
  request.release.output_dir = context.options.output_dir;
  request.release.recipe_sha256 =
      core::digest_of_file(core::HashAlgorithm::kSha256, arguments.build->recipe->file);
  for (const std::string& path : arguments.boot_paths)
    request.release.boot_paths.push_back(vm::parse_boot_path(path));
  const bool boots = arguments.boot_test || !request.release.boot_paths.empty();
  request.release.boot_test = arguments.require_boot ? steps::BootTest::kRequired
                              : boots                ? steps::BootTest::kYes
                                                     : steps::BootTest::kNo;
  if (!arguments.is_unsigned)
    request.release.signer = make_signer(context, arguments.signing_key, arguments.passphrase);
  request.release.builder_id = arguments.builder_id;
  request.release.signature = trusting({}, request.release.signer.public_key());
  request.release.insecure = switched_off(*arguments.build);
  request.release.is_draft = arguments.build->is_draft;
  // A store that cannot be written is told now, not after the work.
  artifacts::Store::create(request.release.output_dir);
  const auto earlier = arguments.rehash ? artifacts::Earlier::kForget : artifacts::Earlier::kBelieve;
  BuildTools tools(context, *arguments.build, CacheUse::kWrite, earlier);
  request.lock = lock_to_use(context, *arguments.build, request.profiles, tools.toolbox());
  std::vector<std::string> varied;
  if (arguments.verify_reproducible)
    varied = verify_reproducible(context, *arguments.build, request, earlier);
  const std::vector<ProfileOutcome> outcomes = steps::build(tools.toolbox(), request);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  say_result(context, outcomes, seconds);
  core::Json profiles = core::Json::array();
  for (const ProfileOutcome& outcome : outcomes) profiles.push_back(as_json(outcome));
  core::Json result{{"schema", 1}, {"seconds", seconds}, {"profiles", profiles}};
  if (arguments.verify_reproducible) result["reproducible"] = {{"varied", varied}};
  print(context.options.json            ? core::print_json(result)
        : arguments.verify_reproducible ? table(outcomes) + reproducible_lines(outcomes, varied)
                                        : table(outcomes));
  return 0;
}

}  // namespace

Runner declare_build(OptionSet& set) {
  auto arguments = std::make_shared<Arguments>();
  arguments->build = declare_build_arguments(set);
  set.flag("-n,--dry-run", arguments->build->dry_run, "print the plan and stop");
  set.option("--signing-key", arguments->signing_key,
             "secret key to sign with [the only one of imgforge key show]");
  declare_passphrase(set, arguments->passphrase);
  declare_builder_id(set, arguments->builder_id);
  set.flag("--rehash", arguments->rehash, "hash all files again, also those that have not changed since");
  set.flag("--verify-reproducible", arguments->verify_reproducible,
           "build twice from scratch, the second time in other surroundings; publish only when all bytes are "
           "equal");
  set.flag("--unsigned", arguments->is_unsigned, "publish without a signature; the manifest records it");
  set.flag("--boot-test", arguments->boot_test,
           "boot each image by every path that it claims before it is published");
  const Option path = set.option("--boot-path", arguments->boot_paths,
                                 "boot by this path only, such as \"cd UEFI\"; repeatable");
  set.flag("--require-boot", arguments->require_boot,
           "publish only what booted by every path that its formats claim")
      .excludes(path);
  return [arguments](Context& context) { return build(context, *arguments); };
}

}  // namespace imgforge::cli
