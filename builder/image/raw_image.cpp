#include "builder/image/raw_image.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/file_bytes.hpp"

namespace imgforge::image {

RawImage::RawImage(std::filesystem::path path, core::Bytes size) : file_(std::move(path)), size_(size) {
  file_.resize(size.value);
  file_.close();
}

namespace {

constexpr std::uint64_t kStep = 16u << 20;  // after so much it is asked whether to go on

/// For pairs of file systems between which the kernel does not copy.
void copy_by_hand(int from, std::uint64_t source, int to, std::uint64_t target, std::uint64_t size,
                  const core::CancelToken& cancel, std::string_view name) {
  if (::lseek(to, static_cast<off_t>(target), SEEK_SET) < 0)
    throw core::system_error(errno, "cannot seek in", name);
  const std::uint64_t n = core::read_range(from, name, source, size, [&](std::span<const std::byte> data) {
    cancel.check();
    core::write_all(to, data, name);
  });
  if (n != size) throw core::system_error(EIO, "cannot read what goes into", name);
}

}  // namespace

void copy_range(int from, std::uint64_t source, int to, std::uint64_t target, std::uint64_t size,
                const core::CancelToken& cancel, std::string_view name) {
  auto in = static_cast<off_t>(source);
  auto out = static_cast<off_t>(target);
  while (size > 0) {
    cancel.check();
    const ssize_t n = ::copy_file_range(from, &in, to, &out, std::min(size, kStep), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EXDEV || errno == ENOSYS || errno == EOPNOTSUPP || errno == EINVAL)) {
      return copy_by_hand(from, static_cast<std::uint64_t>(in), to, static_cast<std::uint64_t>(out), size,
                          cancel, name);
    }
    if (n <= 0) throw core::system_error(n < 0 ? errno : EIO, "cannot copy into", name);
    size -= static_cast<std::uint64_t>(n);
  }
}

void copy_into_image(const std::filesystem::path& source, const std::filesystem::path& image,
                     std::uint64_t offset, const core::CancelToken& cancel) {
  const core::Fd from = core::open_regular(source);
  core::Fd to = core::open_file(image, O_WRONLY);
  copy_range(from.get(), 0, to.get(), offset, core::file_size(from.get(), source.native()), cancel,
             image.native());
  to.close(image.native());
}

}  // namespace imgforge::image
