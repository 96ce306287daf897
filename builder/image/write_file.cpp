#include "builder/image/write_file.hpp"

#include <fcntl.h>

#include "core/fd.hpp"

namespace imgforge::image {

void write_file(const std::filesystem::path& path, std::string_view content) {
  core::Fd fd = core::open_file(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
  core::write_all(fd.get(), content, path.native());
  fd.close(path.native());
}

}  // namespace imgforge::image
