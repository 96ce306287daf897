#include "builder/recipe/typing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>

#include "artifacts/manifest/formats.hpp"
#include "builder/recipe/document/source_files.hpp"
#include "builder/recipe/document/templates.hpp"
#include "builder/recipe/first_boot.hpp"
#include "builder/recipe/iso_base.hpp"
#include "builder/recipe/schema/schema.hpp"
#include "builder/recipe/shared_folder.hpp"
#include "core/text.hpp"

namespace imgforge::recipe {

const std::vector<Node>& items_of(const Node& record, std::string_view key) {
  static const std::vector<Node> none;
  const Node* list = record.find(key);
  return list == nullptr ? none : list->items();
}

std::vector<std::string> texts(const Node& record, std::string_view key) {
  std::vector<std::string> out;
  for (const Node& item : items_of(record, key)) out.push_back(item.text());
  return out;
}

namespace {

const Node& at(const Node& record, std::string_view key) {
  return *record.find(key);
}

std::string text_or(const Node& record, std::string_view key, std::string fallback) {
  const Node* value = record.find(key);
  return value == nullptr ? std::move(fallback) : value->text();
}

std::vector<Marked> marked(const Node& record, std::string_view key) {
  std::vector<Marked> out;
  for (const Node& item : items_of(record, key)) out.push_back({item.text(), item.mark()});
  return out;
}

std::string host_name_from(std::string name) {
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '-';
  }
  name.erase(name.find_last_not_of('-') + 1);
  return name.substr(0, 63);
}

Base read_base(const Node& base) {
  if (base.kind() == NodeKind::kScalar) return EmbeddedBase{.mark = base.mark()};
  const Node& node = at(base, "alpine");
  AlpineBase alpine;
  alpine.release = at(node, "release").text();
  alpine.arch = at(node, "arch").text();
  alpine.flavor = at(node, "flavor").text();
  alpine.mark = at(node, "release").mark();
  for (const Node& mirror : items_of(node, "mirrors"))
    alpine.mirrors.push_back(without_trailing_slash(mirror.text()));
  if (alpine.mirrors.empty())
    throw recipe_error(at(node, "mirrors"), "base.alpine.mirrors needs at least one mirror");
  const Node* sha256 = node.find("sha256");
  const Node* sha512 = node.find("sha512");
  if (sha256 != nullptr && sha512 != nullptr) {
    throw recipe_error(*sha512, "sha256 and sha512 are both given").hint("keep one of them");
  }
  if (sha256 != nullptr) alpine.digest = core::Digest::from_hex(core::HashAlgorithm::kSha256, sha256->text());
  if (sha512 != nullptr) alpine.digest = core::Digest::from_hex(core::HashAlgorithm::kSha512, sha512->text());
  return alpine;
}

Packages read_packages(const Node& node, const std::filesystem::path& folder) {
  Packages packages;
  for (Marked& repository : packages.repositories = marked(node, "repositories")) {
    repository.value = without_trailing_slash(std::move(repository.value));
  }
  for (Marked& repository : packages.image_repositories = marked(node, "image_repositories"))
    repository.value = without_trailing_slash(std::move(repository.value));
  packages.add = marked(node, "add");
  packages.remove = marked(node, "remove");
  for (const Node& key : items_of(node, "keys")) {
    const std::string text = read_source(key, find_source(key, folder));
    // The path as written, not what links lead to: apk finds a key by its file name.
    packages.keys.push_back({(folder / key.text()).lexically_normal().native(), key.mark()});
    packages.key_digests.push_back(core::digest_of(core::HashAlgorithm::kSha256, text));
  }
  for (const Marked& removed : packages.remove) {
    for (const Marked& added : packages.add) {
      if (package_name(added.value) != removed.value) continue;
      throw core::Error(core::Kind::kRecipe,
                        fmt::format("package {} is in both add and remove", removed.value))
          .at(removed.mark);
    }
  }
  return packages;
}

/// Reads `files`: contents given in place are always templates, sources when they say so.
class FileReader {
 public:
  FileReader(std::map<std::string, std::string> variables, const TypingContext& context)
      : variables_(std::move(variables)), context_(context) {}

  FileEntry read(const Node& item) const {
    FileEntry file;
    file.path = at(item, "path").text();
    file.mode = read_mode(at(item, "mode"));
    std::tie(file.owner, file.group) = read_owner(at(item, "owner"));
    file.mark = at(item, "path").mark();
    const Node* content = item.find("content");
    const Node* source = item.find("source");
    if ((content == nullptr) == (source == nullptr)) {
      throw recipe_error(at(item, "path"), fmt::format("{} needs either content or source", file.path))
          .hint(content == nullptr ? "for an empty file: content: \"\"" : "keep one of them");
    }
    file.content = content != nullptr ? core::Content(expand_in_place(*content))
                                      : from_source(*source, at(item, "template"));
    return file;
  }

 private:
  std::string expand_in_place(const Node& content) const {
    const auto mark = [&](std::size_t, std::size_t length, std::size_t opening) {
      const Place& place = content.place();
      if (!place.source) return core::Mark{};
      const std::string& raw = place.source->text();
      std::size_t offset = raw.find("{{", place.offset);
      for (; opening > 0 && offset != std::string::npos; --opening) offset = raw.find("{{", offset + 2);
      return offset == std::string::npos ? content.mark() : place.source->mark(offset, length);
    };
    return expand_template(content.text(), variables_, mark);
  }

  core::Content from_source(const Node& source, const Node& is_template) const {
    const std::filesystem::path file = find_source(source, context_.folder);
    if (is_template.text() != "true") return context_.copied_files.at(source, file);
    const std::string text = read_source(source, file);
    const auto mark = [&](std::size_t offset, std::size_t length, std::size_t) {
      return SourceText(file.native(), text).mark(offset, length);
    };
    return expand_template(text, variables_, mark);
  }

  std::map<std::string, std::string> variables_;
  const TypingContext& context_;
};

void read_tree_entries(const Node& top, const FileReader& files, ResolvedRecipe& out) {
  for (const Node& item : items_of(top, "files")) out.files.push_back(files.read(item));
  for (const Node& item : items_of(top, "directories")) {
    DirectoryEntry directory;
    directory.path = at(item, "path").text();
    directory.mode = read_mode(at(item, "mode"));
    std::tie(directory.owner, directory.group) = read_owner(at(item, "owner"));
    directory.mark = at(item, "path").mark();
    out.directories.push_back(std::move(directory));
  }
  for (const Node& item : items_of(top, "links")) {
    out.links.push_back({at(item, "path").text(), at(item, "target").text(), at(item, "path").mark()});
  }
}

void read_accounts(const Node& top, ResolvedRecipe& out) {
  for (const Node& item : items_of(top, "groups")) {
    Group group{at(item, "name").text(), {}, at(item, "name").mark()};
    if (const Node* gid = item.find("gid")) group.gid = read_number(*gid);
    out.groups.push_back(std::move(group));
  }
  for (const Node& item : items_of(top, "users")) {
    User user;
    user.name = at(item, "name").text();
    user.mark = at(item, "name").mark();
    if (const Node* uid = item.find("uid")) user.uid = read_number(*uid);
    const std::string& password = at(item, "password").text();
    user.passwordless = password == "none";
    if (password.starts_with('$')) user.password_hash = password;
    user.shell = at(item, "shell").text();
    user.home = text_or(item, "home", "");
    user.ssh_keys = texts(item, "ssh_keys");
    user.groups = texts(item, "groups");
    out.users.push_back(std::move(user));
  }
}

void read_formats(const Node& top, ResolvedRecipe& out) {
  const std::string& compression = at(at(top, "qcow2"), "compression").text();
  out.qcow2_compression = compression == "zstd"   ? Qcow2Compression::kZstd
                          : compression == "zlib" ? Qcow2Compression::kZlib
                                                  : Qcow2Compression::kNone;
  out.iso_volume_id = text_or(at(top, "iso"), "volume_id", "");
  const Node& data = at(at(top, "usb"), "data_size");
  out.usb_data_size = read_size(data);
  if (out.usb_data_size < core::mib(16) || out.usb_data_size > core::gib(64)) {
    throw recipe_error(
        data, fmt::format("usb.data_size must be from 16M to 64G, not {}", out.usb_data_size.to_string()));
  }
}

void read_vm(const Node& vm, ResolvedRecipe& out) {
  const std::string& network = at(vm, "network").text();
  out.vm.network = network == "user"     ? VmNetwork::kUser
                   : network == "bridge" ? VmNetwork::kBridge
                                         : VmNetwork::kNone;
  const Node* maximum = vm.find("maximum_memory");
  out.vm.maximum_memory =
      maximum == nullptr ? core::Bytes{out.requirements.memory.value * 4} : read_size(*maximum);
  if (out.vm.maximum_memory < out.requirements.memory || out.vm.maximum_memory > core::gib(16 << 10)) {
    throw recipe_error(*maximum,
                       fmt::format("vm.maximum_memory must be from requirements.memory ({}) to 16T, not {}",
                                   out.requirements.memory.to_string(), out.vm.maximum_memory.to_string()));
  }
}

void read_machine(const Node& top, ResolvedRecipe& out) {
  const Node* package = at(top, "kernel").find("package");
  out.kernel = {package == nullptr ? std::string() : package->text(), texts(at(top, "kernel"), "cmdline"),
                texts(at(top, "kernel"), "initramfs_modules")};
  const Node& disk = at(top, "disk");
  out.disk.size = read_size(at(disk, "size"));
  out.disk.root_filesystem = at(disk, "root_filesystem").text();
  out.disk.root_mode = at(disk, "root").text() == "writable" ? RootMode::kWritable : RootMode::kReadOnly;
  if (out.disk.size < core::mib(64) || out.disk.size > core::gib(64 << 10)) {
    throw recipe_error(at(disk, "size"),
                       fmt::format("disk.size must be from 64M to 64T, not {}", out.disk.size.to_string()));
  }
  if (out.disk.size.value % core::mib(1).value != 0) {
    throw recipe_error(at(disk, "size"), "disk.size must be a whole number of MiB");
  }
  const Node& requirements = at(top, "requirements");
  out.requirements = {read_size(at(requirements, "memory")), read_number(at(requirements, "cpus"))};
  if (out.requirements.memory < core::mib(32) || out.requirements.memory > core::gib(4 << 10)) {
    throw recipe_error(at(requirements, "memory"),
                       fmt::format("requirements.memory must be from 32M to 4T, not {}",
                                   out.requirements.memory.to_string()));
  }
  if (out.requirements.cpus < 1 || out.requirements.cpus > 256) {
    throw recipe_error(at(requirements, "cpus"),
                       fmt::format("requirements.cpus must be from 1 to 256, not {}", out.requirements.cpus));
  }
  read_vm(at(top, "vm"), out);
  read_formats(top, out);
}

Toggle toggle_of(const Node& node) {
  return node.text() == "true" ? Toggle::kOn : Toggle::kOff;
}

void read_boot(const Node& boot, ResolvedRecipe& out) {
  constexpr unsigned kLongestTimeout = 3600;
  out.boot_menu.timeout = read_number(at(boot, "timeout"));
  if (out.boot_menu.timeout > kLongestTimeout) {
    throw recipe_error(at(boot, "timeout"),
                       fmt::format("boot.timeout must be at most {} s", kLongestTimeout));
  }
  out.boot_menu.recovery = toggle_of(at(boot, "recovery"));
  out.boot_menu.quiet = toggle_of(at(boot, "quiet"));
  out.boot_menu.recovery_by_default = at(boot, "default").text() == "recovery" ? Toggle::kOn : Toggle::kOff;
  if (out.boot_menu.recovery_by_default == Toggle::kOn && out.boot_menu.recovery == Toggle::kOff) {
    throw recipe_error(at(boot, "default"), "boot.default is recovery, but boot.recovery is false");
  }
  out.boot_expect = texts(boot, "expect");
}

/// Signed disks only: a format that cannot be signed is refused rather than made without.
void read_secure_boot(const Node& top, ResolvedRecipe& out) {
  const Node& section = at(top, "secure_boot");
  const Node* keys = section.find("keys");
  if (keys == nullptr) return;
  const std::string& enrolment = at(section, "enroll").text();
  out.secure_boot = SecureBoot{{keys->text(), keys->mark()},
                               enrolment == "off"     ? Enrolment::kOff
                               : enrolment == "force" ? Enrolment::kForce
                                                      : Enrolment::kManual};
  if (out.disk.root_mode == RootMode::kWritable) {
    throw recipe_error(at(at(top, "disk"), "root"),
                       "secure_boot needs a read-only root: nothing could check what was written to it");
  }
  for (const Marked& format : out.formats) {
    if (artifacts::find_format(format.value)->secure_boot == artifacts::SecureBoot::kImpossible) {
      throw core::Error(core::Kind::kRecipe,
                        fmt::format("the format {} cannot be had with secure_boot", format.value))
          .at(format.mark)
          .hint("put it into a profile or recipe without secure_boot.keys");
    }
  }
}

/// What is written there is never seen again: these are mounted over or emptied at each start.
void refuse_vanishing(const std::string& path, const core::Mark& mark) {
  for (const std::string_view folder : {"/run", "/tmp", "/proc", "/dev", "/sys", "/var/run", "/var/lock"}) {
    if (!path.starts_with(folder) || path.size() == folder.size() || path[folder.size()] != '/') continue;
    throw core::Error(core::Kind::kRecipe, fmt::format("{} would never be seen: {} is empty at each start",
                                                       core::escaped(path), folder))
        .at(mark)
        .hint("write it where it stays, such as /etc or /var/lib, or make it in a service at the start");
  }
}

/// In a base with merged /usr (Alpine from 3.23 on) some of these are links into /usr, which must stay.
void refuse_system_folder(const std::string& path, const core::Mark& mark) {
  constexpr std::array<std::string_view, 21> kFolders{
      "/bin",   "/boot", "/dev",     "/etc",     "/home",     "/lib",       "/lib64",
      "/media", "/mnt",  "/proc",    "/root",    "/run",      "/sbin",      "/sys",
      "/tmp",   "/usr",  "/usr/bin", "/usr/lib", "/usr/sbin", "/usr/share", "/var"};
  if (std::find(kFolders.begin(), kFolders.end(), path) == kFolders.end()) return;
  throw core::Error(core::Kind::kRecipe, fmt::format("{} is a folder of the system and stays one", path))
      .at(mark)
      .hint("name what shall lie in it");
}

/// Refuses two entries at one path, and entries below a file or a link.
void check_paths(const ResolvedRecipe& recipe) {
  struct Taken {
    const core::Mark* mark;
    bool directory;
  };
  std::map<std::string, Taken> taken;
  const auto take = [&](const std::string& path, const core::Mark& mark, bool directory) {
    refuse_vanishing(path, mark);
    const auto [first, is_new] = taken.emplace(path, Taken{&mark, directory});
    if (is_new) return;
    throw core::Error(core::Kind::kRecipe, fmt::format("{} is made twice, first on line {}",
                                                       core::escaped(path), first->second.mark->line))
        .at(mark);
  };
  for (const FileEntry& file : recipe.files) {
    refuse_system_folder(file.path, file.mark);
    take(file.path, file.mark, false);
  }
  for (const LinkEntry& link : recipe.links) {
    refuse_system_folder(link.path, link.mark);
    take(link.path, link.mark, false);
  }
  for (const DirectoryEntry& directory : recipe.directories) take(directory.path, directory.mark, true);
  for (const auto& [path, entry] : taken) {
    for (auto slash = path.rfind('/'); slash > 0; slash = path.rfind('/', slash - 1)) {
      const auto parent = taken.find(path.substr(0, slash));
      if (parent == taken.end() || parent->second.directory) continue;
      throw core::Error(
          core::Kind::kRecipe,
          fmt::format("{} lies below {}, which line {} makes a file or link", core::escaped(path),
                      core::escaped(parent->first), parent->second.mark->line))
          .at(*entry.mark);
    }
  }
}

std::map<std::string, std::string> template_variables(const Node& top, const ResolvedRecipe& recipe) {
  std::map<std::string, std::string> variables{{"name", recipe.name},
                                               {"profile", recipe.profile},
                                               {"version", recipe.version},
                                               {"hostname", recipe.hostname},
                                               {"description", recipe.description}};
  if (const Node* vars = top.find("vars")) {
    for (const Entry& entry : vars->entries())
      variables.emplace("vars." + entry.key.text(), entry.value.text());
  }
  return variables;
}

}  // namespace

std::string without_trailing_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

/// `agent: true` is short for what people would write without it; what they wrote too stays as it is.
void add_agent(const Node& agent, ResolvedRecipe& out) {
  constexpr const char* kAgent = "qemu-guest-agent";
  constexpr const char* kConsole = "virtio_console";
  if (toggle_of(agent) == Toggle::kOff) return;
  for (const Marked& removed : out.packages.remove) {
    if (removed.value == kAgent)
      throw recipe_error(agent, "agent is true, but packages.remove has qemu-guest-agent");
  }
  const auto is_agent = [&](const Marked& package) { return package_name(package.value) == kAgent; };
  std::vector<Marked>& packages = out.packages.add;
  if (std::none_of(packages.begin(), packages.end(), is_agent)) packages.push_back({kAgent, agent.mark()});
  const auto starts_it = [&](const Service& service) { return service.name == kAgent; };
  if (std::none_of(out.services.begin(), out.services.end(), starts_it))
    out.services.push_back({"default", kAgent, agent.mark()});
  if (std::find(out.modules.begin(), out.modules.end(), kConsole) == out.modules.end())
    out.modules.push_back(kConsole);
}

ResolvedRecipe typed(const Node& top, const TypingContext& context) {
  ResolvedRecipe out;
  out.name = at(top, "name").text();
  out.description = text_or(top, "description", "");
  out.profile = context.profile;
  out.version = at(top, "version").text();
  if (out.version == "date") out.version = "v" + core::compact_date(context.build_time);
  out.folder = context.folder;
  out.base = read_base(at(top, "base"));
  out.packages = read_packages(at(top, "packages"), context.folder);
  out.hostname = text_or(top, "hostname", host_name_from(out.name));
  out.timezone = at(top, "timezone").text();
  read_tree_entries(top, FileReader(template_variables(top, out), context), out);
  read_accounts(top, out);
  for (const Field* runlevel : fields_below("services")) {
    for (const Node& service : items_of(at(top, "services"), runlevel->name())) {
      out.services.push_back({std::string(runlevel->name()), service.text(), service.mark()});
    }
  }
  out.modules = texts(top, "modules");
  add_agent(at(top, "agent"), out);
  if (const Node* sysctl = top.find("sysctl")) {
    for (const Entry& entry : sysctl->entries()) out.sysctl.emplace(entry.key.text(), entry.value.text());
  }
  for (const Node& step : items_of(top, "run")) out.run.push_back({step.text(), step.mark()});
  out.models = read_models(top);
  out.vex = read_vex(top);
  read_machine(top, out);
  out.formats = marked(top, "formats");
  if (out.formats.empty()) throw recipe_error(at(top, "formats"), "formats needs at least one format");
  read_boot(at(top, "boot"), out);
  read_secure_boot(top, out);
  out.first_boot = read_first_boot(top, out.name);
  out.shared = read_shared(top);
  check_paths(out);
  check_iso_base(top, out);
  check_models(out);
  return out;
}

}  // namespace imgforge::recipe
