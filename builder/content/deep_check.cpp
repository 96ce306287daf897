#include "builder/content/deep_check.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>
#include <vector>

#include "builder/content/comparison.hpp"
#include "builder/content/file_list.hpp"
#include "builder/content/image_files.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/file_bytes.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::content {
namespace {

using artifacts::CheckRow;
using artifacts::Manifest;
using artifacts::ManifestArtifact;
using core::Error;
using core::Json;
using core::Kind;
using core::Reason;
namespace fs = std::filesystem;

constexpr const char* kCheck = "content";
constexpr std::uint64_t kLargestList = 512u << 20;
constexpr std::size_t kShown = 300;
/// An image gets a second of processor time more for so many bytes.
constexpr std::uint64_t kBytesPerSecond = 10'000'000;
constexpr std::string_view kVerityWord = "imgforge.verity=";

/// The document as it was signed, in memory: nobody changes it between look and use.
core::Fd take_list(const fs::path& directory, const Manifest& manifest) {
  const auto row = std::find_if(manifest.documents.begin(), manifest.documents.end(),
                                [](const auto& document) { return document.file == kFileListFile; });
  if (row == manifest.documents.end())
    throw Error(Kind::kIntegrity, "the release has no list of its files").reason(Reason::kMissing);
  const fs::path path = directory / row->file;
  std::error_code error;
  if (fs::symlink_status(path, error).type() == fs::file_type::not_found)
    throw Error(Kind::kIntegrity, row->file + " is missing").reason(Reason::kMissing);
  const core::Fd file = core::open_regular(path, core::FollowLinks::kNo);
  if (row->size > kLargestList) throw Error(Kind::kUnsafe, row->file + " is too large");
  core::Fd memory(::memfd_create("files", MFD_CLOEXEC));
  if (!memory) throw core::system_error(errno, "cannot make", "a file in memory");
  core::Hasher hasher(core::HashAlgorithm::kSha256);
  core::read_range(file.get(), row->file, 0, row->size + 1, [&](std::span<const std::byte> bytes) {
    hasher.update(bytes);
    core::write_all(memory.get(), bytes, row->file);
  });
  if (hasher.finish() != row->sha256)
    throw Error(Kind::kIntegrity, row->file + " is not what the manifest lists")
        .reason(Reason::kDigestMismatch);
  return memory;
}

/// What the child answers: what was read and what differs.
std::string compare(int list, int image, const ManifestArtifact& artifact) {
  try {
    if (::lseek(list, 0, SEEK_SET) != 0) throw core::system_error(errno, "cannot rewind", kFileListFile);
    Comparison comparison(read_file_list(list, std::string(kFileListFile)));
    const std::string what = read_image(image, artifact.file, artifact.format, comparison);
    const Findings found = comparison.finish();
    Json rows = Json::array();
    for (const Finding& row : found.first) {
      rows.push_back({{"path", core::escaped(row.path, kShown)},
                      {"detail", core::escaped(row.detail, kShown)},
                      {"reason", static_cast<int>(row.reason)}});
    }
    return Json{{"what", what},
                {"files", found.files},
                {"bytes", found.bytes},
                {"count", found.count},
                {"rows", rows}}
        .dump();
  } catch (const Error& error) {
    return Json{{"error", core::escaped(error.message(), kShown)}}.dump();
  }
}

CheckRow row_for(const ManifestArtifact& artifact) {
  return {artifact.file, kCheck, false, {}, {}, {}};
}

CheckRow failed(const ManifestArtifact& artifact, std::string detail, Reason reason) {
  CheckRow row = row_for(artifact);
  row.detail = std::move(detail);
  row.kind = Kind::kIntegrity;
  row.reason = reason;
  return row;
}

/// The child is not trusted: what it says is text to show, and one of the reasons that it may give.
std::vector<CheckRow> rows_of(const Answer& answer, const ManifestArtifact& artifact,
                              const Manifest& manifest) {
  const Json json = core::parse_json(answer.text, "what reads the image", {.bytes = 1 << 20, .depth = 4});
  if (json.contains("error"))
    return {failed(artifact, core::escaped(json.at("error").get<std::string>(), kShown), Reason::kMalformed)};
  std::vector<CheckRow> rows;
  const auto count = json.at("count").get<std::uint64_t>();
  for (const Json& finding : json.at("rows")) {
    if (rows.size() == Findings::kMost) break;
    const auto reason = static_cast<Reason>(finding.at("reason").get<int>());
    const bool known = reason == Reason::kMissing || reason == Reason::kWrongSubject;
    rows.push_back(failed(artifact,
                          fmt::format("/{}: {}", core::escaped(finding.at("path").get<std::string>(), kShown),
                                      core::escaped(finding.at("detail").get<std::string>(), kShown)),
                          known ? reason : Reason::kDigestMismatch));
  }
  if (count > rows.size())
    rows.push_back(failed(artifact, fmt::format("{} more files are not as listed", count - rows.size()),
                          Reason::kDigestMismatch));
  if (!rows.empty()) return rows;
  CheckRow good = row_for(artifact);
  good.ok = true;
  const bool verity = manifest.kernel_cmdline.find(kVerityWord) != std::string::npos;
  good.detail = fmt::format("{} files as listed, {}{}", json.at("files").get<std::uint64_t>(),
                            core::escaped(json.at("what").get<std::string>(), kShown),
                            verity ? "; dm-verity root hash in the signed manifest" : "");
  return {std::move(good)};
}

std::vector<CheckRow> check(const fs::path& file, const ManifestArtifact& artifact, const Manifest& manifest,
                            const core::CancelToken& cancel, ConfinedLimits limits,
                            const std::function<void(const Confinement&)>& held) {
  const core::Fd list = take_list(file.parent_path(), manifest);
  const core::Fd image = core::open_regular(file, core::FollowLinks::kNo);
  const std::uint64_t size = core::file_size(image.get(), artifact.file) + artifact.virtual_size;
  limits.processor = std::min(limits.processor + std::chrono::seconds(size / kBytesPerSecond),
                              std::chrono::seconds(24 * 3600));
  const Answer answer = run_confined([&] { return compare(list.get(), image.get(), artifact); },
                                     {list.get(), image.get()}, limits, cancel);
  if (held) held(answer.confinement);
  try {
    return rows_of(answer, artifact, manifest);
  } catch (const Json::exception&) {
    throw Error(Kind::kImage, "what reads the image gave no answer").reason(Reason::kMalformed);
  }
}

}  // namespace

artifacts::ContentCheck deep_check(const core::CancelToken& cancel, ConfinedLimits limits,
                                   std::function<void(const Confinement&)> held) {
  return [&cancel, limits, held = std::move(held)](const fs::path& file, const ManifestArtifact& artifact,
                                                   const Manifest& manifest) {
    const Readable kind = readable(artifact);
    CheckRow row = row_for(artifact);
    if (kind == Readable::kNo) return std::vector<CheckRow>{};
    if (kind == Readable::kNotYet) {
      row.ok = true;
      row.detail = fmt::format("not looked into: imgforge reads no files inside a {}{}", artifact.format,
                               artifacts::is_packed(artifact) ? " that is packed" : "");
      return std::vector<CheckRow>{std::move(row)};
    }
    try {
      return check(file, artifact, manifest, cancel, limits, held);
    } catch (const Error& error) {
      if (error.kind() == Kind::kInterrupted) throw;
      row.fail(error);
      return std::vector<CheckRow>{std::move(row)};
    }
  };
}

}  // namespace imgforge::content
