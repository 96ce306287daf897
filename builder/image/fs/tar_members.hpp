// Members of the tars that imgforge writes as images: owned by root, at one time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "artifacts/tar/tar.hpp"
#include "core/cancel.hpp"

namespace imgforge::image {

artifacts::TarEntry tar_member(std::string path, artifacts::EntryType type, std::uint32_t mode,
                               std::int64_t epoch);

/// Adds a file of the host as `entry`, whose size is taken from it; streams.
void add_file(artifacts::TarWriter& tar, const std::filesystem::path& file, artifacts::TarEntry entry,
              const core::CancelToken& cancel);

}  // namespace imgforge::image
