#include <fmt/format.h>

#include <algorithm>

#include "artifacts/manifest/release_diff.hpp"
#include "artifacts/store/inventory.hpp"
#include "artifacts/store/release_reference.hpp"
#include "builder/cli/arguments/store_arguments.hpp"
#include "builder/cli/frame/diff_sections.hpp"
#include "builder/cli/images/compare_files.hpp"
#include "builder/cli/images/inspect_tools.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {
namespace {

using artifacts::DiffRow;

struct Arguments {
  std::string before;
  std::string after;
  bool files = false;
  bool markdown = false;
  bool bytes = false;
};

/// The release that `reference` came after: what it was derived from, or the one built before it.
std::string predecessor(Context& context, const std::string& reference) {
  const artifacts::Store store = open_store(context);
  const artifacts::ReleaseLocation location = artifacts::find_release(store, reference);
  const artifacts::Inventory inventory = artifacts::read_inventory(store, {location.line});
  const artifacts::InventoryLine* line = inventory.find(location.line);
  bool passed = false;
  for (const artifacts::InventoryRelease& release :
       line == nullptr ? std::vector<artifacts::InventoryRelease>{} : line->releases) {
    const bool derived = release.manifest && release.manifest->derived_from;
    if (release.version == location.version) {
      if (derived) return release.manifest->derived_from->release;
      passed = true;
    } else if (passed && !derived && release.manifest) {
      return release.reference();
    }
  }
  throw core::Error(core::Kind::kUsage, location.reference() + " has no release before it")
      .hint("name two: imgforge diff A B");
}

/// A text between backticks in a cell of a table (GitHub Flavored Markdown).
std::string cell(const std::string& text) {
  if (text.empty()) return "";
  std::string code;
  for (const char c : core::escaped(text))
    code += c == '|' ? std::string("\\|") : c == '`' ? std::string("'") : std::string(1, c);
  return "`" + code + "`";
}

std::string as_markdown(const std::string& line, const std::string& before, const std::string& after,
                        const std::vector<DiffSection>& sections) {
  std::string text = fmt::format("# {} {}\n\nChanges since {}.\n", line, after, before);
  for (const DiffSection& section : sections) {
    if (section.rows.empty()) continue;
    text += fmt::format("\n## {}\n\n{}.\n\n| | before | after |\n|---|---|---|\n", section.title,
                        diff_counts(section.rows));
    for (const DiffRow& row : section.rows)
      text += fmt::format("| {} | {} | {} |\n", cell(row.name), cell(row.before), cell(row.after));
  }
  return text;
}

std::map<std::string, std::string> files_of(Context& context, const NamedArtifact& named) {
  if (named.file.empty())
    throw core::Error(core::Kind::kUsage, named.manifest->stem() + " has no root file system to compare");
  const InspectFolder folder(context);
  return inspect::list_files(named.file, named.format, folder.tools());
}

/// Compares two files, or all artifacts of two releases. 0: equal, 1: different, as cmp(1).
int diff_bytes(Context& context, const Arguments& arguments) {
  if (arguments.after.empty())
    throw core::Error(core::Kind::kUsage, "--bytes compares two files or releases");
  const std::vector<ComparedPair> pairs = paired_files(context, arguments.before, arguments.after);
  const std::vector<compare::Node> found = compare_pairs(context, pairs);
  print(context.options.json ? core::print_json(comparison_json(found)) : comparison_text(found));
  return all_equal(found) ? 0 : 1;
}

int diff(Context& context, const Arguments& arguments) {
  if (arguments.bytes) return diff_bytes(context, arguments);
  const bool alone = arguments.after.empty();
  const NamedArtifact after = find_artifact(context, alone ? arguments.before : arguments.after);
  if (!after.manifest) throw core::Error(core::Kind::kUsage, after.file.native() + " belongs to no release");
  const NamedArtifact before =
      find_artifact(context, alone ? predecessor(context, arguments.before) : arguments.before);
  if (!before.manifest)
    throw core::Error(core::Kind::kUsage, before.file.native() + " belongs to no release");
  const artifacts::ReleaseDiff found = artifacts::diff_releases(*before.manifest, *after.manifest);
  std::vector<DiffSection> sections{{"Packages", "packages", found.packages},
                                    {"Artifacts", "artifacts", found.artifacts},
                                    {"Boot times", "boots", found.boots},
                                    {"Configuration", "fields", found.fields}};
  if (arguments.files)
    sections.push_back(
        {"Files", "files", artifacts::diff_values(files_of(context, before), files_of(context, after))});
  const std::string old_name = before.manifest->version;
  const std::string title =
      fmt::format("{} {} -> {}{}", before.manifest->line(), old_name,
                  before.manifest->line() == after.manifest->line() ? "" : after.manifest->line() + " ",
                  after.manifest->version);
  print(context.options.json ? core::print_json(diff_json(*before.manifest, *after.manifest, sections))
        : arguments.markdown
            ? as_markdown(after.manifest->line(), old_name, after.manifest->version, sections)
            : diff_text(title, sections, context.out));
  return 0;
}

}  // namespace

Runner declare_diff(OptionSet& set) {
  auto arguments = std::make_shared<Arguments>();
  set.positional("before", arguments->before,
                 "release or file of one; alone: it is compared with the one before it")
      .required();
  set.positional("after", arguments->after, "release or file of one");
  set.flag("--files", arguments->files, "compare the files of the root file systems too");
  const Option markdown = set.flag("--markdown", arguments->markdown, "print release notes");
  set.flag(
         "--bytes", arguments->bytes,
         "say where the bytes of two files, or of two releases' artifacts, differ, down to fields and lines; "
         "exit code 0: nowhere, 1: somewhere")
      .excludes(markdown);
  set.set_footer(
      "Without --files only manifests are read. With it the root file system of the named file is, or of "
      "the\n"
      "release's artifact that is easiest to read; times of files are not compared.\n"
      "With --bytes disks are compared down to partitions, file systems to files, archives to members.\n"
      "Examples: imgforge diff hello-boot@v20261120 hello-boot --markdown\n"
      "          imgforge diff --bytes first/hello-boot.qcow2 second/hello-boot.qcow2");
  return [arguments](Context& context) { return diff(context, *arguments); };
}

}  // namespace imgforge::cli
