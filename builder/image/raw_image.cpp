#include "builder/image/raw_image.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/fd.hpp"

namespace imgforge::image {

RawImage::RawImage(std::filesystem::path path, core::Bytes size) : file_(std::move(path)), size_(size) {
  file_.resize(size.value);
  file_.close();
}

namespace {

constexpr std::uint64_t kStep = 16u << 20;  // after so much it is asked whether to go on

/// For pairs of file systems between which the kernel does not copy.
std::uint64_t copy_by_hand(int from, off_t source, int to, off_t target, std::uint64_t size,
                           std::string_view name) {
  std::vector<char> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(size, 1 << 20)));
  const ssize_t n = ::pread(from, buffer.data(), buffer.size(), source);
  if (n <= 0) throw core::system_error(n < 0 ? errno : EIO, "cannot read what goes into", name);
  for (ssize_t done = 0; done < n;) {
    const ssize_t written =
        ::pwrite(to, buffer.data() + done, static_cast<std::size_t>(n - done), target + done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw core::system_error(errno, "cannot copy into", name);
    done += written;
  }
  return static_cast<std::uint64_t>(n);
}

}  // namespace

void copy_range(int from, std::uint64_t source, int to, std::uint64_t target, std::uint64_t size,
                const core::CancelToken& cancel, std::string_view name) {
  auto in = static_cast<off_t>(source);
  auto out = static_cast<off_t>(target);
  bool by_hand = false;
  while (size > 0) {
    cancel.check();
    if (by_hand) {
      const std::uint64_t n = copy_by_hand(from, in, to, out, size, name);
      in += static_cast<off_t>(n);
      out += static_cast<off_t>(n);
      size -= n;
      continue;
    }
    const ssize_t n = ::copy_file_range(from, &in, to, &out, std::min(size, kStep), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EXDEV || errno == ENOSYS || errno == EOPNOTSUPP || errno == EINVAL)) {
      by_hand = true;
      continue;
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
