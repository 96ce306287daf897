#include "artifacts/store/inventory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <system_error>

#include "artifacts/check/release_check.hpp"
#include "artifacts/codec/packed_file.hpp"
#include "artifacts/store/clones.hpp"
#include "artifacts/store/flat_names.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/handle.hpp"
#include "core/parallel.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;
namespace fs = std::filesystem;

constexpr std::uint64_t kMaxSignatureBytes = 4096;

/// A small regular file of an open folder as text; symlinks are refused.
std::string read_small(int folder, const char* name, std::uint64_t limit) {
  const core::Fd fd(::openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd) throw core::system_error(errno, "cannot open", name);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw core::system_error(errno, "cannot examine", name);
  if (!S_ISREG(status.st_mode)) throw Error(Kind::kIntegrity, std::string(name) + " is not a regular file");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > limit) throw Error(Kind::kUnsafe, std::string(name) + " is too large");
  std::string text(size, '\0');
  std::size_t have = 0;
  while (have < text.size()) {
    const std::size_t n =
        core::read_some(fd.get(), std::as_writable_bytes(std::span(text).subspan(have)), name);
    if (n == 0) break;
    have += n;
  }
  text.resize(have);
  return text;
}

/// Fills manifest, signature and files of a release whose folder is known. False when the folder is gone.
bool read_release(InventoryRelease& release) {
  core::Fd fd(::open(release.directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT) return false;
    release.problem = core::system_error(errno, "cannot open", release.directory.native()).message();
    return true;
  }
  const int folder = fd.release();
  const core::Handle<&::closedir> listing(::fdopendir(folder));
  if (!listing) throw core::system_error(errno, "cannot list", release.directory.native());
  std::vector<std::string> others;
  while (const dirent* entry = ::readdir(listing.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    struct stat status {};
    const bool regular = entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN;
    if (regular && ::fstatat(folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!regular || !S_ISREG(status.st_mode)) {
      others.emplace_back(name);
      continue;
    }
    release.files.push_back({entry->d_name, static_cast<std::uint64_t>(status.st_size),
                             static_cast<std::uint64_t>(status.st_blocks) * 512, status.st_dev,
                             status.st_ino});
  }
  std::sort(release.files.begin(), release.files.end(),
            [](const StoredFile& a, const StoredFile& b) { return a.name < b.name; });
  try {
    release.manifest = parse_manifest_overview(read_small(folder, kManifestFile, kMaxManifestBytes));
    if (release.file(std::string(kManifestFile) + kSignatureSuffix) != nullptr) {
      release.signature =
          read_small(folder, (std::string(kManifestFile) + kSignatureSuffix).c_str(), kMaxSignatureBytes);
    }
  } catch (const Error& error) {
    release.problem = error.message();
  }
  if (release.manifest) {
    for (const ManifestArtifact& artifact : release.manifest->artifacts)
      std::erase(others, plain_name(*release.manifest, artifact));
  }
  release.strangers = std::move(others);
  return true;
}

/// `current` and the releases of one line, seen at one moment.
InventoryLine list_line(const Store& store, const std::string& name) {
  InventoryLine line;
  // `current` is read before the folder is listed, so what it names is listed, unless it was turned and its
  // release removed in between; then once more.
  for (int attempt = 0; attempt < 3; ++attempt) {
    line = {};
    line.name = name;
    try {
      if (const auto current = store.current(name)) line.current = current->to_string();
    } catch (const Error& error) {
      line.problem = error.message();
    }
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(store.line_directory(name), error)) {
      const std::string version = entry.path().filename().native();
      std::error_code gone;
      if (!Version::parse(version) || entry.symlink_status(gone).type() != fs::file_type::directory) continue;
      InventoryRelease release;
      release.line = name;
      release.version = version;
      release.state = line.current == version ? ReleaseState::kCurrent : ReleaseState::kOld;
      release.directory = entry.path();
      line.releases.push_back(std::move(release));
    }
    if (error && error != std::errc::no_such_file_or_directory) {
      throw core::system_error(error.value(), "cannot list", store.line_directory(name).native());
    }
    if (!line.current || line.find(*line.current) != nullptr) break;
  }
  return line;
}

/// Releases under archive/, without content and, until their manifests are read, without line and version.
std::vector<InventoryRelease> list_archive(const Store& store) {
  std::vector<InventoryRelease> found;
  std::error_code error;
  for (const auto& month : fs::directory_iterator(store.root() / "archive", error)) {
    std::error_code ignored;
    if (month.path().filename().native().starts_with('.')) continue;
    if (month.symlink_status(ignored).type() != fs::file_type::directory) continue;
    for (const auto& entry : fs::directory_iterator(month.path(), ignored)) {
      std::error_code gone;
      if (!is_file_name(entry.path().filename().native()) ||
          entry.symlink_status(gone).type() != fs::file_type::directory) {
        continue;
      }
      InventoryRelease release;
      release.state = ReleaseState::kArchived;
      release.directory = entry.path();
      found.push_back(std::move(release));
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw core::system_error(error.value(), "cannot list", (store.root() / "archive").native());
  }
  return found;
}

/// Names an archived release by its manifest; without a readable one by the name of its folder, after the
/// longest line that it begins with.
void name_archived(InventoryRelease& release, const std::set<std::string>& lines) {
  const std::string stem = release.directory.filename().native();
  if (release.manifest && release.manifest->stem() == stem) {
    release.line = release.manifest->line();
    release.version = release.manifest->version;
    return;
  }
  if (release.manifest) release.problem = "holds the manifest of " + release.manifest->stem();
  for (const std::string& line : lines) {
    if (!stem.starts_with(line + "-") || line.size() < release.line.size()) continue;
    release.line = line;
    release.version = stem.substr(line.size() + 1);
  }
  if (!release.line.empty()) return;
  const std::size_t dash = stem.rfind('-');
  release.line = stem.substr(0, dash);
  release.version = dash == std::string::npos ? "" : stem.substr(dash + 1);
}

/// Files archived releases under their lines. One that was moved while this ran counts once, and so does one
/// that is in both places: it is seen where it can be used.
void add_archived(Inventory& inventory, std::vector<InventoryRelease> archived) {
  for (InventoryRelease& release : archived) {
    auto line = std::find_if(inventory.lines.begin(), inventory.lines.end(),
                             [&](const InventoryLine& row) { return row.name == release.line; });
    if (line == inventory.lines.end()) {
      line = inventory.lines.emplace(inventory.lines.end());
      line->name = release.line;
    }
    const auto twin = std::find_if(line->releases.begin(), line->releases.end(), [&](const auto& row) {
      return row.version == release.version && row.state != ReleaseState::kArchived;
    });
    std::error_code error;
    if (twin != line->releases.end() && fs::exists(twin->directory, error)) {
      twin->archived_copy = release.directory;
      continue;
    }
    if (twin != line->releases.end()) line->releases.erase(twin);
    line->releases.push_back(std::move(release));
  }
  std::sort(inventory.lines.begin(), inventory.lines.end(),
            [](const InventoryLine& a, const InventoryLine& b) { return a.name < b.name; });
}

void add_clones(Inventory& inventory, const fs::path& root, bool all_lines) {
  for (const Clone& clone : read_clones(root)) {
    bool found = false;
    for (InventoryLine& line : inventory.lines) {
      for (InventoryRelease& release : line.releases) {
        if (release.line != clone.line || release.version != clone.version) continue;
        release.clones.push_back(clone.name);
        found = true;
      }
    }
    if (!found && all_lines) inventory.stray_clones.push_back(clone.name);
  }
}

void add_pins(Inventory& inventory, const fs::path& root, bool all_lines) {
  std::map<std::string, Pin> pins = read_pins(root);
  for (InventoryLine& line : inventory.lines) {
    for (InventoryRelease& release : line.releases) {
      if (auto pin = pins.extract(release.reference())) release.pin = std::move(pin.mapped());
    }
  }
  if (!all_lines) return;
  for (const auto& [reference, pin] : pins) inventory.stray_pins.push_back(reference);
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Compares texts with runs of digits as numbers.
int compare_natural(std::string_view a, std::string_view b) {
  while (!a.empty() && !b.empty()) {
    if (!is_digit(a.front()) || !is_digit(b.front())) {
      if (a.front() != b.front()) return a.front() < b.front() ? -1 : 1;
      a.remove_prefix(1);
      b.remove_prefix(1);
      continue;
    }
    const auto take_number = [](std::string_view& text) {
      const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
      std::string_view digits(text.data(), static_cast<std::size_t>(end - text.begin()));
      text.remove_prefix(digits.size());
      digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
      return digits;
    };
    const std::string_view left = take_number(a);
    const std::string_view right = take_number(b);
    if (left.size() != right.size()) return left.size() < right.size() ? -1 : 1;
    if (const int order = left.compare(right); order != 0) return order;
  }
  return a.empty() ? (b.empty() ? 0 : -1) : 1;
}

/// "2026-11-20T01:02:03Z", or of a damaged release the day of its version; texts that sort as times.
std::string time_of(const InventoryRelease& release) {
  if (release.manifest) return release.manifest->created;
  const std::optional<Version> version = Version::parse(release.version);
  if (!version || version->date.empty()) return {};
  const std::string& date = version->date;
  return date.substr(0, 4) + "-" + date.substr(4, 2) + "-" + date.substr(6, 2);
}

}  // namespace

std::string_view state_name(ReleaseState state) {
  switch (state) {
    case ReleaseState::kCurrent:
      return "current";
    case ReleaseState::kOld:
      return "old";
    case ReleaseState::kArchived:
      return "archived";
  }
  return "?";
}

const StoredFile* InventoryRelease::file(std::string_view name) const {
  const auto found =
      std::lower_bound(files.begin(), files.end(), name,
                       [](const StoredFile& row, std::string_view key) { return row.name < key; });
  return found != files.end() && found->name == name ? &*found : nullptr;
}

const StoredFile* InventoryRelease::holder(const std::string& artifact) const {
  if (const StoredFile* own = file(artifact)) return own;
  if (state != ReleaseState::kArchived) return nullptr;
  const StoredFile* packed = file(artifact + std::string(packing_suffix(Packing::kZstd)));
  return packed != nullptr ? packed : file(artifact + std::string(packing_suffix(Packing::kXz)));
}

std::uint64_t InventoryRelease::stored() const {
  std::uint64_t sum = 0;
  for (const StoredFile& row : files) sum += row.stored;
  return sum;
}

const InventoryRelease* InventoryLine::current_release() const {
  return current ? find(*current) : nullptr;
}

const InventoryRelease* InventoryLine::find(std::string_view version) const {
  const auto found = std::find_if(releases.begin(), releases.end(),
                                  [&](const InventoryRelease& row) { return row.version == version; });
  return found == releases.end() ? nullptr : &*found;
}

const InventoryLine* Inventory::find(std::string_view line) const {
  const auto found =
      std::find_if(lines.begin(), lines.end(), [&](const InventoryLine& row) { return row.name == line; });
  return found == lines.end() ? nullptr : &*found;
}

std::vector<const InventoryRelease*> Inventory::releases() const {
  std::vector<const InventoryRelease*> all;
  for (const InventoryLine& line : lines) {
    for (const InventoryRelease& release : line.releases) all.push_back(&release);
  }
  return all;
}

bool is_newer(const InventoryRelease& a, const InventoryRelease& b) {
  const std::string left = time_of(a);
  const std::string right = time_of(b);
  if (left != right) return left > right;
  if (const int order = compare_natural(a.version, b.version); order != 0) return order > 0;
  return a.version > b.version;
}

Inventory read_inventory(const Store& store, const std::vector<std::string>& lines) {
  Inventory inventory;
  const auto wanted = [&](const std::string& line) {
    return lines.empty() || std::find(lines.begin(), lines.end(), line) != lines.end();
  };
  const std::vector<std::string> names = store.lines();
  for (const std::string& name : names) {
    if (wanted(name)) inventory.lines.push_back(list_line(store, name));
  }
  // After the lines: a release on its way into the archive is seen in one place at least.
  std::vector<InventoryRelease> archived = list_archive(store);
  std::vector<InventoryRelease*> all;
  for (InventoryLine& line : inventory.lines) {
    for (InventoryRelease& release : line.releases) all.push_back(&release);
  }
  for (InventoryRelease& release : archived) all.push_back(&release);
  core::for_each_parallel(all.size(), core::kOneACore, [&](std::size_t i) {
    if (!read_release(*all[i])) all[i]->directory.clear();  // gone meanwhile
  });
  const auto gone = [](const InventoryRelease& release) { return release.directory.empty(); };
  for (InventoryLine& line : inventory.lines) std::erase_if(line.releases, gone);
  std::erase_if(archived, gone);
  const std::set<std::string> known(names.begin(), names.end());
  for (InventoryRelease& release : archived) name_archived(release, known);
  std::erase_if(archived, [&](const InventoryRelease& release) { return !wanted(release.line); });
  add_archived(inventory, std::move(archived));
  for (InventoryLine& line : inventory.lines) std::sort(line.releases.begin(), line.releases.end(), is_newer);
  add_pins(inventory, store.root(), lines.empty());
  add_clones(inventory, store.root(), lines.empty());
  return inventory;
}

InventoryRelease::InventoryRelease() = default;
InventoryRelease::InventoryRelease(const InventoryRelease&) = default;
InventoryRelease::InventoryRelease(InventoryRelease&&) noexcept = default;
InventoryRelease& InventoryRelease::operator=(const InventoryRelease&) = default;
InventoryRelease& InventoryRelease::operator=(InventoryRelease&&) noexcept = default;
InventoryRelease::~InventoryRelease() = default;

InventoryLine::InventoryLine() = default;
InventoryLine::InventoryLine(const InventoryLine&) = default;
InventoryLine::InventoryLine(InventoryLine&&) noexcept = default;
InventoryLine& InventoryLine::operator=(const InventoryLine&) = default;
InventoryLine& InventoryLine::operator=(InventoryLine&&) noexcept = default;
InventoryLine::~InventoryLine() = default;

Inventory::Inventory() = default;
Inventory::Inventory(const Inventory&) = default;
Inventory::Inventory(Inventory&&) noexcept = default;
Inventory& Inventory::operator=(const Inventory&) = default;
Inventory& Inventory::operator=(Inventory&&) noexcept = default;
Inventory::~Inventory() = default;

}  // namespace imgforge::artifacts
