#include "builder/image/fs/tar_members.hpp"

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "core/fd.hpp"

namespace imgforge::image {

artifacts::TarEntry tar_member(std::string path, artifacts::EntryType type, std::uint32_t mode,
                               std::int64_t epoch) {
  artifacts::TarEntry entry;
  entry.path = std::move(path);
  entry.type = type;
  entry.mode = mode;
  entry.mtime = epoch;
  return entry;
}

void add_file(artifacts::TarWriter& tar, const std::filesystem::path& file, artifacts::TarEntry entry,
              const core::CancelToken& cancel) {
  const core::Fd fd = core::open_regular(file);
  entry.size = core::file_size(fd.get(), file.native());
  tar.begin(entry);
  std::vector<std::byte> buffer(1 << 20);
  while (const std::size_t n = core::read_some(fd.get(), buffer, file.native())) {
    cancel.check();
    tar.write(std::span(buffer).first(n));
  }
}

}  // namespace imgforge::image
