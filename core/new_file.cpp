#include "core/new_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/error.hpp"

namespace imgforge::core {
namespace {

constexpr std::size_t kHole = 4096;

bool is_zero(std::span<const std::byte> block) {
  return std::all_of(block.begin(), block.end(), [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

UnfinishedFile::~UnfinishedFile() {
  if (!kept_) ::unlink(path_.c_str());
}

NewFile::NewFile(std::filesystem::path path, unsigned mode)
    : fd_(open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode)), file_(std::move(path)) {}

void NewFile::write(std::span<const std::byte> data) {
  write_all(fd_.get(), data, path().native());
  size_ += data.size();
  if (!data.empty()) ends_in_hole_ = false;
}

void NewFile::write_sparse(std::span<const std::byte> data) {
  while (!data.empty()) {
    const auto block = data.first(std::min(kHole, data.size()));
    if (!is_zero(block)) {
      write(block);
    } else {
      if (::lseek(fd_.get(), static_cast<off_t>(block.size()), SEEK_CUR) < 0)
        throw system_error(errno, "cannot seek in", path().native());
      size_ += block.size();
      ends_in_hole_ = true;
    }
    data = data.subspan(block.size());
  }
}

void NewFile::resize(std::uint64_t size) {
  if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0)
    throw system_error(errno, "cannot size", path().native());
}

void NewFile::set_mode(unsigned mode) {
  if (::fchmod(fd_.get(), mode) != 0) throw system_error(errno, "cannot set the mode of", path().native());
}

void NewFile::sync() {
  sync_fd(fd_.get(), path().native());
}

void NewFile::settle() {
  if (ends_in_hole_) resize(size_);
  ends_in_hole_ = false;
}

void NewFile::close() {
  settle();
  fd_.close(path().native());
}

void NewFile::commit(Sync sync_wanted) {
  settle();
  if (sync_wanted == Sync::kYes) sync();
  close();
  keep();
}

void write_new_file(const std::filesystem::path& path, std::string_view text, unsigned mode, Sync sync) {
  NewFile file(path, mode);
  file.write(text);
  file.commit(sync);
}

}  // namespace imgforge::core
