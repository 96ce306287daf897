#include "artifacts/manifest/companions.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace imgforge::artifacts {

namespace fs = std::filesystem;

std::string_view key_id_in(std::string_view name, std::string_view prefix, std::string_view suffix) {
  constexpr std::size_t kDigits = 16;
  if (name.size() != prefix.size() + kDigits + suffix.size() || !name.starts_with(prefix) ||
      !name.ends_with(suffix))
    return {};
  const std::string_view id = name.substr(prefix.size(), kDigits);
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); };
  return std::all_of(id.begin(), id.end(), is_digit) ? id : std::string_view{};
}

bool is_companion(std::string_view name) {
  return std::find(kCompanionNames.begin(), kCompanionNames.end(), name) != kCompanionNames.end() ||
         !key_id_in(name, kFurtherSignaturePrefix, kFurtherSignatureSuffix).empty() ||
         !key_id_in(name, kRebuiltPrefix, kRebuiltSuffix).empty();
}

std::vector<std::string> companions_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    std::string name = entry.path().filename().native();
    if (!is_companion(name)) continue;
    if (entry.symlink_status().type() != fs::file_type::regular)
      throw core::Error(core::Kind::kIntegrity, entry.path().native() + " is not a regular file");
    names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace imgforge::artifacts
