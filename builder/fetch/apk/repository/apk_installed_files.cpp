// The files in apk's database of installed packages: F names a folder, R a file in it, Z its checksum.
#include <fmt/format.h>

#include <algorithm>

#include "builder/fetch/apk/apk_identity.hpp"
#include "builder/fetch/apk/repository/apk_installed.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace imgforge::fetch {
namespace {

bool is_folder(std::string_view path) {
  if (path.empty()) return true;
  const std::vector<std::string> parts = core::split(path, '/');
  return std::none_of(parts.begin(), parts.end(),
                      [](const std::string& part) { return part.empty() || part == "." || part == ".."; });
}

bool is_name(std::string_view name) {
  return !name.empty() && name.find('/') == std::string_view::npos && is_folder(name);
}

class Files {
 public:
  explicit Files(std::string_view what) : what_(what) {}

  void take(std::string_view line) {
    ++number_;
    if (line.empty()) {
      package_.clear();
      folder_.clear();
      has_file_ = false;
      return;
    }
    if (line.size() < 2 || line[1] != ':' || line.find('\0') != std::string_view::npos)
      throw wrong("not a field");
    const std::string_view value = line.substr(2);
    if (line[0] == 'P') {
      package_ = value;
    } else if (line[0] == 'F') {
      if (!is_folder(value)) throw wrong("not a folder of the root file system");
      folder_ = value;
      has_file_ = false;
    } else if (line[0] == 'R') {
      if (!is_name(value)) throw wrong("not a name of a file");
      if (package_.empty()) throw wrong("a file of no package");
      if (files_.size() == kMaxInstalledFiles)
        throw core::Error(core::Kind::kUnsafe,
                          fmt::format("{}: more than {} files", what_, kMaxInstalledFiles));
      files_.push_back({folder_, std::string(value), package_, {}});
      has_file_ = true;
    } else if (line[0] == 'Z') {
      if (!has_file_) throw wrong("a checksum of no file");
      files_.back().content = checksum(value);
    }
  }
  std::vector<InstalledFile> finish() { return std::move(files_); }

 private:
  core::Error wrong(const std::string& why) const {
    return core::Error(core::Kind::kPackage, fmt::format("{}: line {}: {}", what_, number_, why));
  }
  core::Digest checksum(std::string_view value) const {
    try {
      return parse_identity(value);
    } catch (const core::Error& error) {
      throw wrong(error.message());
    }
  }

  std::string_view what_;
  std::size_t number_ = 0;
  std::string package_;
  std::string folder_;
  bool has_file_ = false;
  std::vector<InstalledFile> files_;
};

}  // namespace

std::vector<InstalledFile> parse_installed_files(std::string_view text, std::string_view what) {
  if (text.size() > kMaxInstalledBytes) {
    throw core::Error(core::Kind::kUnsafe,
                      fmt::format("{}: larger than {} MiB", what, kMaxInstalledBytes >> 20));
  }
  Files files(what);
  while (!text.empty()) {
    const auto end = text.find('\n');
    files.take(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return files.finish();
}

}  // namespace imgforge::fetch
