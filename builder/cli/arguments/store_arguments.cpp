#include "builder/cli/arguments/store_arguments.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::cli {

using artifacts::InventoryRelease;
using artifacts::Manifest;
using artifacts::ManifestArtifact;
using artifacts::ManifestBoot;
using artifacts::StoredFile;

artifacts::Store open_store(const Context& context) {
  return artifacts::Store::open(context.options.output_dir);
}

std::string text_table(const std::vector<std::vector<std::string>>& rows, const Style& style,
                       const std::vector<std::size_t>& right) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    if (widths.size() < row.size()) widths.resize(row.size());
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::string line;
    for (std::size_t i = 0; i < rows[r].size(); ++i) {
      const std::string cell = core::escaped(rows[r][i]);
      const std::string padding(widths[i] - std::min(widths[i], cell.size()), ' ');
      const bool to_right = std::find(right.begin(), right.end(), i) != right.end();
      line += (i == 0 ? "" : "  ") + (to_right ? padding + cell : cell + padding);
    }
    line.resize(line.find_last_not_of(' ') + 1);
    text += (r == 0 ? style.dim(line) : line) + "\n";
  }
  return text;
}

std::string SignatureClaim::text() const {
  if (status == "trusted") return signer;
  if (status == "refused") return "refused key " + signer;
  return status == "unknown" ? "unknown key " + signer : status;
}

namespace {

/// Whether a trusted key counts now: its time has come and is not over, and nobody has revoked it.
bool is_valid(const signing::TrustStore& trust, const signing::PublicKey& key) {
  try {
    trust.require_valid(key);
    return true;
  } catch (const core::Error&) {
    return false;
  }
}

}  // namespace

SignatureClaim signature_claim(const InventoryRelease& release, const signing::TrustStore& trust) {
  if (release.signature.empty()) {
    const bool meant = release.manifest && release.manifest->is_unsigned;
    return {meant ? "unsigned" : "missing", ""};
  }
  try {
    const signing::KeyId id = signing::Signature::parse(release.signature).key_id;
    for (const signing::TrustedKey& key : trust.keys()) {
      if (key.key.raw_id() == id) return {is_valid(trust, key.key) ? "trusted" : "refused", key.name};
    }
    return {"unknown", signing::key_id_text(id)};
  } catch (const core::Error&) {
    return {"damaged", ""};
  }
}

std::string formats_text(const InventoryRelease& release) {
  if (!release.manifest) return "?";
  std::vector<std::pair<std::string, std::uint64_t>> sizes;  // a format may be several files
  for (const ManifestArtifact& artifact : release.manifest->artifacts) {
    if (sizes.empty() || sizes.back().first != artifact.format) sizes.emplace_back(artifact.format, 0);
    const StoredFile* file = release.holder(artifact.file);
    sizes.back().second += file == nullptr ? 0 : file->stored;
  }
  std::vector<std::string> words;
  for (const auto& [format, size] : sizes) words.push_back(format + " " + core::Bytes{size}.human());
  return core::join(words, ", ");
}

std::string boots_text(const Manifest& manifest) {
  std::vector<std::string> words;
  for (const ManifestBoot& boot : manifest.boots) {
    const double seconds = boot.markers.empty() ? 0 : static_cast<double>(boot.markers.back().second) / 1000;
    words.push_back(boot.markers.empty() ? boot.path : fmt::format("{} {:.1f} s", boot.path, seconds));
  }
  return words.empty() ? "-" : core::join(words, ", ");
}

core::Json release_json(const InventoryRelease& release, const signing::TrustStore& trust) {
  const SignatureClaim claim = signature_claim(release, trust);
  core::Json json{{"line", release.line},
                  {"version", release.version},
                  {"state", artifacts::state_name(release.state)},
                  {"directory", release.directory.native()},
                  {"stored", release.stored()},
                  {"signature", {{"status", claim.status}, {"signer", claim.signer}}},
                  {"pinned", release.pin.has_value()},
                  {"clones", release.clones}};
  if (release.pin) {
    json["pin"] = {{"who", release.pin->who}, {"when", release.pin->when}, {"reason", release.pin->reason}};
  }
  if (!release.manifest) {
    json["problem"] = release.problem;
    return json;
  }
  const Manifest& manifest = *release.manifest;
  json["name"] = manifest.name;
  json["profile"] = manifest.profile;
  json["created"] = manifest.created;
  json["insecure"] = manifest.insecure;
  json["artifacts"] = core::Json::array();
  for (const ManifestArtifact& artifact : manifest.artifacts) {
    const StoredFile* file = release.holder(artifact.file);
    json["artifacts"].push_back({{"file", artifact.file},
                                 {"format", artifact.format},
                                 {"size", artifact.size},
                                 {"virtual_size", artifact.virtual_size},
                                 {"stored", file == nullptr ? 0 : file->stored},
                                 {"present", file != nullptr},
                                 {"sha256", artifact.sha256.hex()}});
  }
  json["boots"] = core::Json::array();
  for (const ManifestBoot& boot : manifest.boots) {
    json["boots"].push_back({{"artifact", boot.artifact},
                             {"path", boot.path},
                             {"accelerator", boot.accelerator},
                             {"markers", boot.markers}});
  }
  return json;
}

}  // namespace imgforge::cli
