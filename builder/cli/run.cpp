#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>

#include "builder/cli/command.hpp"
#include "builder/cli/configuration.hpp"
#include "builder/cli/examples.hpp"
#include "builder/cli/progress_events.hpp"
#include "builder/cli/watched_progress.hpp"
#include "core/error_json.hpp"
#include "core/fd.hpp"
#include "signing/signers/pkcs11_signer.hpp"

namespace imgforge::cli {
namespace {

constexpr std::array kCommands{
    std::tuple{"build", "Build", "build a recipe's profiles, sign and publish them", &declare_build},
    std::tuple{"plan", "Build", "print the steps of a build and which of them would run", &declare_plan},
    std::tuple{"fetch", "Build", "fetch what a recipe needs, or one of Alpine's ISO images, verified",
               &declare_fetch},
    std::tuple{"model", "Sources", "fetch, list and look into AI models", &declare_model},
    std::tuple{"lock", "Sources", "write down exactly what a recipe is made of now", &declare_lock},
    std::tuple{"update", "Sources", "move the lock, all of it or named packages, and say what changed",
               &declare_update},
    std::tuple{"outdated", "Sources", "list what the mirrors have newer than the lock", &declare_outdated},
    std::tuple{"vendor", "Sources", "keep all that a lock names in a folder, to build from without network",
               &declare_vendor},
    std::tuple{"validate", "Recipe", "check a recipe without building it", &declare_validate},
    std::tuple{"show", "Recipe", "print a recipe with overrides applied, or a release", &declare_show},
    std::tuple{"verify", "Trust", "check signature, digests and structure of releases or files",
               &declare_verify},
    std::tuple{"rebuild", "Trust", "build a release again out of what it keeps and compare the bytes",
               &declare_rebuild},
    std::tuple{"provenance", "Trust", "tell what a release was made from, and whether from exactly this",
               &declare_provenance},
    std::tuple{"sign", "Trust", "add a signature to a release", &declare_sign},
    std::tuple{"sbom", "Trust", "print what a release consists of, as SPDX or CycloneDX", &declare_sbom},
    std::tuple{"scan", "Trust", "say which packages of a release have known vulnerabilities", &declare_scan},
    std::tuple{"key", "Trust", "make signing keys and choose whom to trust", &declare_key},
    std::tuple{"trust", "Trust", "make and rotate the root of trust of a catalogue", &declare_trust},
    std::tuple{"catalogue", "Trust", "sign or follow the list of the releases that there are",
               &declare_catalogue},
    std::tuple{"yank", "Trust", "withdraw a release that turned out bad", &declare_yank},
    std::tuple{"unyank", "Trust", "say that a withdrawn release is good after all", &declare_unyank},
    std::tuple{"pull", "Publish", "fetch a release that a catalogue has, verified before it is there",
               &declare_pull},
    std::tuple{"export", "Publish", "write the releases as a tree of static files for stock clients",
               &declare_export},
    std::tuple{"serve", "Publish", "serve a folder over HTTP, as an export or a mirror", &declare_serve},
    std::tuple{"list", "Store", "list the releases of the output folder, newest first", &declare_list},
    std::tuple{"du", "Store", "say what releases take on disk and what could be freed", &declare_du},
    std::tuple{"log", "Store", "print who changed the output folder, when and how", &declare_log},
    std::tuple{"promote", "Store", "make a release the current one of its line", &declare_promote},
    std::tuple{"rollback", "Store", "go back to the release before the current one", &declare_rollback},
    std::tuple{"pin", "Store", "keep a release whatever retention says", &declare_pin},
    std::tuple{"unpin", "Store", "take the pin of a release away", &declare_unpin},
    std::tuple{"clean", "Store", "remove what killed runs left behind", &declare_clean},
    std::tuple{"repair", "Store", "say what is wrong with the store and mend what can be proven",
               &declare_repair},
    std::tuple{"checksum", "Store", "print the digests of a release's signed manifest", &declare_checksum},
    std::tuple{"archive", "Store", "move old releases to the archive, packed", &declare_archive},
    std::tuple{"restore", "Store", "bring releases back from the archive", &declare_restore},
    std::tuple{"prune", "Store", "remove releases that a retention policy does not keep", &declare_prune},
    std::tuple{"remove", "Store", "remove releases or clones by name", &declare_remove},
    std::tuple{"backup", "Store", "copy releases to another folder, verified", &declare_backup},
    std::tuple{"clone", "Store", "make a disk that stands on a release and holds what differs",
               &declare_clone},
    std::tuple{"gc", "Store", "remove from the cache what nothing needs", &declare_gc},
    std::tuple{"inspect", "Store", "say what is in an image: partitions, system, packages", &declare_inspect},
    std::tuple{"diff", "Store", "say what changed between two releases", &declare_diff},
    std::tuple{"convert", "Store", "make a new release with the disk in another format", &declare_convert},
    std::tuple{"compress", "Store", "make a new release that is compressed for distribution",
               &declare_compress},
    std::tuple{"resize", "Store", "make a new release with a larger disk", &declare_resize},
    std::tuple{"vm", "Machines", "run machines that stand on releases, and reach them", &declare_vm},
    std::tuple{"boot", "Test", "boot an artifact headless and wait for its marker", &declare_boot},
    std::tuple{"doctor", "Machine", "list what this machine has and lacks, with the mend", &declare_doctor},
    std::tuple{"help", "Machine", "print help on a command or a topic", &declare_help},
};

/// The descriptors 0 to 2 must be open, or a file opened later would get their number and our output.
void open_standard_streams() {
  for (int fd = 0; fd < 3; ++fd) {
    if (::fcntl(fd, F_GETFD) == -1) static_cast<void>(::open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY));
  }
}

void declare_globals(OptionSet& set, GlobalOptions& options) {
  set.option("--output-dir", options.output_dir, "the store: releases and the links to them").show_default();
  set.option("--cache-dir", options.cache_dir, "downloads and step results [$XDG_CACHE_HOME/imgforge]");
  set.option("--color", options.color, "auto, always or never").one_of({"auto", "always", "never"});
  set.option("--progress", options.progress,
             "what is told of the work: auto (rows on a terminal, else lines), plain or json (events)")
      .one_of({"auto", "plain", "json"});
  set.flag("-q,--quiet", options.quiet, "print errors and results only");
  set.flag("-v,--verbose", options.verbose, "print more");
  set.flag("--json", options.json, "print machine-readable results");
}

int report(const core::Error& error, const GlobalOptions& options) {
  if (options.progress == "json") {  // a stream of events: nothing else belongs there
    fmt::print(stderr, "{}", error_event(error));
    return core::exit_code(error.kind());
  }
  const Style style(colour_for(options.color, STDERR_FILENO));
  if (options.json) {
    fmt::print(stderr, "{}", core::error_line(error));
  } else {
    fmt::print(stderr, "{}", render_error(error, style));
  }
  const char* actions = std::getenv("GITHUB_ACTIONS");
  if (actions != nullptr && std::string_view(actions) == "true")
    fmt::print(stderr, "{}", render_annotation(error));
  return core::exit_code(error.kind());
}

}  // namespace

std::span<const Command> commands() {
  static const std::vector<Command> table = [] {
    std::vector<Command> rows;
    for (const auto& [name, group, summary, declare] : kCommands)
      rows.push_back({name, group, summary, declare});
    return rows;
  }();
  return table;
}

void print(std::string_view text) {
  core::write_all(STDOUT_FILENO, text, "standard output");
}

int run(int argc, const char* const* argv) {
  ::umask(::umask(S_IWOTH) | S_IWOTH);  // nothing that is made here is for all to write to
  open_standard_streams();
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  if (argc == 2 && argv[1] == signing::kPkcs11Child) return signing::run_pkcs11_child();
  GlobalOptions options;
  try {
    CommandLine line("imgforge", "Builds, signs, verifies and boots Alpine Linux images from YAML recipes.",
                     "imgforge " IMGFORGE_VERSION);
    line.options().set_commands(OptionSet::Commands::kRequired);
    declare_globals(line.options(), options);
    for (const Command& command : commands()) {
      OptionSet& set = line.options().command(std::string(command.name), std::string(command.summary));
      set.set_group(std::string(command.group));
      set.set_runner(command.declare(set));
      if (!set.has_footer()) set.set_footer(example_of(command.name));
    }
    line.read_environment("IMGFORGE_");
    if (const auto folder = find_config_dir()) apply_configuration(line, *folder / "config.yaml");
    if (const auto text = line.parse(argc, argv)) {
      print(*text);
      return 0;
    }
    if (options.cache_dir.empty()) options.cache_dir = default_cache_dir();
    const Verbosity verbosity = options.quiet          ? Verbosity::kQuiet
                                : options.verbose != 0 ? Verbosity::kVerbose
                                                       : Verbosity::kNormal;
    const auto progress =
        make_progress(options.progress, colour_for(options.color, STDERR_FILENO), verbosity);
    Context context{options,
                    core::CancelToken::from_signals(),
                    core::system_clock(),
                    core::system_processes(),
                    *progress,
                    Style(colour_for(options.color, STDOUT_FILENO))};
    return line.runner()(context);
  } catch (const core::Error& error) {
    return report(error, options);
  } catch (const std::bad_alloc&) {
    return report(core::Error(core::Kind::kIo, "out of memory"), options);
  } catch (const std::exception& error) {
    return report(core::Error(core::Kind::kInternal, error.what()), options);
  }
}

}  // namespace imgforge::cli
