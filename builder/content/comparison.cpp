#include "builder/content/comparison.hpp"

#include <fmt/format.h>

#include <iterator>
#include <utility>
#include <vector>

#include "core/text.hpp"

namespace imgforge::content {
namespace {

using core::Reason;

constexpr std::size_t kShown = 200;

/// What two rows say differently, all but the content: "mode 0644, is 4755".
std::vector<std::string> differences(const FileRow& listed, const FileRow& found) {
  if (listed.type != found.type) return {fmt::format("{}, is {}", listed.type, found.type)};
  std::vector<std::string> out;
  const auto compare = [&](const char* what, const auto& before, const auto& after) {
    if (before != after) out.push_back(fmt::format("{} {}, is {}", what, before, after));
  };
  if (listed.mode != found.mode)
    out.push_back(fmt::format("mode {:04o}, is {:04o}", listed.mode, found.mode));
  compare("uid", listed.uid, found.uid);
  compare("gid", listed.gid, found.gid);
  compare("size", listed.size, found.size);
  compare("target", core::escaped(listed.target, kShown), core::escaped(found.target, kShown));
  compare("device", fmt::format("{}:{}", listed.device_major, listed.device_minor),
          fmt::format("{}:{}", found.device_major, found.device_minor));
  if (listed.attributes != found.attributes) out.emplace_back("other extended attributes");
  return out;
}

}  // namespace

void Comparison::add(const std::string& path, std::string detail, Reason reason) {
  ++findings_.count;
  findings_.first.insert({path, std::move(detail), reason});
  if (findings_.first.size() > Findings::kMost) findings_.first.erase(std::prev(findings_.first.end()));
}

void Comparison::take(const FoundFile& file) {
  const auto listed = list_.find(file.path);
  if (listed == list_.end()) {
    const bool own = file.row.type == kDirectory && own_.contains(file.path);
    if (!own) add(file.path, fmt::format("not in the list: {}", file.row.type), Reason::kWrongSubject);
    return;
  }
  if (!seen_.insert(file.path).second)
    throw core::Error(core::Kind::kImage, "/" + core::escaped(file.path, kShown) + " is in it twice");
  ++findings_.files;
  const FileRow& row = listed->second;
  std::vector<std::string> changes = differences(row, file.row);
  if (changes.empty() && file.read) {
    core::Hasher hasher(core::HashAlgorithm::kSha256);
    std::uint64_t size = 0;
    file.read([&](std::string_view bytes) {
      hasher.update(bytes);
      size += bytes.size();
    });
    findings_.bytes += size;
    const core::Digest sha256 = hasher.finish();
    if (size != row.size) {
      changes.push_back(fmt::format("size {}, is {}", row.size, size));
    } else if (sha256 != row.sha256) {
      changes.push_back(fmt::format("sha256 {}, is {}", row.sha256.hex(), sha256.hex()));
    }
  }
  if (changes.empty()) return;
  changed_.insert(file.path);
  add(file.path, "changed: " + core::join(changes, "; "), Reason::kDigestMismatch);
}

void Comparison::take_link(const std::string& path, const std::string& target) {
  const auto listed = list_.find(path);
  const auto meant = list_.find(target);
  if (listed == list_.end()) return add(path, "not in the list: hard link", Reason::kWrongSubject);
  if (!seen_.insert(path).second)
    throw core::Error(core::Kind::kImage, "/" + core::escaped(path, kShown) + " is in it twice");
  ++findings_.files;
  const bool same = meant != list_.end() && seen_.contains(target) && !changed_.contains(target) &&
                    differences(listed->second, meant->second).empty() &&
                    listed->second.sha256 == meant->second.sha256;
  if (same) return;
  changed_.insert(path);
  add(path, "changed: hard link to /" + core::escaped(target, kShown), Reason::kDigestMismatch);
}

Findings Comparison::finish() {
  for (const auto& [path, row] : list_) {
    if (!seen_.contains(path)) add(path, fmt::format("missing: {}", row.type), Reason::kMissing);
  }
  return std::move(findings_);
}

}  // namespace imgforge::content
