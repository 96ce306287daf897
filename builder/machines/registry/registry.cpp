#include "builder/machines/registry/registry.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "artifacts/store/clones.hpp"
#include "builder/machines/registry/machine_lock.hpp"
#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/file_bytes.hpp"
#include "core/text.hpp"

namespace imgforge::machines {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr const char* kSettingsFile = "machine.json";

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::symlink_status(path, error).type() == fs::file_type::directory;
}

Entry read_entry(const fs::path& folder) {
  Entry entry{folder.filename(), folder, {}, {}};
  try {
    Settings settings = parse_settings(core::read_text_file(folder / kSettingsFile));
    if (settings.name != entry.name)
      throw Error(Kind::kIntegrity, "machine.json is that of " + settings.name);
    entry.settings = std::move(settings);
  } catch (const Error& error) {
    entry.problem = error.message();
  }
  return entry;
}

std::uint64_t big_endian(const std::byte* bytes, int count) {
  std::uint64_t value = 0;
  for (int i = 0; i < count; ++i) value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  return value;
}

/// The store of a clone by its disk alone, whose header names the file that it stands on
/// (docs/interop/qcow2.txt of QEMU): <store>/releases/<line>/<version>/<file>. Empty when it cannot be told.
fs::path store_of_disk(const fs::path& folder) {
  try {
    const fs::path disk = folder / artifacts::kCloneDisk;
    const core::Fd fd = core::open_regular(disk, core::FollowLinks::kNo);
    std::array<std::byte, 20> header{};
    if (core::read_at(fd.get(), disk.native(), 0, header) < header.size()) return {};
    const std::uint64_t size = big_endian(header.data() + 16, 4);
    if (big_endian(header.data(), 4) != 0x514649fb || size == 0 || size > 1023) return {};
    std::string name(size, '\0');
    core::read_at(fd.get(), disk.native(), big_endian(header.data() + 8, 8),
                  std::as_writable_bytes(std::span(name)));
    const fs::path version = (folder / name).lexically_normal().parent_path();
    const fs::path releases = version.parent_path().parent_path();
    return releases.filename() == "releases" ? releases.parent_path() : fs::path();
  } catch (const Error&) {
    return {};
  }
}

/// True when the store has a clone of that name, and it is this folder's or nobody can tell.
bool holds_clone(const artifacts::Store& store, const std::string& name, const fs::path& folder) {
  const auto clone = artifacts::read_clone(store.root(), name);
  if (!clone) return false;
  std::error_code error;
  return !clone->problem.empty() || fs::weakly_canonical(clone->directory, error) == folder;
}

/// Gives back what the machine holds of a store; afterwards its folder may be gone.
std::vector<std::string> release_clone(const Entry& entry, const fs::path& folder,
                                       const artifacts::ChangeOptions& options) {
  fs::path root;
  if (entry.settings && entry.settings->origin.is_release()) root = entry.settings->origin.store;
  if (!entry.settings) root = store_of_disk(folder);
  if (root.empty()) return {};
  try {
    const artifacts::Store store = artifacts::Store::open(root);
    if (!holds_clone(store, entry.name, folder)) return {};
    return artifacts::remove_clone(store, entry.name, options);
  } catch (const Error& error) {
    if (error.kind() == Kind::kLocked || error.kind() == Kind::kInterrupted) throw;
    return {
        fmt::format("{} may still hold the release of {}: {}", root.native(), entry.name, error.message())};
  }
}

}  // namespace

void Registry::make_root() const {
  std::error_code error;
  fs::create_directories(root_, error);
  if (error) throw core::system_error(error.value(), "cannot create", root_.native());
  if (::chmod(root_.c_str(), 0700) != 0) throw core::system_error(errno, "cannot protect", root_.native());
}

fs::path Registry::folder(const std::string& name) const {
  check_machine_name(name);
  return root_ / name;
}

std::vector<Entry> Registry::entries() const {
  std::vector<Entry> found;
  std::error_code error;
  for (const auto& item : fs::directory_iterator(root_, error)) {
    try {
      check_machine_name(item.path().filename().native());
    } catch (const Error&) {
      continue;  // unfinished work of the store
    }
    if (is_folder(item.path())) found.push_back(read_entry(item.path()));
  }
  if (error && error != std::errc::no_such_file_or_directory)
    throw core::system_error(error.value(), "cannot list", root_.native());
  std::sort(found.begin(), found.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return found;
}

Entry Registry::find(const std::string& name) const {
  const fs::path path = folder(name);
  if (is_folder(path)) return read_entry(path);
  Error error(Kind::kUsage, fmt::format("there is no machine \"{}\"", core::escaped(name, 120)));
  std::vector<std::string> names;
  for (const Entry& entry : entries()) names.push_back(entry.name);
  const std::string nearest = core::nearest_word(name, names);
  throw std::move(nearest.empty() ? error.hint("imgforge vm list shows those that there are")
                                  : error.hint("did you mean \"" + nearest + "\"?"));
}

Settings Registry::load(const std::string& name) const {
  Entry entry = find(name);
  if (!entry.settings) {
    throw Error(Kind::kIntegrity, fmt::format("the machine {} is damaged: {}", name, entry.problem))
        .hint("imgforge vm remove " + name + " removes what is left of it");
  }
  return *std::move(entry.settings);
}

void Registry::save(const Settings& settings) const {
  core::write_file_atomically(folder(settings.name) / kSettingsFile, print_settings(settings), 0600);
}

std::vector<std::string> Registry::remove(const std::string& name, const artifacts::ChangeOptions& options,
                                          std::chrono::milliseconds patience) const {
  const Entry entry = find(name);
  const fs::path path = fs::canonical(entry.folder);
  MachineLock lock(path);
  lock.command(patience, options.cancel);
  lock.decide(patience, options.cancel);
  if (is_running(path)) {
    throw Error(Kind::kLocked, fmt::format("the machine {} runs", name))
        .hint(fmt::format("imgforge vm stop {0}, or imgforge vm stop {0} --kill", name));
  }
  // The settings go first: without them nobody starts it any more. What a removal that is killed leaves can
  // be removed again, as the clone goes last and its disk says what it stands on.
  std::error_code error;
  fs::remove(path / kSettingsFile, error);
  if (error) throw core::system_error(error.value(), "cannot remove", (path / kSettingsFile).native());
  for (const auto& item : fs::directory_iterator(path)) {
    const std::string file = item.path().filename();
    if (file == artifacts::kCloneDisk || file == "clone.json") continue;
    fs::remove_all(item.path(), error);
    if (error) throw core::system_error(error.value(), "cannot remove", item.path().native());
  }
  std::vector<std::string> warnings = release_clone(entry, path, options);
  fs::remove_all(path, error);
  if (error) throw core::system_error(error.value(), "cannot remove", path.native());
  return warnings;
}

unsigned Registry::reclaim(const artifacts::ChangeOptions& options) const {
  unsigned removed = 0;
  for (const Entry& entry : entries()) {
    if (!entry.settings || !entry.settings->disposable || is_running(entry.folder)) continue;
    try {
      remove(entry.name, options, std::chrono::milliseconds(0));
      ++removed;
    } catch (const Error& error) {
      if (error.kind() == Kind::kInterrupted) throw;
    }
  }
  return removed;
}

}  // namespace imgforge::machines
