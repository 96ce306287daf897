#include "builder/recipe/source_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::recipe {

std::filesystem::path find_source(const Node& name, const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path file = fs::canonical(folder / name.text(), error);
  if (error) {
    throw recipe_error(
        name, fmt::format("\"{}\" cannot be found: {}", core::escaped(name.text(), 100), error.message()))
        .hint(fmt::format("it is looked up in {}", core::escaped(folder.native())));
  }
  if (fs::path(name.text()).is_relative()) {
    const fs::path root = fs::canonical(folder);
    if (std::mismatch(root.begin(), root.end(), file.begin(), file.end()).first != root.end()) {
      throw core::Error(core::Kind::kUnsafe,
                        fmt::format("\"{}\" leads out of the recipe's folder by a symbolic link",
                                    core::escaped(name.text(), 100)))
          .at(name.mark());
    }
  }
  if (!fs::is_regular_file(file, error)) {
    throw recipe_error(name, fmt::format("\"{}\" is not a regular file", core::escaped(name.text(), 100)));
  }
  return file;
}

std::string read_source(const Node& name, const std::filesystem::path& file) {
  try {
    return core::read_text_file(file, kMaxSourceBytes);
  } catch (core::Error& error) {
    error.at(name.mark());
    throw;
  }
}

}  // namespace imgforge::recipe
