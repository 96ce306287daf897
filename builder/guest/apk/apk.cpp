#include "builder/guest/apk/apk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <system_error>

#include "builder/guest/apk/apk_text.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::guest {
namespace {

using Action = PlannedPackage::Action;

/// Start of every script: apk on the repositories of the read-only disk.
std::string set_up(const World& world) {
  return fmt::format("apk=\"apk --no-network --no-progress --repositories-file {}/repositories{}\"\n",
                     Sandbox::kPrivate, world.trust == Trust::kHost ? " --allow-untrusted" : "");
}

/// Lets apk make the index of a repository that has none, beside links to its packages. `apk index` knows no
/// packages of apk 3; `apk mkndx`, which only apk 3 has, knows all.
std::string make_index(const std::string& media, const std::string& folder, const std::string& arch,
                       PackageFormat format) {
  const std::string command =
      format == PackageFormat::kApk2
          ? "index --rewrite-arch " + core::shell_quoted(arch)
          : "mkndx --pkgname-spec " + core::shell_quoted(arch + "/${name}-${version}.apk");
  return fmt::format(
      "mkdir -p {1}\nln -sf {0}/*.apk {1}/\n"
      "apk {2} --allow-untrusted --quiet -o {1}/APKINDEX.tar.gz {0}/*.apk >/dev/null\n",
      core::shell_quoted(media), core::shell_quoted(folder), command);
}

/// kApk3 when one of the repository's packages is.
PackageFormat format_of(const std::vector<PackageFile>& files, std::size_t repository) {
  const bool any = std::any_of(files.begin(), files.end(), [&](const PackageFile& file) {
    return file.repository == repository && file.format == PackageFormat::kApk3;
  });
  return any ? PackageFormat::kApk3 : PackageFormat::kApk2;
}

bool installs(Action action) {
  return action != Action::kRemove;
}

/// Hard link, or a copy where the file systems differ or links are not allowed.
void place(const std::filesystem::path& source, const std::filesystem::path& target) {
  std::error_code error;
  std::filesystem::create_hard_link(source, target, error);
  if (error) core::clone_file(source, target);
}

/// Makes a copy of an index without the packages that `/.imgforge/hidden` lists, a name a line.
std::string filter_index(const std::string& media, const std::string& folder) {
  constexpr std::string_view kProgram =
      "BEGIN { while ((getline name < list) > 0) hidden[name] = 1; RS = \"\"; ORS = \"\\n\\n\" } "
      "{ count = split($0, lines, \"\\n\"); name = \"\"; "
      "for (i = 1; i <= count; i++) if (substr(lines[i], 1, 2) == \"P:\") name = substr(lines[i], 3); "
      "if (!(name in hidden)) print }";
  return fmt::format(
      "mkdir -p {1}\ntar -xzOf {0}/APKINDEX.tar.gz APKINDEX | awk -v list={2}/hidden {3} >{1}/APKINDEX\n"
      "tar -C {1} -czf {1}/APKINDEX.tar.gz APKINDEX\n",
      core::shell_quoted(media), core::shell_quoted(folder), Sandbox::kPrivate, core::shell_quoted(kProgram));
}

/// All repositories, to choose from.
std::set<std::size_t> every_repository(const World& world) {
  std::set<std::size_t> numbers;
  for (std::size_t i = 0; i < world.repositories.size(); ++i) numbers.insert(i);
  return numbers;
}

/// Those that `files` come from. Indexes are large and slow to read under emulation.
std::set<std::size_t> repositories_of(const std::vector<PackageFile>& files) {
  std::set<std::size_t> numbers;
  for (const PackageFile& file : files) numbers.insert(file.repository);
  return numbers;
}

/// Shows the repositories `numbers`, with `files`, as folders of the guest. Returns what a script that uses
/// them begins with.
std::string present_repositories(Sandbox& guest, const World& world, const std::set<std::size_t>& numbers,
                                 const std::vector<PackageFile>& files) {
  const core::TempDir stage(guest.scratch(), "repositories");
  const auto folder_of = [&](std::size_t number) {
    return stage.path() / "media" / fmt::format("r{}", number) / world.repositories.at(number).arch;
  };
  std::string list;
  std::string script = set_up(world);
  std::filesystem::create_directories(stage.path() / "media");
  for (const std::size_t number : numbers) {
    const Repository& repository = world.repositories.at(number);
    const std::string name = fmt::format("/r{}", number);
    std::filesystem::create_directories(folder_of(number));
    if (!repository.index.empty()) place(repository.index, folder_of(number) / "APKINDEX.tar.gz");
    const bool as_it_is =
        !repository.index.empty() && (world.hidden.empty() || repository.format == PackageFormat::kApk3);
    list += fmt::format("{}{}\n", as_it_is ? Sandbox::kMedia : Sandbox::kPrivate, name);
    if (as_it_is) continue;
    const std::string there = fmt::format("{}{}/{}", Sandbox::kMedia, name, repository.arch);
    const std::string here = fmt::format("{}{}/{}", Sandbox::kPrivate, name, repository.arch);
    script += repository.index.empty() ? make_index(there, here, repository.arch, format_of(files, number))
                                       : filter_index(there, here);
  }
  for (const PackageFile& file : files) {
    const std::filesystem::path arch_folder = folder_of(file.repository);
    const bool has_index = !world.repositories.at(file.repository).index.empty();
    const std::filesystem::path folder =
        has_index && !file.folder.empty() ? arch_folder.parent_path() / file.folder : arch_folder;
    std::filesystem::create_directories(folder);
    place(file.file, folder / fmt::format("{}-{}.apk", file.name, file.version));
  }
  guest.write(fmt::format("{}/repositories", Sandbox::kPrivate), list);
  guest.write(fmt::format("{}/hidden", Sandbox::kPrivate), core::join(world.hidden, "\n") + "\n");
  guest.present(stage.path() / "media");
  return script;
}

/// The base's world file. It is kept aside, so that resolve and install, in any order, see the same one.
std::string original_world(Sandbox& guest) {
  const std::string kept = fmt::format("{}/world", Sandbox::kPrivate);
  std::string world = guest.read(kept);
  if (!world.empty()) return world;
  world = guest.read("/etc/apk/world");
  guest.write(kept, world + "\n");
  return world;
}

std::string write_world(const std::vector<std::string>& world) {
  return fmt::format("printf '%s\\n' {} >/etc/apk/world\n", core::shell_words(world));
}

/// The recipe's place for a package named in apk's explanation.
std::optional<core::Mark> mark_of(const World& world, std::string_view name) {
  for (const recipe::Marked& added : world.add) {
    if (name_of_constraint(added.value) == name) return added.mark;
  }
  return std::nullopt;
}

std::optional<core::Mark> mark_in(const World& world, std::string_view output) {
  for (const recipe::Marked& added : world.add) {
    if (output.find(fmt::format("world[{}", name_of_constraint(added.value))) != std::string_view::npos) {
      return added.mark;
    }
  }
  return std::nullopt;
}

core::Error missing_error(Sandbox& guest, const World& world, const std::string& name) {
  core::Error error(core::Kind::kPackage,
                    fmt::format("there is no package \"{}\" in the repositories", name));
  if (std::optional<core::Mark> mark = mark_of(world, name)) error.at(*mark);
  const std::string known = guest.query(set_up(world) + "$apk search -q 2>/dev/null || true");
  const std::string near = core::nearest_word(name, core::split(known, '\n'));
  if (!near.empty()) error.hint(fmt::format("did you mean \"{}\"?", near));
  return error;
}

bool mentions_bad_signature(std::string_view output) {
  return output.find("UNTRUSTED signature") != std::string_view::npos ||
         output.find("BAD signature") != std::string_view::npos;
}

core::Error apk_error(Sandbox& guest, const World& world, const ScriptResult& result,
                      std::string_view doing) {
  const std::string quote = core::tail_lines(result.output);
  if (result.timed_out) {
    return std::move(
        core::Error(core::Kind::kTimeout, fmt::format("apk did not end while {}", doing)).quote(quote));
  }
  if (mentions_bad_signature(result.output)) {
    return std::move(
        core::Error(core::Kind::kSignature, "apk does not trust the signature of a package or an index")
            .quote(quote)
            .hint("add the repository's public key to packages.keys"));
  }
  if (const std::optional<FailedScript> failed = failed_script(result.output)) {
    core::Error error(core::Kind::kPackage,
                      fmt::format("the {} script of package {} failed with exit code {}", failed->script,
                                  failed->package, failed->exit_code));
    if (std::optional<core::Mark> mark = mark_of(world, failed->package)) error.at(*mark);
    return std::move(error.quote(quote));
  }
  if (const std::vector<std::string> missing = missing_packages(result.output); !missing.empty()) {
    return std::move(missing_error(guest, world, missing.front()).quote(quote));
  }
  core::Error error(core::Kind::kPackage,
                    fmt::format("apk failed with exit code {} while {}", result.exit_code, doing));
  if (std::optional<core::Mark> mark = mark_in(world, result.output)) error.at(*mark);
  return std::move(error.quote(quote));
}

/// A name of `remove` that is there and stays, because something needs it, is a mistake of the recipe.
void require_removed(const World& world, const std::vector<PlannedPackage>& plan, std::string_view output) {
  const std::vector<std::string> lines = core::split(output, '\n');
  for (const recipe::Marked& name : world.remove) {
    const bool installed = std::find(lines.begin(), lines.end(), "installed: " + name.value) != lines.end();
    const bool goes = std::any_of(plan.begin(), plan.end(), [&](const PlannedPackage& package) {
      return package.action == Action::kRemove && package.name == name.value;
    });
    if (installed && !goes) {
      throw core::Error(core::Kind::kPackage,
                        fmt::format("package \"{}\" cannot be removed: another package needs it", name.value))
          .at(name.mark);
    }
  }
}

std::string list_installed(const World& world) {
  std::vector<std::string> names;
  for (const recipe::Marked& name : world.remove) names.push_back(name.value);
  if (names.empty()) return {};
  return fmt::format("$apk info -e {} | sed 's/^/installed: /'\n", core::shell_words(names));
}

/// The world in which all of `plan` but the kernels is installed, so that they alone are left for the
/// transaction without scripts.
std::vector<std::string> world_without(const std::set<std::string, std::less<>>& kernels,
                                       const std::vector<std::string>& world,
                                       const std::vector<PlannedPackage>& plan) {
  std::vector<std::string> names;
  std::vector<std::string> out;
  for (const std::string& entry : world) {
    if (kernels.contains(name_of_constraint(entry))) continue;
    names.push_back(name_of_constraint(entry));
    out.push_back(entry);
  }
  for (const PlannedPackage& package : plan) {
    const bool known = std::find(names.begin(), names.end(), package.name) != names.end();
    if (installs(package.action) && !kernels.contains(package.name) && !known) {
      out.push_back(fmt::format("{}={}", package.name, package.version));
    }
  }
  return out;
}

std::string repositories_file(const World& world) {
  std::string text;
  for (const std::string& url : world.image_repositories) text += url + "\n";
  return text;
}

/// What was recorded and signed for is what is installed, or the build fails.
void require_as_planned(const std::vector<PlannedPackage>& plan, std::string_view output) {
  const auto arrivals = [](const std::vector<PlannedPackage>& packages) {
    std::set<std::string> names;
    for (const PlannedPackage& package : packages) {
      if (installs(package.action)) names.insert(fmt::format("{}-{}", package.name, package.version));
    }
    return names;
  };
  if (arrivals(plan) != arrivals(parse_plan(output))) {
    throw core::Error(core::Kind::kPackage, "apk installed other packages than it had planned")
        .quote(core::tail_lines(output));
  }
}

void add_keys(Sandbox& guest, const World& world) {
  for (const std::filesystem::path& key : world.keys) {
    guest.write(fmt::format("/etc/apk/keys/{}", key.filename().string()), core::read_text_file(key));
  }
}

}  // namespace

std::vector<PlannedPackage> resolve(Sandbox& guest, const World& world,
                                    const std::vector<PackageFile>& files) {
  const std::vector<std::string> next = next_world(original_world(guest), world.add, world.remove);
  add_keys(guest, world);
  const std::string start = present_repositories(guest, world, every_repository(world), files);
  const ScriptResult result =
      guest.run(start + write_world(next) + list_installed(world) + "$apk add --simulate\n", Seconds(300));
  if (result.exit_code != 0 || mentions_bad_signature(result.output)) {
    throw apk_error(guest, world, result, "choosing packages");
  }
  std::vector<PlannedPackage> plan = parse_plan(result.output);
  require_removed(world, plan, result.output);
  return plan;
}

void install(Sandbox& guest, const World& world, const std::vector<PlannedPackage>& plan,
             const std::vector<PackageFile>& files, const InstallOptions& options) {
  const std::vector<std::string> next = next_world(original_world(guest), world.add, world.remove);
  const bool with_kernel = std::any_of(plan.begin(), plan.end(), [&](const PlannedPackage& package) {
    return installs(package.action) && options.kernels.contains(package.name);
  });
  add_keys(guest, world);
  std::string script = present_repositories(guest, world, repositories_of(files), files) +
                       fmt::format("export SOURCE_DATE_EPOCH={}\n", options.epoch);
  if (with_kernel) {
    script += write_world(world_without(options.kernels, next, plan)) + "$apk add\n" + write_world(next) +
              "$apk add --no-scripts\n";
  } else {
    script += write_world(next) + "$apk add\n";
  }
  script +=
      fmt::format("printf %s {} >/etc/apk/repositories\n", core::shell_quoted(repositories_file(world)));
  // What no image holds is not left for the customisation to see either.
  script += "find /run /tmp -mindepth 1 -delete\n";
  const ScriptResult result = guest.run(script, options.limit);
  if (result.exit_code != 0) throw apk_error(guest, world, result, "installing packages");
  require_as_planned(plan, result.output);
  guest.remove_media();
}

}  // namespace imgforge::guest
