#include "builder/image/raw_image.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/error.hpp"
#include "core/fd.hpp"

namespace imgforge::image {

RawImage::RawImage(std::filesystem::path path, core::Bytes size) : path_(std::move(path)), size_(size) {
  core::Fd fd = core::open_file(path_, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW);
  if (::ftruncate(fd.get(), static_cast<off_t>(size.value)) != 0) {
    const core::Error error = core::system_error(errno, "cannot size", path_.native());
    ::unlink(path_.c_str());
    throw error;
  }
  fd.close(path_.native());
}

RawImage::~RawImage() {
  if (!kept_) ::unlink(path_.c_str());
}

void copy_into_image(const std::filesystem::path& source, const std::filesystem::path& image,
                     std::uint64_t offset, const core::CancelToken& cancel) {
  const core::Fd from = core::open_regular(source);
  core::Fd to = core::open_file(image, O_WRONLY);
  off_t in = 0;
  off_t out = static_cast<off_t>(offset);
  std::uint64_t left = core::file_size(from.get(), source.native());
  while (left > 0) {
    cancel.check();
    const ssize_t n =
        ::copy_file_range(from.get(), &in, to.get(), &out, std::min<std::uint64_t>(left, 16u << 20), 0);
    if (n <= 0) throw core::system_error(n < 0 ? errno : EIO, "cannot copy into", image.native());
    left -= static_cast<std::uint64_t>(n);
  }
  to.close(image.native());
}

}  // namespace imgforge::image
