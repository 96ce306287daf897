#include "builder/guest/operations.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "builder/first_boot/installation.hpp"
#include "builder/shared_folder/installation.hpp"
#include "core/text.hpp"

namespace imgforge::guest {
namespace {

core::Error mistake(std::string message, const core::Mark& mark) {
  return std::move(core::Error(core::Kind::kCustomize, std::move(message)).at(mark));
}

void suggest(core::Error& error, std::string_view word, const std::vector<std::string>& candidates) {
  const std::string near = core::nearest_word(word, candidates);
  if (!near.empty()) error.hint(fmt::format("did you mean \"{}\"?", near));
}

std::uint32_t uid_of(const Customisation& job, const std::string& name, const core::Mark& mark) {
  if (const std::optional<Account> account = job.accounts.find_user(name)) return account->uid;
  core::Error error = mistake(fmt::format("there is no user \"{}\" in the image", name), mark);
  suggest(error, name, job.accounts.user_names());
  throw error;
}

std::uint32_t gid_of(const Customisation& job, const std::string& name, const core::Mark& mark) {
  if (const std::optional<std::uint32_t> gid = job.accounts.find_group(name)) return *gid;
  core::Error error = mistake(fmt::format("there is no group \"{}\" in the image", name), mark);
  suggest(error, name, job.accounts.group_names());
  throw error;
}

void add_ssh_keys(Customisation& job, const recipe::User& user, const Account& account) {
  if (user.ssh_keys.empty()) return;
  const std::string folder = account.home + "/.ssh";
  job.overlay.add_directory(folder, {0700, account.uid, account.gid}, user.mark);
  job.overlay.add_file(folder + "/authorized_keys", core::join(user.ssh_keys, "\n") + "\n",
                       {0600, account.uid, account.gid}, user.mark);
}

void apply_accounts(Customisation& job) {
  if (job.recipe.groups.empty() && job.recipe.users.empty()) return;
  const AccountFiles before = job.accounts.files();
  job.accounts.apply(job.recipe.groups, job.recipe.users);
  const AccountFiles after = job.accounts.files();
  const std::uint32_t shadow_group = job.accounts.find_group("shadow").value_or(0);
  if (after.passwd != before.passwd) job.overlay.add_file("/etc/passwd", after.passwd, {0644, 0, 0});
  if (after.group != before.group) job.overlay.add_file("/etc/group", after.group, {0644, 0, 0});
  if (after.shadow != before.shadow) {
    job.overlay.add_file("/etc/shadow", after.shadow, {shadow_group == 0 ? 0600U : 0640U, 0, shadow_group});
  }
  for (const recipe::User& user : job.recipe.users) {
    const std::optional<Account> account = job.accounts.find_user(user.name);
    if (!account) continue;
    if (account->created && job.facts.at(account->home).kind == PathKind::kAbsent && account->home != "/") {
      job.overlay.add_directory(account->home, {0755, account->uid, account->gid}, user.mark);
    }
    add_ssh_keys(job, user, *account);
  }
}

void apply_directories(Customisation& job) {
  for (const recipe::DirectoryEntry& entry : job.recipe.directories) {
    const Ownership owner{entry.mode, uid_of(job, entry.owner, entry.mark),
                          gid_of(job, entry.group, entry.mark)};
    job.overlay.add_directory(entry.path, owner, entry.mark);
  }
}

void apply_files(Customisation& job) {
  for (const recipe::FileEntry& entry : job.recipe.files) {
    const Ownership owner{entry.mode, uid_of(job, entry.owner, entry.mark),
                          gid_of(job, entry.group, entry.mark)};
    job.overlay.add_file(entry.path, entry.content, owner, entry.mark);
  }
}

void apply_links(Customisation& job) {
  for (const recipe::LinkEntry& entry : job.recipe.links) {
    job.overlay.add_link(entry.path, entry.target, entry.mark);
  }
}

first_boot::Init init_of(const Customisation& job) {
  const bool openrc = job.facts.at("/sbin/openrc-run").kind != PathKind::kAbsent;
  return openrc ? first_boot::Init::kOpenRc : first_boot::Init::kLocalScripts;
}

void apply_installation(Customisation& job, const first_boot::Installation& all) {
  for (const std::string& path : all.directories) {
    if (!job.overlay.has(path)) job.overlay.add_directory(path, {0755, 0, 0});
  }
  for (const first_boot::File& file : all.files) {
    job.overlay.add_file(file.path, file.content, {file.mode, 0, 0});
  }
  for (const first_boot::Link& link : all.links) {
    const bool taken = job.overlay.has(link.path) || job.facts.at(link.path).kind != PathKind::kAbsent;
    if (!link.optional || !taken) job.overlay.add_link(link.path, link.target);
  }
}

void apply_first_boot(Customisation& job) {
  if (job.recipe.first_boot)
    apply_installation(job, first_boot::installation(*job.recipe.first_boot, init_of(job)));
}

void apply_shared_folder(Customisation& job) {
  if (job.recipe.shared)
    apply_installation(job, shared_folder::installation(*job.recipe.shared, init_of(job)));
}

/// A file that imgforge makes, unless the recipe brings its own.
void add_own_file(Customisation& job, const std::string& path, std::string content) {
  if (!job.overlay.has(path)) job.overlay.add_file(path, std::move(content), {0644, 0, 0});
}

void apply_hostname(Customisation& job) {
  const std::string& name = job.recipe.hostname;
  if (name.empty()) return;
  add_own_file(job, "/etc/hostname", name + "\n");
  const std::string hosts = job.facts.text("/etc/hosts");
  std::string words = hosts;
  std::replace_if(
      words.begin(), words.end(), [](char c) { return c == '\t' || c == '\n'; }, ' ');
  const std::vector<std::string> names = core::split(words, ' ');
  if (std::find(names.begin(), names.end(), name) != names.end()) return;
  add_own_file(job, "/etc/hosts", with_lines(hosts, {"127.0.1.1\t" + name}));
}

void apply_timezone(Customisation& job) {
  const std::string& zone = job.recipe.timezone;
  const std::string file = "/usr/share/zoneinfo/" + zone;
  const bool known = job.facts.at(file).kind != PathKind::kAbsent;
  if (!known && zone != "UTC") {
    throw core::Error(core::Kind::kCustomize,
                      fmt::format("the image does not know the time zone \"{}\"", zone))
        .hint("add the package tzdata, or check the name: Area/City as in Europe/Vienna");
  }
  if (known && !job.overlay.has("/etc/localtime")) job.overlay.add_link("/etc/localtime", file);
  add_own_file(job, "/etc/timezone", zone + "\n");
}

void apply_modules(Customisation& job) {
  if (job.recipe.modules.empty()) return;
  add_own_file(job, "/etc/modules", with_lines(job.facts.text("/etc/modules"), job.recipe.modules));
}

void apply_sysctl(Customisation& job) {
  if (job.recipe.sysctl.empty()) return;
  std::string text;
  for (const auto& [key, value] : job.recipe.sysctl) text += fmt::format("{} = {}\n", key, value);
  add_own_file(job, "/etc/sysctl.d/imgforge.conf", text);
}

void require_init_script(const Customisation& job, const recipe::Service& service) {
  const std::string script = "/etc/init.d/" + service.name;
  if (const artifacts::TarEntry* file = job.overlay.file_at(script)) {
    if ((file->mode & 0111) != 0) return;
    throw core::Error(core::Kind::kCustomize, fmt::format("{} is not executable", script))
        .at(service.mark)
        .hint("give the file mode \"0755\"");
  }
  if (job.overlay.has(script) || job.facts.at(script).kind != PathKind::kAbsent) return;
  core::Error error =
      mistake(fmt::format("there is no service \"{}\" in the image", service.name), service.mark);
  suggest(error, service.name, job.facts.services);
  throw error;
}

void apply_services(Customisation& job) {
  for (const recipe::Service& service : job.recipe.services) {
    if (job.facts.at("/sbin/openrc-run").kind == PathKind::kAbsent) {
      throw core::Error(core::Kind::kCustomize, "services need OpenRC, and the image has none")
          .at(service.mark)
          .hint("add the package openrc, or start the program from /etc/inittab");
    }
    require_init_script(job, service);
    const std::string link = fmt::format("/etc/runlevels/{}/{}", service.runlevel, service.name);
    if (!job.overlay.has(link)) job.overlay.add_link(link, "/etc/init.d/" + service.name, service.mark);
  }
}

void apply_console(Customisation& job) {
  if (!job.facts.texts.contains("/etc/inittab") || job.overlay.has("/etc/inittab")) return;
  const std::string before = job.facts.text("/etc/inittab");
  const std::string after = with_serial_console(before);
  if (after != before) add_own_file(job, "/etc/inittab", after);
}

constexpr std::array kOperations{
    Operation{"accounts", "users and groups, their homes and ssh keys", apply_accounts},
    Operation{"directories", "directories of the recipe", apply_directories},
    Operation{"files", "files of the recipe", apply_files},
    Operation{"links", "symbolic links of the recipe", apply_links},
    Operation{"first boot", "questions, network and models of the first start", apply_first_boot},
    Operation{"shared folder", "the service of the folder that the host shares", apply_shared_folder},
    Operation{"hostname", "/etc/hostname, and a line in /etc/hosts", apply_hostname},
    Operation{"timezone", "/etc/localtime and /etc/timezone", apply_timezone},
    Operation{"modules", "kernel modules loaded at boot, in /etc/modules", apply_modules},
    Operation{"sysctl", "kernel settings, in /etc/sysctl.d/imgforge.conf", apply_sysctl},
    Operation{"services", "OpenRC services, as links in /etc/runlevels", apply_services},
    Operation{"console", "log-in on the serial port ttyS0, in /etc/inittab", apply_console},
};

}  // namespace

std::span<const Operation> operations() {
  return kOperations;
}

std::string with_serial_console(std::string_view inittab) {
  constexpr std::string_view kGetty = "ttyS0::respawn:/sbin/getty -L ttyS0 115200 vt100";
  std::vector<std::string> lines = core::split(inittab, '\n');
  const auto starts = [](std::string_view start) {
    return [start](const std::string& line) { return std::string_view(line).starts_with(start); };
  };
  if (std::any_of(lines.begin(), lines.end(), starts("ttyS0:"))) return std::string(inittab);
  const auto commented = std::find_if(lines.begin(), lines.end(), starts("#ttyS0:"));
  if (commented == lines.end()) return with_lines(inittab, {std::string(kGetty)});
  *commented = kGetty;
  return core::join(lines, "\n");
}

std::string with_lines(std::string_view text, const std::vector<std::string>& lines) {
  std::string out(text);
  if (!out.empty() && out.back() != '\n') out += '\n';
  std::vector<std::string> there = core::split(text, '\n');
  for (const std::string& line : lines) {
    if (std::find(there.begin(), there.end(), line) != there.end()) continue;
    there.push_back(line);
    out += line + "\n";
  }
  return out;
}

}  // namespace imgforge::guest
