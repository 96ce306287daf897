#include "builder/machine/tool_versions.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/machine/doctor.hpp"
#include "builder/machine/tools.hpp"
#include "core/atomic_file.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/json.hpp"

namespace imgforge::machine {
namespace {

namespace fs = std::filesystem;

core::Json load(const fs::path& file) {
  try {
    if (fs::exists(file)) return core::parse_json(core::read_text_file(file), file.native());
  } catch (const core::Error&) {
    // A damaged note is asked anew.
  }
  return core::Json::object();
}

std::string ask(const Tool& tool, const fs::path& program, core::ProcessRunner& processes,
                const core::CancelToken& cancel) {
  // A program that tells no version is identified by its bytes.
  if (tool.version_flag.empty()) {
    return core::digest_of_file(core::HashAlgorithm::kSha256, program).hex().substr(0, 16);
  }
  core::Command command;
  command.program = program;
  command.args = {std::string(tool.version_flag)};
  command.timeout = std::chrono::seconds(20);
  const core::ProcessResult result = processes.run(command, cancel);
  return version_in(result.out + result.err);
}

/// A cache that can only be read is no reason to fail: the programs are asked again next time.
void remember(const fs::path& file, const core::Json& known) {
  try {
    fs::create_directories(file.parent_path());
    core::write_file_atomically(file, core::print_json(known));
  } catch (const core::Error& error) {
    if (error.kind() != core::Kind::kIo && error.kind() != core::Kind::kPermission) throw;
  } catch (const fs::filesystem_error&) {
  }
}

}  // namespace

core::Json tool_versions(std::span<const std::string_view> names, core::ProcessRunner& processes,
                         const fs::path& cache_dir, const core::CancelToken& cancel) {
  const fs::path file = cache_dir / "tools.json";
  core::Json known = load(file);
  core::Json versions = core::Json::object();
  bool learnt = false;
  for (const std::string_view name : names) {
    const fs::path program = require_program(name);
    const std::string identity = fmt::format("{} {} {}", program.native(), fs::file_size(program),
                                             fs::last_write_time(program).time_since_epoch().count());
    if (!known.contains(identity)) {
      const auto row =
          std::find_if(tools().begin(), tools().end(), [&](const Tool& tool) { return tool.name == name; });
      if (row == tools().end())
        throw core::Error(core::Kind::kInternal, fmt::format("{} is not in the tool table", name));
      known[identity] = ask(*row, program, processes, cancel);
      learnt = true;
    }
    versions[std::string(name)] = known.at(identity);
  }
  if (learnt) remember(file, known);
  return versions;
}

}  // namespace imgforge::machine
