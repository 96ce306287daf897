#include "builder/cli/recipes/reproducible.hpp"

#include <fmt/format.h>

#include <set>

#include "builder/cli/images/compare_files.hpp"
#include "builder/machine/surroundings.hpp"
#include "builder/steps/profile/start_sandbox.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;
using steps::ProfileOutcome;

/// What of a cache is results, unfinished work and what was remembered of files: all but downloads.
const std::set<std::string> kNotShared{"steps", "tmp", "logs", "digests", "staging", "quarantine", ".lock"};

/// Downloads of one cache for another: large files that nobody changes in place are links.
void share_downloads(const fs::path& from, const fs::path& to, bool is_constant) {
  fs::create_directories(to);
  for (const fs::directory_entry& entry : fs::directory_iterator(from)) {
    const std::string name = entry.path().filename();
    if (kNotShared.contains(name)) continue;
    if (entry.is_symlink()) {
      fs::copy_symlink(entry.path(), to / name);
    } else if (entry.is_directory()) {
      share_downloads(entry.path(), to / name, is_constant || name == "blobs" || name == "appliance");
    } else if (entry.is_regular_file()) {
      std::error_code error;
      if (is_constant) fs::create_hard_link(entry.path(), to / name, error);
      if (!is_constant || error) core::clone_file(entry.path(), to / name);
    }
  }
}

std::vector<ProfileOutcome> first_build(Context& context, const BuildArguments& arguments,
                                        steps::BuildRequest& request, artifacts::Earlier earlier,
                                        steps::OtherSandbox& other) {
  BuildTools tools(context, arguments, CacheUse::kWrite, earlier, Known::kForget);
  auto outcomes = steps::build(tools.toolbox(), request);
  other = steps::other_sandbox(tools.toolbox());
  return outcomes;
}

std::vector<ProfileOutcome> second_build(Context& context, BuildArguments arguments,
                                         const steps::BuildRequest& request, const fs::path& folder,
                                         steps::OtherSandbox other, std::vector<std::string>& varied) {
  GlobalOptions options = context.options;
  options.cache_dir = folder / "cache";
  share_downloads(fs::absolute(context.options.cache_dir), options.cache_dir, false);
  varied.emplace_back("cache folder");
  arguments.offline = true;
  arguments.jobs = 1;
  varied.emplace_back("jobs");
  if (other != steps::OtherSandbox::kNone) arguments.isolation = "namespace";
  if (other == steps::OtherSandbox::kNamespaces) varied.emplace_back("sandbox appliance -> namespaces");
  if (other == steps::OtherSandbox::kOneId) varied.emplace_back("sandbox range -> notify");
  const machine::OtherSurroundings surroundings(folder / "surroundings");
  varied.insert(varied.end(), surroundings.varied().begin(), surroundings.varied().end());
  Context elsewhere{options, context.cancel, context.clock, context.processes, context.progress, context.out};
  BuildTools tools(elsewhere, arguments, CacheUse::kWrite, artifacts::Earlier::kForget);
  if (other == steps::OtherSandbox::kOneId) tools.toolbox().ids = guest::Ids::kNotify;
  return steps::build(tools.toolbox(), request);
}

std::vector<ComparedPair> differing(const std::vector<ProfileOutcome>& first,
                                    const std::vector<ProfileOutcome>& second) {
  std::vector<ComparedPair> pairs;
  for (std::size_t i = 0; i < first.size(); ++i) {
    for (ComparedPair& pair :
         differing_artifacts(first[i].manifest, first[i].directory, second[i].manifest, second[i].directory))
      pairs.push_back(std::move(pair));
  }
  return pairs;
}

}  // namespace

std::vector<std::string> verify_reproducible(Context& context, const BuildArguments& arguments,
                                             steps::BuildRequest request, artifacts::Earlier earlier) {
  const core::TempDir folder(fs::absolute(context.options.cache_dir) / "tmp", "reproducible");
  request.release.boot_test = steps::BootTest::kNo;
  request.release.boot_paths.clear();
  request.release.output_dir = folder / "first";
  steps::OtherSandbox other = steps::OtherSandbox::kNone;
  const auto first = first_build(context, arguments, request, earlier, other);
  context.progress.note("built once; now again, elsewhere");
  request.release.output_dir = folder / "second";
  std::vector<std::string> varied;
  const auto second = core::while_doing("building for the second time", [&] {
    return second_build(context, arguments, request, folder.path(), other, varied);
  });
  const std::vector<ComparedPair> pairs = differing(first, second);
  if (pairs.empty()) return varied;
  throw core::Error(core::Kind::kIntegrity,
                    fmt::format("two builds gave different bytes: {}", explain_pairs(context, pairs)))
      .hint("nothing was published; varied was: " + core::join(varied, ", "));
}

}  // namespace imgforge::cli
