#include "builder/recipe/document/source_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "core/bytes.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::recipe {
namespace {

/// Errors are at the node that names the file.
template <class Read>
auto reading(const Node& name, Read&& read) {
  try {
    return read();
  } catch (core::Error& error) {
    error.at(name.mark());
    throw;
  }
}

core::Content copied(const std::filesystem::path& file) {
  if (std::filesystem::file_size(file) > kMaxCopiedBytes) {
    throw core::Error(core::Kind::kUnsafe, fmt::format("{} is larger than {}", core::escaped(file.native()),
                                                       core::Bytes{kMaxCopiedBytes}.to_string()));
  }
  return core::Content::of_file(file);
}

}  // namespace

std::filesystem::path find_source(const Node& name, const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path file = fs::canonical(folder / name.text(), error);
  if (error) {
    throw recipe_error(
        name, fmt::format("\"{}\" cannot be found: {}", core::escaped(name.text(), 100), error.message()))
        .hint(fmt::format("it is looked up in {}", core::escaped(folder.native())));
  }
  if (fs::path(name.text()).is_relative() && !is_beneath(file, folder)) {
    throw core::Error(core::Kind::kUnsafe,
                      fmt::format("\"{}\" leads out of the recipe's folder by a symbolic link",
                                  core::escaped(name.text(), 100)))
        .at(name.mark());
  }
  if (!fs::is_regular_file(file, error)) {
    throw recipe_error(name, fmt::format("\"{}\" is not a regular file", core::escaped(name.text(), 100)));
  }
  return file;
}

bool is_beneath(const std::filesystem::path& file, const std::filesystem::path& folder) {
  const std::filesystem::path root = std::filesystem::canonical(folder);
  return std::mismatch(root.begin(), root.end(), file.begin(), file.end()).first == root.end();
}

std::string read_source(const Node& name, const std::filesystem::path& file) {
  return reading(name, [&] { return core::read_text_file(file, kMaxSourceBytes); });
}

const core::Content& CopiedFiles::at(const Node& name, const std::filesystem::path& file) {
  const auto known = files_.find(file);
  if (known != files_.end()) return known->second;
  return files_.emplace(file, reading(name, [&] { return copied(file); })).first->second;
}

}  // namespace imgforge::recipe
