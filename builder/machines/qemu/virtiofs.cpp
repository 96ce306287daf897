#include "builder/machines/qemu/virtiofs.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "builder/machine/tools.hpp"

namespace imgforge::machines {
namespace {

// $1: the folder, $2: the socket, $3: "ro" or "rw". The daemon keeps a file in /var/run. A folder that is
// only read is shown without what else is mounted below it, as that would stay writable.
constexpr const char* kServe =
    "set -e; if [ \"$3\" = ro ]; then mount --bind -- \"$1\" /mnt; mount -o remount,bind,ro /mnt; "
    "else mount --rbind -- \"$1\" /mnt; fi; mount -t tmpfs tmpfs /var/run; "
    "exec \"$0\" -f -o log_level=err -o modcaps=-mknod -o source=/mnt --socket-path=\"$2\"";

}  // namespace

bool uses_virtiofs(const Settings& settings) {
  return std::any_of(settings.shares.begin(), settings.shares.end(),
                     [](const Share& share) { return share.is_virtiofs(); });
}

std::string virtiofs_socket(std::size_t index) {
  return fmt::format("share{}.sock", index);
}

core::Command virtiofs_command(const Share& share, std::size_t index, const std::filesystem::path& folder,
                               unsigned uid) {
  core::Command command;
  command.program = "unshare";
  command.args = {"--mount"};
  if (uid != 0) command.args = {"--map-root-user", "--map-auto", "--mount"};
  command.args.insert(command.args.end(), {"--", "sh", "-c", kServe, kVirtiofsDaemon, share.folder,
                                           virtiofs_socket(index), share.read_only ? "ro" : "rw"});
  command.directory = folder;
  command.ends_with_caller = true;
  return command;
}

vm::Words virtiofs_words(const Settings& settings) {
  if (!uses_virtiofs(settings)) return {};
  vm::Words words{"-object",
                  fmt::format("memory-backend-memfd,id=ram,share=on,size={}M", settings.first_memory() >> 20),
                  "-machine", "memory-backend=ram"};
  for (std::size_t i = 0; i < settings.shares.size(); ++i) {
    if (!settings.shares[i].is_virtiofs()) continue;
    words.insert(words.end(),
                 {"-chardev", fmt::format("socket,id=share{},path={}", i, virtiofs_socket(i)), "-device",
                  fmt::format("vhost-user-fs-pci,chardev=share{},tag={}", i, settings.shares[i].tag)});
  }
  return words;
}

void require_virtiofs() {
  machine::require_file(kVirtiofsDaemon, "qemu-system-common");
  machine::require_program("unshare");
  if (::geteuid() != 0) machine::require_program("newuidmap");
}

}  // namespace imgforge::machines
