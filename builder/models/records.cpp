#include "builder/models/records.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/random.hpp"

namespace imgforge::models {
namespace {

namespace fs = std::filesystem;
using core::Error;
using core::Kind;

constexpr std::uint64_t kMaxRecord = 16u << 20;

Model read(const fs::path& path) {
  return model_from_json(core::parse_json(core::read_text_file(path, kMaxRecord), path.native(),
                                          {.bytes = kMaxRecord, .depth = 16}),
                         path.native());
}

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".json" && entry.is_regular_file(ignored)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

void add_digests(const Model& model, std::set<core::Digest>& digests) {
  for (const ModelFile& file : model.files) {
    if (file.sha256) digests.insert(*file.sha256);
  }
}

}  // namespace

std::optional<Model> Records::find(const std::string& name) const {
  std::error_code error;
  if (!is_clean_path(name) || name.find('/') != std::string::npos || !fs::exists(path_of(name), error))
    return std::nullopt;
  return read(path_of(name));
}

std::vector<Model> Records::all(std::vector<std::string>& damaged) const {
  std::vector<Model> models;
  for (const fs::path& file : files_in(folder_)) {
    try {
      models.push_back(read(file));
    } catch (const Error& error) {
      if (error.kind() != Kind::kIntegrity) throw;
      damaged.push_back(file.native());
    }
  }
  return models;
}

void Records::store(const Model& model) const {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) throw core::system_error(error.value(), "cannot create", folder_.native());
  const std::string text = core::print_json(to_json(model));
  const fs::path path = path_of(model.name);
  if (fs::exists(path, error)) {
    if (core::read_text_file(path, kMaxRecord) == text) return;
    drop(model.name);
  }
  core::write_file_atomically(path, text);
}

bool Records::drop(const std::string& name) const {
  if (!is_clean_path(name) || name.find('/') != std::string::npos) return false;
  std::error_code error;
  fs::create_directories(dropped(), error);
  const fs::path target = dropped() / (name + "." + core::random_hex(4) + ".json");
  if (::rename(path_of(name).c_str(), target.c_str()) == 0) return true;
  if (errno == ENOENT) return false;
  throw core::system_error(errno, "cannot drop", path_of(name).native());
}

Records::Collected Records::collect(const fs::path& blob_root, bool apply) const {
  std::set<core::Digest> needed;
  for (const fs::path& file : files_in(folder_)) add_digests(read(file), needed);
  std::set<core::Digest> gone;
  for (const fs::path& file : files_in(dropped())) {
    try {
      add_digests(read(file), gone);
    } catch (const Error& error) {
      if (error.kind() != Kind::kIntegrity) throw;  // what it named is the general gc's business
    }
  }
  Collected collected;
  for (const core::Digest& digest : gone) {
    const std::string hex = digest.hex();
    const fs::path blob = blob_root / "sha256" / hex.substr(0, 2) / hex.substr(2);
    std::error_code error;
    const std::uint64_t size = fs::file_size(blob, error);
    if (needed.contains(digest) || error) continue;
    collected.blobs.push_back(blob);
    collected.bytes += size;
    if (apply && ::unlink(blob.c_str()) != 0) throw core::system_error(errno, "cannot remove", blob.native());
  }
  if (apply) {
    for (const fs::path& file : files_in(dropped())) fs::remove(file);
  }
  return collected;
}

}  // namespace imgforge::models
