#include "builder/fetch/download/partial.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "builder/fetch/http/url.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/random.hpp"

namespace imgforge::fetch {
namespace {

constexpr std::size_t kRejectedKept = 3;
constexpr int kRecordVersion = 1;

/// Changes with every start of the machine: what was written before one may be lost.
std::string boot_id() {
  static const std::string id = [] {
    try {
      return core::read_text_file("/proc/sys/kernel/random/boot_id");
    } catch (const core::Error&) {
      return core::random_hex(16);  // unknown: no other run's record is of this start
    }
  }();
  return id;
}

std::string digest_of_url(const std::string& url) {
  return core::digest_of(core::HashAlgorithm::kSha256, url).hex();
}

core::Json as_json(const artifacts::ByteRanges& ranges) {
  core::Json rows = core::Json::array();
  for (const artifacts::ByteRange& range : ranges.list()) rows.push_back({range.begin, range.end});
  return rows;
}

/// Ranges of a record, none behind `end`.
artifacts::ByteRanges ranges_from(const core::Json& rows, std::uint64_t end) {
  artifacts::ByteRanges ranges;
  for (const core::Json& row : rows) {
    ranges.add({row.at(0).get<std::uint64_t>(), std::min(row.at(1).get<std::uint64_t>(), end)});
  }
  return ranges;
}

enum class LockOutcome { kLocked, kHeld };

/// File systems without such locks count as locked: two processes then write the same bytes.
LockOutcome try_lock(int fd) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(fd, F_OFD_SETLK, &whole) == 0) return LockOutcome::kLocked;
  return errno == EAGAIN || errno == EACCES ? LockOutcome::kHeld : LockOutcome::kLocked;
}

core::Fd open_part(const std::filesystem::path& path) {
  const auto open = [&] { return core::open_file(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600); };
  try {
    return open();
  } catch (const core::Error& error) {
    // A run that was killed while it handed the file over left it read-only.
    if (error.kind() != core::Kind::kPermission || ::chmod(path.c_str(), 0600) != 0) throw;
    return open();
  }
}

bool is_still(int fd, const std::filesystem::path& path) {
  struct stat open {};
  struct stat named {};
  if (::fstat(fd, &open) != 0) throw core::system_error(errno, "cannot examine", path.native());
  if (!S_ISREG(open.st_mode)) throw core::Error(core::Kind::kIo, path.native() + " is not a regular file");
  return ::lstat(path.c_str(), &named) == 0 && open.st_dev == named.st_dev && open.st_ino == named.st_ino;
}

/// Replaces the file in one step. Not synced: a record that a power cut spoils only costs the resume.
void replace_file(const std::filesystem::path& path, const std::string& text) {
  const std::filesystem::path temporary = path.native() + ".new";
  core::Fd fd = core::open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
  core::write_all(fd.get(), text, temporary.native());
  fd.close(temporary.native());
  if (::rename(temporary.c_str(), path.c_str()) != 0)
    throw core::system_error(errno, "cannot create", path.native());
}

void keep_newest_rejected(const std::filesystem::path& folder) {
  std::vector<std::filesystem::directory_entry> entries;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".rejected") entries.push_back(entry);
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    std::error_code none;
    return a.last_write_time(none) > b.last_write_time(none);
  });
  for (std::size_t i = kRejectedKept; i < entries.size(); ++i) std::filesystem::remove(entries[i], ignored);
}

/// A clock that was wrong, or is, makes a file look old in one moment. Only one that looked old a week ago,
/// too, is: the time of its record says when that was first so.
bool was_old_before(const std::filesystem::path& record, std::filesystem::file_time_type touched,
                    std::filesystem::file_time_type now) {
  constexpr std::chrono::hours kDay{24};
  std::error_code error;
  const auto seen = std::filesystem::last_write_time(record, error);
  if (error) return true;  // without a record its bytes are of no use
  const bool marked = seen > touched + kDay && seen <= now;
  if (marked && seen + 7 * kDay <= now) return true;
  if (!marked) std::filesystem::last_write_time(record, now, error);
  return false;
}

}  // namespace

std::unique_ptr<Partial> Partial::try_open(const std::filesystem::path& folder, const std::string& identity,
                                           const std::vector<core::HashAlgorithm>& algorithms) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw core::system_error(error.value(), "cannot create", folder.native());
  const std::filesystem::path path = folder / (identity + ".part");
  while (true) {
    core::Fd fd = open_part(path);
    if (try_lock(fd.get()) == LockOutcome::kHeld) return nullptr;
    // Whoever held the lock before may have moved the file away: then this is no longer the one of that name.
    if (!is_still(fd.get(), path)) continue;
    std::unique_ptr<Partial> partial(new Partial(std::move(fd), path, algorithms));
    partial->load();
    return partial;
  }
}

void Partial::forget_old(const std::filesystem::path& folder, std::chrono::hours age) {
  std::error_code error;
  const auto now = std::filesystem::file_time_type::clock::now();
  const auto oldest = now - age;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    std::error_code ignored;
    if (entry.last_write_time(ignored) >= oldest || ignored) continue;
    std::filesystem::path path = entry.path();
    if (path.extension() == ".rejected") std::filesystem::remove(path, ignored);
    if (path.extension() != ".part") continue;
    const core::Fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!fd || try_lock(fd.get()) == LockOutcome::kHeld) continue;
    const std::filesystem::path record = std::filesystem::path(path).replace_extension(".json");
    if (!was_old_before(record, entry.last_write_time(ignored), now)) continue;
    std::filesystem::remove(path, ignored);
    std::filesystem::remove(record, ignored);
  }
}

Partial::Partial(core::Fd fd, std::filesystem::path path, const std::vector<core::HashAlgorithm>& algorithms)
    : path_(std::move(path)), file_(std::move(fd), path_, algorithms) {}

Partial::~Partial() {
  if (gone_) return;
  try {
    if (file_.total() > 0) {
      save();
      return;
    }
  } catch (const core::Error&) {
    return;  // a disk that is full: the last record stands
  }
  ::unlink(record().c_str());
  ::unlink(path_.c_str());
}

std::filesystem::path Partial::record() const {
  std::filesystem::path path = path_;
  return path.replace_extension(".json");
}

void Partial::load() {
  const std::uint64_t length = core::file_size(file_.fd(), path_.native());
  try {
    const core::Json json = core::parse_json(core::read_text_file(record()), "record of a download");
    if (json.at("schema").get<int>() == kRecordVersion) {
      const bool same_boot = json.at("boot").get<std::string>() == boot_id();
      const artifacts::ByteRanges durable = ranges_from(json.at("durable"), length);
      artifacts::ByteRanges ranges;
      if (!same_boot) {
        ranges = durable;
      } else if (json.at("scattered").get<bool>()) {
        ranges = ranges_from(json.at("written"), length);
      } else {
        ranges.add({0, length});
      }
      source_.strong = json.at("validator").get<std::string>();
      if (!json.at("total").is_null()) source_.total = json.at("total").get<std::uint64_t>();
      url_digest_ = json.at("url_sha256").get<std::string>();
      scattered_ = json.at("scattered").get<bool>() || ranges.list().size() > 1;
      file_.keep(ranges, durable);
      return;
    }
  } catch (const core::Error&) {
    // A missing, cut or foreign record: what is in the file is not known, so it begins anew.
  } catch (const core::Json::exception&) {
  }
  source_ = {};
  if (length > 0) file_.restart();
}

bool Partial::came_from(const std::string& url) const {
  return source_.url == url || (!url_digest_.empty() && url_digest_ == digest_of_url(url));
}

void Partial::scatter() {
  if (scattered_) return;
  scattered_ = true;
  save();  // before the first byte behind a hole: a record that trusts the length must not outlive it
}

void Partial::save() {
  const artifacts::ByteRanges written = file_.ranges();
  core::Json json;
  json["schema"] = kRecordVersion;
  json["url"] = redacted_url(source_.url);
  json["url_sha256"] = source_.url.empty() ? url_digest_ : digest_of_url(source_.url);
  json["validator"] = source_.strong;
  json["total"] = source_.total ? core::Json(*source_.total) : core::Json();
  json["boot"] = boot_id();
  json["scattered"] = scattered_;
  json["written"] = as_json(written);
  json["durable"] = as_json(file_.durable());
  replace_file(record(), core::print_json(json));
}

void Partial::restart() {
  ::unlink(record().c_str());
  file_.restart();
  source_ = {};
  url_digest_.clear();
  scattered_ = false;
}

void Partial::adopted() {
  gone_ = true;
  ::unlink(record().c_str());
}

std::filesystem::path Partial::reject() {
  gone_ = true;
  ::unlink(record().c_str());
  std::filesystem::path aside = path_;
  aside.replace_extension(".rejected");
  if (::rename(path_.c_str(), aside.c_str()) != 0) {
    throw core::system_error(errno, "cannot set aside", path_.native());
  }
  keep_newest_rejected(path_.parent_path());
  return aside;
}

}  // namespace imgforge::fetch
