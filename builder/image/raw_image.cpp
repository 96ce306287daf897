#include "builder/image/raw_image.hpp"

#include <fcntl.h>
#include <unistd.h>

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

}  // namespace imgforge::image
