#include "artifacts/blobs/incoming_file.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/error.hpp"
#include "core/file_bytes.hpp"

namespace imgforge::artifacts {
namespace {

/// Smaller files are hashed where they are written: a thread would cost more than it saves.
constexpr std::uint64_t kThreadFrom = 4 << 20;
constexpr std::uint64_t kWakeEvery = 1 << 20;
/// At most so much is lost to a power cut, short of what the disk itself loses.
constexpr std::uint64_t kSyncEvery = 64 << 20;

void write_at(int fd, std::span<const std::byte> data, std::uint64_t offset, const std::string& name) {
  while (!data.empty()) {
    const ssize_t n = ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (n > 0) {
      data = data.subspan(static_cast<std::size_t>(n));
      offset += static_cast<std::uint64_t>(n);
    } else if (n == 0 || errno != EINTR) {
      throw core::system_error(n == 0 ? ENOSPC : errno, "cannot write", name);
    }
  }
}

void cut(int fd, std::uint64_t size, const std::string& name) {
  if (::ftruncate(fd, static_cast<off_t>(size)) != 0) throw core::system_error(errno, "cannot cut", name);
}

}  // namespace

IncomingFile::IncomingFile(core::Fd fd, std::filesystem::path path,
                           const std::vector<core::HashAlgorithm>& more)
    : fd_(std::move(fd)), path_(std::move(path)), algorithms_{core::HashAlgorithm::kSha256} {
  for (const core::HashAlgorithm algorithm : more) {
    if (std::find(algorithms_.begin(), algorithms_.end(), algorithm) == algorithms_.end())
      algorithms_.push_back(algorithm);
  }
  begin_hashing();
}

IncomingFile::~IncomingFile() {
  stop_thread();
}

void IncomingFile::begin_hashing() {
  hashes_.clear();
  for (const core::HashAlgorithm algorithm : algorithms_)
    hashes_.push_back({algorithm, core::Hasher(algorithm)});
  hashed_ = 0;
  announced_ = 0;
  chunks_.clear();
  chunk_hasher_.reset();
}

void IncomingFile::hash(std::span<const std::byte> data) {
  for (Hash& row : hashes_) row.hasher.update(data);
  hash_chunks(data);
  hashed_ += data.size();
}

void IncomingFile::want_chunks(std::uint64_t size, double fastest) {
  chunk_ = size;
  fastest_ = fastest;
  begin_ = std::chrono::steady_clock::now();
}

bool IncomingFile::too_fast_for_chunks() const {
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  const std::lock_guard lock(mutex_);
  return seconds > 0.05 && static_cast<double>(received_) > fastest_ * seconds;
}

/// `data` follows what was hashed; it is cut where chunks end.
void IncomingFile::hash_chunks(std::span<const std::byte> data) {
  if (chunk_ == 0) return;
  std::uint64_t at = hashed_;
  while (!data.empty()) {
    if (!chunk_hasher_) chunk_hasher_.emplace(core::HashAlgorithm::kSha256);
    const auto piece = data.first(std::min<std::uint64_t>(data.size(), chunk_ - at % chunk_));
    chunk_hasher_->update(piece);
    at += piece.size();
    data = data.subspan(piece.size());
    if (at % chunk_ != 0) continue;
    chunks_.push_back(chunk_hasher_->finish());
    chunk_hasher_.reset();
    if (!too_fast_for_chunks()) continue;
    chunk_ = 0;
    chunks_.clear();
    return;
  }
}

void IncomingFile::hash_from_file(std::uint64_t until) {
  if (hashed_ >= until) return;
  core::read_range(fd_.get(), path_.native(), hashed_, until - hashed_,
                   [this](std::span<const std::byte> data) { hash(data); });
  if (hashed_ < until)
    throw core::Error(core::Kind::kIo, path_.native() + " became shorter while it was read");
}

void IncomingFile::write(std::uint64_t offset, std::span<const std::byte> data) {
  check_background();
  write_at(fd_.get(), data, offset, path_.native());
  std::uint64_t frontier = 0;
  {
    const std::lock_guard lock(mutex_);
    ranges_.add({offset, offset + data.size()});
    frontier = ranges_.frontier();
    unsynced_ += data.size();
    received_ += data.size();
  }
  if (thread_) {
    if (frontier < announced_ + kWakeEvery) return;
    announced_ = frontier;
    moved_.notify_one();
  } else if (frontier >= kThreadFrom) {
    announced_ = frontier;
    thread_.emplace([this] { follow(); });
  } else if (offset == hashed_) {
    hash(data);
  }
}

/// The thread: hashes up to the frontier, then lets the disk catch up, until it is stopped.
void IncomingFile::follow() {
  try {
    std::unique_lock lock(mutex_);
    while (true) {
      moved_.wait(lock, [&] { return stop_ || ranges_.frontier() > hashed_ || unsynced_ >= kSyncEvery; });
      if (stop_) return;
      const std::uint64_t frontier = ranges_.frontier();
      const bool sync = unsynced_ >= kSyncEvery;
      const ByteRanges written = sync ? ranges_ : ByteRanges();
      if (sync) unsynced_ = 0;
      lock.unlock();
      hash_from_file(std::min(frontier, hashed_ + kSyncEvery));
      if (sync && ::fdatasync(fd_.get()) != 0) throw core::system_error(errno, "cannot sync", path_.native());
      lock.lock();
      if (sync) durable_ = written;
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    fault_ = std::current_exception();
  }
}

void IncomingFile::stop_thread() {
  if (!thread_) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  moved_.notify_one();
  thread_->join();
  thread_.reset();
  stop_ = false;
}

void IncomingFile::check_background() {
  const std::lock_guard lock(mutex_);
  if (fault_) std::rethrow_exception(fault_);
}

void IncomingFile::keep(const ByteRanges& written, const ByteRanges& durable) {
  const std::lock_guard lock(mutex_);
  for (const ByteRange& range : written.list()) ranges_.add(range);
  for (const ByteRange& range : durable.list()) durable_.add(range);
}

void IncomingFile::drop(ByteRange range) {
  stop_thread();
  ranges_.remove(range);
  durable_.remove(range);
  if (range.begin < hashed_) begin_hashing();
}

void IncomingFile::restart() {
  stop_thread();
  cut(fd_.get(), 0, path_.native());
  ranges_.clear();
  durable_.clear();
  unsynced_ = 0;
  begin_hashing();
}

ByteRanges IncomingFile::ranges() const {
  const std::lock_guard lock(mutex_);
  return ranges_;
}

std::uint64_t IncomingFile::total() const {
  const std::lock_guard lock(mutex_);
  return ranges_.total();
}

ByteRanges IncomingFile::durable() const {
  const std::lock_guard lock(mutex_);
  return durable_;
}

void IncomingFile::sync() {
  check_background();
  const ByteRanges written = ranges();
  if (::fdatasync(fd_.get()) != 0) throw core::system_error(errno, "cannot sync", path_.native());
  const std::lock_guard lock(mutex_);
  durable_ = written;
  unsynced_ = 0;
}

void IncomingFile::finish(std::uint64_t size) {
  stop_thread();
  check_background();
  if (!ranges_.covers({0, size})) {
    throw core::Error(core::Kind::kInternal, path_.native() + " is not complete");
  }
  if (core::file_size(fd_.get(), path_.native()) != size) cut(fd_.get(), size, path_.native());
  if (hashed_ > size) begin_hashing();
  hash_from_file(size);
  for (Hash& row : hashes_) digests_.insert_or_assign(row.algorithm, row.hasher.finish());
  if (chunk_hasher_) chunks_.push_back(chunk_hasher_->finish());
  finished_size_ = size;
  std::vector<core::Digest> chunks = std::move(chunks_);
  begin_hashing();  // for what may be written after a repair
  chunks_ = std::move(chunks);
}

const core::Digest& IncomingFile::digest(core::HashAlgorithm algorithm) const {
  const auto found = digests_.find(algorithm);
  if (found == digests_.end()) throw core::Error(core::Kind::kInternal, "that digest was not computed");
  return found->second;
}

}  // namespace imgforge::artifacts
