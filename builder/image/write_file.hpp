// A file written at once: the small inputs that the tools of other formats read.
#pragma once

#include <filesystem>
#include <string_view>

namespace imgforge::image {

/// Creates or replaces `path`. Throws what core::write_all throws.
void write_file(const std::filesystem::path& path, std::string_view content);

}  // namespace imgforge::image
