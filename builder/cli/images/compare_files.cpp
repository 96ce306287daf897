#include "builder/cli/images/compare_files.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "artifacts/store/release_reference.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "builder/cli/images/inspect_tools.hpp"
#include "builder/compare/compare.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

namespace fs = std::filesystem;

/// Artifacts by their name without version.
std::map<std::string, fs::path> by_name(const artifacts::Manifest& manifest, const fs::path& folder) {
  std::map<std::string, fs::path> files;
  for (const artifacts::ManifestArtifact& artifact : manifest.artifacts)
    files[artifact.file.substr(std::min(manifest.stem().size(), artifact.file.size()))] =
        folder / artifact.file;
  return files;
}

}  // namespace

std::vector<ComparedPair> paired_artifacts(const artifacts::Manifest& before, const fs::path& before_folder,
                                           const artifacts::Manifest& after, const fs::path& after_folder) {
  std::vector<ComparedPair> pairs;
  auto rest = by_name(after, after_folder);
  for (const auto& [suffix, file] : by_name(before, before_folder)) {
    const auto twin = rest.find(suffix);
    pairs.push_back({before.line() + suffix, file, twin == rest.end() ? fs::path() : twin->second});
    if (twin != rest.end()) rest.erase(twin);
  }
  for (const auto& [suffix, file] : rest) pairs.push_back({after.line() + suffix, {}, file});
  return pairs;
}

std::vector<ComparedPair> differing_artifacts(const artifacts::Manifest& before,
                                              const fs::path& before_folder, const artifacts::Manifest& after,
                                              const fs::path& after_folder) {
  std::set<core::Digest> digests;
  for (const artifacts::ManifestArtifact& artifact : after.artifacts) digests.insert(artifact.sha256);
  std::set<std::string> same;
  for (const artifacts::ManifestArtifact& artifact : before.artifacts) {
    if (digests.contains(artifact.sha256)) same.insert(artifact.file);
  }
  std::vector<ComparedPair> pairs = paired_artifacts(before, before_folder, after, after_folder);
  std::erase_if(pairs, [&](const ComparedPair& pair) { return same.contains(pair.before.filename()); });
  return pairs;
}

std::vector<ComparedPair> paired_files(Context& context, const std::string& before,
                                       const std::string& after) {
  std::error_code error;
  const bool old_is_file = fs::is_regular_file(before, error);
  const bool new_is_file = fs::is_regular_file(after, error);
  if (old_is_file && new_is_file) return {{before, before, after}};
  if (old_is_file || new_is_file) {
    throw core::Error(core::Kind::kUsage,
                      (old_is_file ? after : before) + " is no file, but the other one is")
        .hint("name two files, or two releases");
  }
  const NamedArtifact old_release = find_artifact(context, before);
  const NamedArtifact new_release = find_artifact(context, after);
  const artifacts::Store store = open_store(context);
  return paired_artifacts(*old_release.manifest, artifacts::find_release(store, before).directory,
                          *new_release.manifest, artifacts::find_release(store, after).directory);
}

std::vector<compare::Node> compare_pairs(Context& context, const std::vector<ComparedPair>& pairs) {
  const InspectFolder folder(context);
  const compare::CompareTools tools{context.processes, context.cancel, folder.tools().work};
  std::vector<compare::Node> found;
  for (const ComparedPair& pair : pairs) {
    core::Activity activity = context.progress.begin("compare");
    activity.say(pair.name);
    if (pair.before.empty() || pair.after.empty()) {
      compare::Node node{.name = pair.name, .kind = ""};
      using Side = std::optional<std::string>;
      node.add("file", pair.before.empty() ? Side() : Side("there"),
               pair.after.empty() ? Side() : Side("there"));
      found.push_back(std::move(node));
    } else {
      found.push_back(compare::compare_files(pair.name, pair.before, pair.after, tools));
    }
    activity.done(pair.name + (found.back().empty() ? " is the same" : " differs"));
  }
  return found;
}

bool all_equal(const std::vector<compare::Node>& found) {
  return std::all_of(found.begin(), found.end(), [](const compare::Node& node) { return node.empty(); });
}

std::string comparison_text(const std::vector<compare::Node>& found) {
  std::string text;
  for (const compare::Node& node : found)
    text += node.empty() ? node.name + ": the same bytes\n" : compare::as_text(node);
  return text;
}

core::Json comparison_json(const std::vector<compare::Node>& found) {
  core::Json files = core::Json::array();
  for (const compare::Node& node : found) {
    files.push_back(compare::as_json(node));
    files.back()["equal"] = node.empty();
  }
  return {{"schema", 1}, {"equal", all_equal(found)}, {"files", std::move(files)}};
}

std::string explain_pairs(Context& context, const std::vector<ComparedPair>& pairs) {
  const std::vector<compare::Node> found = compare_pairs(context, pairs);
  print(context.options.json ? core::print_json(comparison_json(found)) : comparison_text(found));
  std::vector<std::string> names;
  for (const ComparedPair& pair : pairs) names.push_back(pair.name);
  return core::join(names, ", ");
}

}  // namespace imgforge::cli
