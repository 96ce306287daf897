#include "builder/cli/vm/reach/ssh_key.hpp"

#include <sys/stat.h>

#include <cerrno>

#include "builder/machine/tools.hpp"
#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::cli {

namespace fs = std::filesystem;

fs::path ssh_folder(const fs::path& machine) {
  return machine / "ssh";
}

std::string ssh_public_key(const Context& context, const fs::path& machine) {
  const fs::path folder = ssh_folder(machine);
  const fs::path key = folder / kSshKey;
  const fs::path half = key.native() + ".pub";
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    throw core::system_error(errno, "cannot create", folder.native());
  if (!fs::exists(half)) {
    fs::remove(key);
    core::Command command;
    command.program = machine::require_program("ssh-keygen").native();
    command.args = {"-q", "-t", "ed25519", "-N", "", "-C", "imgforge", "-f", key.native()};
    context.processes.check(command, context.cancel, core::Kind::kMachine);
  }
  return std::string(core::trimmed(core::read_text_file(half, 4096)));
}

machines::SshAccess hand_over_key(const Context& context, machines::Agent& agent, const fs::path& machine,
                                  const std::string& user) {
  machines::SshAccess access =
      machines::hand_over(agent, ssh_public_key(context, machine), user, machine.filename());
  core::write_file_atomically(ssh_folder(machine) / kKnownHosts, access.known_hosts, 0600);
  return access;
}

}  // namespace imgforge::cli
