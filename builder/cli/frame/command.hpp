// The table of commands. A command is one record: name, one-line summary, what it needs of the machine and a
// function that declares its options and returns what runs. Parser, `help` and the tests that every command
// is documented read this table.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "builder/cli/frame/options.hpp"
#include "builder/cli/frame/terminal.hpp"
#include "core/cancel.hpp"
#include "core/clock.hpp"
#include "core/process.hpp"
#include "core/progress.hpp"

namespace imgforge::cli {

/// Flags that every command understands.
struct GlobalOptions {
  std::filesystem::path output_dir = "out";
  std::filesystem::path cache_dir;  ///< default $XDG_CACHE_HOME/imgforge
  std::string color = "auto";
  std::string progress = "auto";
  bool quiet = false;
  int verbose = 0;
  bool json = false;
};

/// What a running command may use.
struct Context {
  const GlobalOptions& options;
  core::CancelToken cancel;
  core::Clock& clock;
  core::ProcessRunner& processes;
  core::Progress& progress;
  Style out;  ///< style of standard output
};

struct Command {
  std::string_view name;
  std::string_view group;  ///< heading in `imgforge help`
  std::string_view summary;
  /// Declares options on `set`; what is returned runs after parsing, unless a command below it
  /// was named that has a runner of its own.
  std::function<Runner(OptionSet& set)> declare;
};

std::span<const Command> commands();

/// Prints text on standard output; a failed write (full disk, closed pipe) is kIo.
void print(std::string_view text);

/// `$XDG_CACHE_HOME/imgforge`, `$XDG_CONFIG_HOME/imgforge` with the defaults of the XDG base directory
/// specification. Throws kUsage when neither the variable nor HOME is set.
std::filesystem::path default_cache_dir();
std::filesystem::path config_dir();
/// `$XDG_STATE_HOME/imgforge`, likewise.
std::filesystem::path state_dir();
/// The latter, or nothing where there is none.
std::optional<std::filesystem::path> find_config_dir();

/// The whole program: parses, runs, renders errors. Returns the exit code.
int run(int argc, const char* const* argv);

// One declaration function a command, each in a file of its own.
Runner declare_build(OptionSet& set);
Runner declare_plan(OptionSet& set);
Runner declare_validate(OptionSet& set);
Runner declare_show(OptionSet& set);
Runner declare_fetch(OptionSet& set);
Runner declare_verify(OptionSet& set);
Runner declare_boot(OptionSet& set);
Runner declare_key(OptionSet& set);
Runner declare_export(OptionSet& set);
Runner declare_serve(OptionSet& set);
Runner declare_doctor(OptionSet& set);
Runner declare_list(OptionSet& set);
Runner declare_du(OptionSet& set);
Runner declare_log(OptionSet& set);
Runner declare_promote(OptionSet& set);
Runner declare_rollback(OptionSet& set);
Runner declare_pin(OptionSet& set);
Runner declare_unpin(OptionSet& set);
Runner declare_clean(OptionSet& set);
Runner declare_repair(OptionSet& set);
Runner declare_checksum(OptionSet& set);
Runner declare_archive(OptionSet& set);
Runner declare_restore(OptionSet& set);
Runner declare_prune(OptionSet& set);
Runner declare_remove(OptionSet& set);
Runner declare_backup(OptionSet& set);
Runner declare_clone(OptionSet& set);
Runner declare_rebuild(OptionSet& set);
Runner declare_gc(OptionSet& set);
Runner declare_inspect(OptionSet& set);
Runner declare_diff(OptionSet& set);
Runner declare_convert(OptionSet& set);
Runner declare_compress(OptionSet& set);
Runner declare_resize(OptionSet& set);
Runner declare_lock(OptionSet& set);
Runner declare_update(OptionSet& set);
Runner declare_outdated(OptionSet& set);
Runner declare_vendor(OptionSet& set);
Runner declare_model(OptionSet& set);
Runner declare_sbom(OptionSet& set);
Runner declare_sign(OptionSet& set);
Runner declare_provenance(OptionSet& set);
Runner declare_scan(OptionSet& set);
Runner declare_trust(OptionSet& set);
Runner declare_catalogue(OptionSet& set);
Runner declare_yank(OptionSet& set);
Runner declare_unyank(OptionSet& set);
Runner declare_pull(OptionSet& set);
Runner declare_vm(OptionSet& set);
Runner declare_help(OptionSet& set);

}  // namespace imgforge::cli
