#include "builder/fetch/download/known_files.hpp"

#include <algorithm>
#include <system_error>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/new_file.hpp"
#include "core/random.hpp"

namespace imgforge::fetch {

std::filesystem::path KnownFiles::path_of(const std::string& name) const {
  const bool clean = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (!clean) throw core::Error(core::Kind::kInternal, "not a name for a cached file");
  return folder_ / (name + ".json");
}

std::optional<core::Digest> KnownFiles::find(const std::string& name) const {
  const std::filesystem::path path = path_of(name);
  try {
    const core::Json record = core::parse_json(core::read_text_file(path), "cache record");
    core::Digest digest = core::Digest::parse(record.at("sha256").get<std::string>());
    if (digest.algorithm() == core::HashAlgorithm::kSha256) return digest;
  } catch (const core::Error&) {
    // Unusable is as good as unknown: the file is fetched and checked again.
  } catch (const core::Json::exception&) {
  }
  return std::nullopt;
}

void KnownFiles::record(const std::string& name, const core::Digest& sha256) const {
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) throw core::system_error(error.value(), "cannot create", folder_.native());
  core::Json record;
  record["sha256"] = sha256.to_string();
  // Not synced: a record that a power cut spoils costs one download, and there is one for every package.
  const std::filesystem::path path = path_of(name);
  core::NewFile file(path.native() + "." + core::random_hex(4));
  file.write(core::print_json(record));
  file.close();
  std::filesystem::rename(file.path(), path, error);
  if (error) throw core::system_error(error.value(), "cannot create", path.native());
  file.keep();
}

}  // namespace imgforge::fetch
