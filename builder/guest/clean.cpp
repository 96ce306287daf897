#include "builder/guest/clean.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::guest {
namespace {

using How = CleanUp::How;

constexpr std::array kCleanUps{
    CleanUp{"machine-id", "the identity that systemd and D-Bus read; made at first boot", How::kEmpty,
            "/etc/machine-id", true},
    CleanUp{"dbus-machine-id", "the older place of the same", How::kRemove, "/var/lib/dbus/machine-id"},
    CleanUp{"ssh-host-keys", "made at first boot by the ssh service", How::kRemove, "/etc/ssh/ssh_host_*",
            true},
    CleanUp{"random-seed", "a seed that many machines share is worse than none", How::kRemove,
            "/var/lib/misc/random-seed /var/lib/seedrng /var/lib/systemd/random-seed "
            "/var/lib/urandom/random-seed"},
    CleanUp{"apk-cache", "downloaded packages and indexes", How::kRemove,
            "/var/cache/apk/* /etc/apk/cache /var/lib/apk/cache"},
    CleanUp{"cache", "files that programs make again", How::kRemove, "/var/cache/misc/*"},
    CleanUp{"logs", "of the build; folders stay, services need them", How::kRemoveFiles, "/var/log", true},
    CleanUp{"resolv-conf", "name servers of the build machine", How::kRemove, "/etc/resolv.conf", true},
    CleanUp{"histories", "of shells and editors", How::kRemove,
            "/root/.ash_history /root/.bash_history /root/.viminfo /root/.lesshst /home/*/.ash_history "
            "/home/*/.bash_history"},
    CleanUp{"account-backups", "copies that adduser keeps of the files it changes", How::kRemove,
            "/etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-"},
    CleanUp{"temporary", "contents of the folders for temporary files", How::kRemove,
            "/tmp/* /tmp/.[!.]* /var/tmp/* /var/tmp/.[!.]*", true},
    CleanUp{"locks", "lock and pid files", How::kRemove, "/etc/.pwd.lock /var/lock/*"},
};

/// The day of the last password change is the day of the build for accounts that packages made.
constexpr std::string_view kShadow = R"sh(
if [ -f /etc/shadow ]; then
  sed 's/^\([^:]*:[^:]*\):[^:]*:/\1::/' /etc/shadow >/.imgforge/shadow && cat /.imgforge/shadow >/etc/shadow
fi
)sh";

/// What the recipe made, and the folders above it.
std::set<std::string> kept_paths(const recipe::ResolvedRecipe& recipe) {
  std::set<std::string> kept;
  const auto keep = [&](const std::string& path) {
    for (std::size_t end = path.size(); end > 0 && end != std::string::npos; end = path.rfind('/', end - 1))
      kept.insert(path.substr(0, end));
  };
  for (const recipe::FileEntry& entry : recipe.files) keep(entry.path);
  for (const recipe::DirectoryEntry& entry : recipe.directories) keep(entry.path);
  for (const recipe::LinkEntry& entry : recipe.links) keep(entry.path);
  return kept;
}

/// A pattern of find(1) that stands for this path alone.
std::string find_pattern(const std::string& path) {
  std::string out;
  for (const char c : path) {
    if (std::string_view("*?[\\").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return core::shell_quoted(out);
}

/// Functions for the commands: `take PATH...` takes away what is there and not kept, folders that hold
/// something kept but for that.
std::string functions(const std::set<std::string>& kept, std::string_view act) {
  std::string words;
  for (const std::string& path : kept) words += (words.empty() ? "" : "|") + core::shell_quoted(path);
  return fmt::format(R"sh(act() {{ {}; }}
kept() {{ {} return 1; }}
take() {{
  for path; do
    if ! [ -e "$path" ] && ! [ -L "$path" ]; then continue; fi
    if ! kept "$path"; then act "$path"; continue; fi
    if [ -d "$path" ] && ! [ -L "$path" ]; then take "$path"/* "$path"/.[!.]* "$path"/..?*; fi
  done
}}
)sh",
                     act, words.empty() ? "" : fmt::format("case \"$1\" in {}) return 0;; esac;", words));
}

enum class Doing { kCleaning, kLooking };

std::string command_for(const CleanUp& clean_up, const std::set<std::string>& kept, Doing doing) {
  switch (clean_up.how) {
    case How::kRemove:
      return fmt::format("take {}\n", clean_up.paths);
    case How::kEmpty:
      return fmt::format("for file in {}; do if [ -s $file ] && ! kept $file; then {}; fi; done\n",
                         clean_up.paths, doing == Doing::kCleaning ? ": >$file" : "act $file");
    case How::kRemoveFiles: {
      std::string but;
      for (const std::string& path : kept) but += " ! -path " + find_pattern(path);
      return fmt::format("if [ -d {0} ]; then find {0} ! -type d{1} {2}; fi\n", clean_up.paths, but,
                         doing == Doing::kCleaning ? "-exec rm -f -- {} +" : "-print");
    }
  }
  throw core::Error(core::Kind::kInternal, "unknown way of cleaning up");
}

}  // namespace

std::span<const CleanUp> clean_ups() {
  return kCleanUps;
}

std::string clean_script(const recipe::ResolvedRecipe& recipe) {
  const std::set<std::string> kept = kept_paths(recipe);
  std::string script = "set -e\n" + functions(kept, "rm -rf -- \"$1\"");
  for (const CleanUp& clean_up : kCleanUps) script += command_for(clean_up, kept, Doing::kCleaning);
  return script + std::string(kShadow);
}

std::vector<std::string> find_traces(Sandbox& guest, const recipe::ResolvedRecipe& recipe) {
  const std::set<std::string> kept = kept_paths(recipe);
  std::string script = "set -e\n" + functions(kept, "printf '%s\\n' \"$1\"");
  for (const CleanUp& clean_up : kCleanUps) {
    if (clean_up.is_told) script += command_for(clean_up, kept, Doing::kLooking);
  }
  std::vector<std::string> paths = core::split(guest.query(script), '\n');
  std::erase(paths, "");
  std::sort(paths.begin(), paths.end());
  return paths;
}

void clean_identity(Sandbox& guest, const recipe::ResolvedRecipe& recipe) {
  guest.query(clean_script(recipe));
  guest.remove_private_folder();
}

}  // namespace imgforge::guest
