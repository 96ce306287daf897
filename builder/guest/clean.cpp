#include "builder/guest/clean.hpp"

#include <fmt/format.h>

#include <array>

#include "core/error.hpp"

namespace imgforge::guest {
namespace {

using How = CleanUp::How;

constexpr std::array kCleanUps{
    CleanUp{"machine-id", "the identity that systemd and D-Bus read; made at first boot", How::kEmpty,
            "/etc/machine-id"},
    CleanUp{"dbus-machine-id", "the older place of the same", How::kRemove, "/var/lib/dbus/machine-id"},
    CleanUp{"ssh-host-keys", "made at first boot by the ssh service", How::kRemove, "/etc/ssh/ssh_host_*"},
    CleanUp{"random-seed", "a seed that many machines share is worse than none", How::kRemove,
            "/var/lib/misc/random-seed /var/lib/seedrng /var/lib/systemd/random-seed "
            "/var/lib/urandom/random-seed"},
    CleanUp{"apk-cache", "downloaded packages and indexes", How::kRemove,
            "/var/cache/apk/* /etc/apk/cache /var/lib/apk/cache"},
    CleanUp{"cache", "files that programs make again", How::kRemove, "/var/cache/misc/*"},
    CleanUp{"logs", "of the build; folders stay, services need them", How::kRemoveFiles, "/var/log"},
    CleanUp{"resolv-conf", "name servers of the build machine", How::kRemove, "/etc/resolv.conf"},
    CleanUp{"histories", "of shells and editors", How::kRemove,
            "/root/.ash_history /root/.bash_history /root/.viminfo /root/.lesshst /home/*/.ash_history "
            "/home/*/.bash_history"},
    CleanUp{"account-backups", "copies that adduser keeps of the files it changes", How::kRemove,
            "/etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-"},
    CleanUp{"temporary", "contents of the folders for temporary files", How::kRemove,
            "/tmp/* /tmp/.[!.]* /var/tmp/* /var/tmp/.[!.]*"},
    CleanUp{"locks", "lock and pid files", How::kRemove, "/etc/.pwd.lock /var/lock/*"},
};

/// The day of the last password change is the day of the build for accounts that packages made.
constexpr std::string_view kShadow = R"sh(
if [ -f /etc/shadow ]; then
  sed 's/^\([^:]*:[^:]*\):[^:]*:/\1::/' /etc/shadow >/.imgforge/shadow && cat /.imgforge/shadow >/etc/shadow
fi
)sh";

std::string command_for(const CleanUp& clean_up) {
  switch (clean_up.how) {
    case How::kRemove:
      return fmt::format("rm -rf -- {}\n", clean_up.paths);
    case How::kEmpty:
      return fmt::format("for file in {}; do if [ -e $file ]; then : >$file; fi; done\n", clean_up.paths);
    case How::kRemoveFiles:
      return fmt::format("if [ -d {0} ]; then find {0} ! -type d -exec rm -f -- {{}} +; fi\n",
                         clean_up.paths);
  }
  throw core::Error(core::Kind::kInternal, "unknown way of cleaning up");
}

}  // namespace

std::span<const CleanUp> clean_ups() {
  return kCleanUps;
}

std::string clean_script() {
  std::string script = "set -e\n";
  for (const CleanUp& clean_up : kCleanUps) script += command_for(clean_up);
  return script + std::string(kShadow);
}

void clean_identity(Sandbox& guest) {
  guest.query(clean_script());
  guest.remove_private_folder();
}

}  // namespace imgforge::guest
