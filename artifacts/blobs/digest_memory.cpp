#include "artifacts/blobs/digest_memory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <span>
#include <thread>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

namespace fs = std::filesystem;
using core::Error;
using core::Kind;

constexpr std::int64_t kSecond = 1'000'000'000;
/// The coarsest clocks of file systems (FAT) tick so slowly; others lag by milliseconds.
constexpr std::int64_t kCoarsest = 2 * kSecond;
constexpr std::int64_t kSealedBy = 3 * kSecond;
static_assert(kSealedBy > kCoarsest);

/// First line: this and the sha256 of all that follows. Each further line is a Row: sha256, device, inode,
/// size, time of the last write, of the last change, boot or "-", path.
constexpr std::string_view kFormat = "imgforge-digests 1 ";
constexpr std::size_t kHexDigits = 64;
constexpr std::uint64_t kMaxBytes = 64 << 20;

std::int64_t nanoseconds(const timespec& time) {
  return time.tv_sec * kSecond + time.tv_nsec;
}

std::int64_t now() {
  timespec time{};
  ::clock_gettime(CLOCK_REALTIME, &time);
  return nanoseconds(time);
}

FileIdentity identity_from(const struct stat& status) {
  return {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size),
          nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
}

/// Whatever happens to the file after `at` gets a later stamp.
bool is_settled(std::int64_t stamp, std::int64_t at) {
  return stamp < at - kCoarsest;
}

bool same_bytes(const FileIdentity& a, const FileIdentity& b) {
  return a.device == b.device && a.inode == b.inode && a.size == b.size && a.modified == b.modified;
}

/// Name of the time since the machine was started; empty when the kernel does not tell.
const std::string& this_boot() {
  static const std::string boot = [] {
    try {
      return std::string(core::trimmed(core::read_text_file("/proc/sys/kernel/random/boot_id", 100)));
    } catch (const Error&) {
      return std::string();
    }
  }();
  return boot;
}

std::string_view take_word(std::string_view& line) {
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(std::min(line.size(), word.size() + 1));
  return word;
}

template <class Number>
void take_number(std::string_view& line, Number& out) {
  const std::string_view word = take_word(line);
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out);
  if (error != std::errc() || end != word.data() + word.size() || word.empty())
    throw Error(Kind::kIntegrity, "not a number");
}

std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) throw Error(Kind::kIntegrity, "a line without end");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

/// Nothing for what this user did not write, or what others may write.
std::string read_own(const fs::path& file) {
  const core::Fd fd = core::open_regular(file, core::FollowLinks::kNo);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw core::system_error(errno, "cannot examine", file.native());
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (status.st_uid != ::geteuid() || (status.st_mode & 022) != 0 || size > kMaxBytes) return {};
  std::string text(size, '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    const auto rest = std::as_writable_bytes(std::span(text.data() + filled, text.size() - filled));
    const std::size_t n = core::read_some(fd.get(), rest, file.native());
    if (n == 0) return {};
    filled += n;
  }
  return text;
}

/// Held until the descriptor closes. Where there are no locks, or somebody keeps his, it goes without: then
/// two processes may forget what the other one has added.
core::Fd lock_folder(const fs::path& folder) {
  core::Fd fd = core::open_file(folder, O_RDONLY | O_DIRECTORY);
  for (int i = 0; i < 100 && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0; ++i) {
    if (errno != EWOULDBLOCK && errno != EINTR) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return fd;
}

}  // namespace

std::optional<FileIdentity> identity_of(const fs::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return identity_from(status);
}

FileIdentity identity_of(int fd, const fs::path& path) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw core::system_error(errno, "cannot examine", path.native());
  return identity_from(status);
}

Sighting now_seen(const FileIdentity& identity) {
  return {identity, now()};
}

void seal(int fd) {
  const std::int64_t time = now() - kSealedBy;
  const std::array<timespec, 2> times{timespec{0, UTIME_OMIT}, timespec{time / kSecond, time % kSecond}};
  ::futimens(fd, times.data());
}

DigestMemory::DigestMemory(fs::path file, Earlier earlier)
    : file_(fs::absolute(file)), forgets_(earlier == Earlier::kForget) {
  if (!forgets_) rows_ = read(file_);
}

std::optional<core::Digest> DigestMemory::recall(const FileIdentity& identity) const {
  const std::lock_guard guard(mutex_);
  const auto row = rows_.find({identity.device, identity.inode});
  if (row == rows_.end() || row->second.identity != identity) return std::nullopt;
  return row->second.sha256;
}

void DigestMemory::remember(const HashedFile& file) {
  const FileIdentity& first = file.before.identity;
  if (!same_bytes(first, file.after) || (!file.is_sealed && first != file.after)) return;
  const bool settled = is_settled(first.modified, file.before.at) &&
                       (file.is_sealed || is_settled(first.changed, file.before.at));
  Row row{file.after, file.sha256, file.is_durable ? "" : this_boot(), fs::absolute(file.path), false};
  const bool printable = row.path.find('\n') == std::string::npos;
  row.is_new = is_kept() && settled && printable && (file.is_durable || !row.boot.empty());
  const std::lock_guard guard(mutex_);
  rows_.insert_or_assign({file.after.device, file.after.inode}, std::move(row));
}

core::Digest DigestMemory::digest_of_foreign(const fs::path& file) {
  const std::optional<FileIdentity> before = identity_of(file);
  if (before) {
    if (auto known = recall(*before)) return *std::move(known);
  }
  core::Digest sha256 = core::digest_of_file(core::HashAlgorithm::kSha256, file);
  const std::optional<FileIdentity> after = identity_of(file);
  // Seen at no time: nothing is settled, so it is not kept.
  if (before && after) remember({file, {*before, 0}, *after, sha256});
  return sha256;
}

DigestMemory::Rows DigestMemory::parse(std::string_view text) {
  const std::string_view head = take_line(text);
  if (head.size() != kFormat.size() + kHexDigits || !head.starts_with(kFormat) ||
      core::digest_of(core::HashAlgorithm::kSha256, text).hex() != head.substr(kFormat.size()))
    throw Error(Kind::kIntegrity, "not a memory of digests, or damaged");
  Rows rows;
  while (!text.empty()) {
    std::string_view line = take_line(text);
    Row row;
    row.sha256 = core::Digest::from_hex(core::HashAlgorithm::kSha256, take_word(line));
    take_number(line, row.identity.device);
    take_number(line, row.identity.inode);
    take_number(line, row.identity.size);
    take_number(line, row.identity.modified);
    take_number(line, row.identity.changed);
    if (const std::string_view boot = take_word(line); boot != "-") row.boot = boot;
    row.path = line;
    if (row.boot.empty() || row.boot == this_boot())
      rows.insert_or_assign({row.identity.device, row.identity.inode}, std::move(row));
  }
  return rows;
}

DigestMemory::Rows DigestMemory::read(const fs::path& file) {
  try {
    return parse(read_own(file));
  } catch (const Error&) {
    return {};
  }
}

std::string DigestMemory::print(const Rows& rows) {
  std::string text;
  for (const auto& [place, row] : rows) {
    text += row.sha256.hex();
    for (const std::uint64_t number : {row.identity.device, row.identity.inode, row.identity.size})
      text += " " + std::to_string(number);
    for (const std::int64_t number : {row.identity.modified, row.identity.changed})
      text += " " + std::to_string(number);
    text += " " + (row.boot.empty() ? "-" : row.boot) + " " + row.path + "\n";
  }
  return std::string(kFormat) + core::digest_of(core::HashAlgorithm::kSha256, text).hex() + "\n" + text;
}

void DigestMemory::save() noexcept {
  try {
    const std::lock_guard guard(mutex_);
    const bool has_news =
        std::any_of(rows_.begin(), rows_.end(), [](const auto& row) { return row.second.is_new; });
    if (is_kept() && (has_news || forgets_)) merge_and_write();
  } catch (const std::exception&) {
    return;  // a cache that can only be read, a full disk
  }
}

void DigestMemory::merge_and_write() {
  const core::Fd lock = lock_folder(file_.parent_path());
  Rows all = forgets_ ? Rows() : read(file_);
  for (auto& [place, row] : rows_) {
    if (row.is_new) all.insert_or_assign(place, row);
  }
  std::erase_if(all, [](const auto& row) { return identity_of(row.second.path) != row.second.identity; });
  core::write_file_atomically(file_, print(all), 0600);
  forgets_ = false;
  for (auto& [place, row] : rows_) row.is_new = false;
}

}  // namespace imgforge::artifacts
