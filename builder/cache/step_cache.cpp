#include "builder/cache/step_cache.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include "core/atomic_file.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/json.hpp"

namespace imgforge::cache {
namespace {

namespace fs = std::filesystem;

constexpr core::JsonLimits kLimits{64 << 20, 32};

std::optional<core::Json> read_record(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return std::nullopt;
  try {
    return core::parse_json(core::read_text_file(path, kLimits.bytes), path.native(), kLimits);
  } catch (const core::Error&) {
    return std::nullopt;  // damaged: the step runs again and replaces it
  }
}

}  // namespace

fs::path StepCache::record_path(const core::Digest& fingerprint) const {
  const std::string hex = fingerprint.hex();
  return root_ / hex.substr(0, 2) / (hex + ".json");
}

fs::path StepCache::last_path(const std::string& step) const {
  return root_ / "last" / (core::digest_of(core::HashAlgorithm::kSha256, step).hex() + ".json");
}

std::optional<std::string> StepCache::find(const core::Digest& fingerprint) const {
  const auto record = read_record(record_path(fingerprint));
  if (!record || !record->is_object() || !record->contains("result")) return std::nullopt;
  // Its time says when it was last of use; where that cannot be set, gc sees it as older.
  ::utimensat(AT_FDCWD, record_path(fingerprint).c_str(), nullptr, 0);
  return record->at("result").dump();
}

void StepCache::store(const std::string& step, const core::Digest& fingerprint, const std::string& canonical,
                      const std::string& result) {
  const fs::path path = record_path(fingerprint);
  fs::create_directories(path.parent_path());
  fs::create_directories(root_ / "last");
  const core::Json record{
      {"schema", 2}, {"step", step}, {"made-from", canonical}, {"result", core::Json::parse(result)}};
  core::write_file_atomically(path, core::print_json(record));
  core::write_file_atomically(last_path(step), core::print_json({{"schema", 2}, {"made-from", canonical}}));
}

std::optional<std::string> StepCache::last_text(const std::string& step) const {
  const auto record = read_record(last_path(step));
  if (!record || !record->is_object() || !record->contains("made-from")) return std::nullopt;
  const core::Json& text = record->at("made-from");
  return text.is_string() ? std::optional(text.get<std::string>()) : std::nullopt;
}

}  // namespace imgforge::cache
