// The table of commands. A command is one record: name, one-line summary, what it needs of the machine and a
// function that declares its options and returns what runs. Parser, `help` and the tests that every command
// is documented read this table.
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "builder/cli/terminal.hpp"
#include "core/cancel.hpp"
#include "core/clock.hpp"
#include "core/process.hpp"

namespace imgforge::cli {

/// Flags that every command understands.
struct GlobalOptions {
  std::filesystem::path output_dir = "out";
  std::filesystem::path cache_dir;  ///< default $XDG_CACHE_HOME/imgforge
  std::string color = "auto";
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
  TerminalProgress& progress;
  Style out;  ///< style of standard output
};

/// Returns the exit code; faults leave as core::Error.
using Runner = std::function<int(Context&)>;

struct Command {
  std::string_view name;
  std::string_view group;  ///< heading in `imgforge help`
  std::string_view summary;
  /// Declares options on `app`; what is returned runs after parsing.
  std::function<Runner(CLI::App& app)> declare;
};

std::span<const Command> commands();

/// Prints text on standard output; a failed write (full disk, closed pipe) is kIo.
void print(std::string_view text);

/// `$XDG_CACHE_HOME/imgforge`, `$XDG_CONFIG_HOME/imgforge` with the defaults of the XDG base directory
/// specification. Throws kUsage when neither the variable nor HOME is set.
std::filesystem::path default_cache_dir();
std::filesystem::path config_dir();

/// The whole program: parses, runs, renders errors. Returns the exit code.
int run(int argc, const char* const* argv);

// One declaration function a command, each in a file of its own.
Runner declare_build(CLI::App& app);
Runner declare_plan(CLI::App& app);
Runner declare_validate(CLI::App& app);
Runner declare_show(CLI::App& app);
Runner declare_fetch(CLI::App& app);
Runner declare_verify(CLI::App& app);
Runner declare_boot(CLI::App& app);
Runner declare_key(CLI::App& app);
Runner declare_export(CLI::App& app);
Runner declare_serve(CLI::App& app);
Runner declare_doctor(CLI::App& app);
Runner declare_list(CLI::App& app);
Runner declare_du(CLI::App& app);
Runner declare_log(CLI::App& app);
Runner declare_promote(CLI::App& app);
Runner declare_rollback(CLI::App& app);
Runner declare_pin(CLI::App& app);
Runner declare_unpin(CLI::App& app);
Runner declare_clean(CLI::App& app);
Runner declare_repair(CLI::App& app);
Runner declare_checksum(CLI::App& app);
Runner declare_archive(CLI::App& app);
Runner declare_restore(CLI::App& app);
Runner declare_prune(CLI::App& app);
Runner declare_remove(CLI::App& app);
Runner declare_backup(CLI::App& app);
Runner declare_clone(CLI::App& app);
Runner declare_gc(CLI::App& app);
Runner declare_inspect(CLI::App& app);
Runner declare_diff(CLI::App& app);
Runner declare_convert(CLI::App& app);
Runner declare_compress(CLI::App& app);
Runner declare_resize(CLI::App& app);
Runner declare_lock(CLI::App& app);
Runner declare_update(CLI::App& app);
Runner declare_outdated(CLI::App& app);
Runner declare_vendor(CLI::App& app);
Runner declare_help(CLI::App& app);

}  // namespace imgforge::cli
