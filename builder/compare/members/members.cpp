#include "builder/compare/members/members.hpp"

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"

namespace imgforge::compare {
namespace {

namespace fs = std::filesystem;

/// What is unpacked of one container at a time, bytes.
constexpr std::uint64_t kMostUnpacked = std::uint64_t{8} << 30;

std::string word_of(const Member& member) {
  for (const auto& [name, value] : member.fields) {
    if (std::string_view(name) == "type") return value;
  }
  return "there";
}

void compare_attributes(Node& node, const Member& before, const Member& after) {
  const std::size_t common = std::min(before.fields.size(), after.fields.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (before.fields[i].second != after.fields[i].second)
      node.add(before.fields[i].first, before.fields[i].second, after.fields[i].second);
  }
  if (before.size != after.size) node.add("size", std::to_string(before.size), std::to_string(after.size));
}

void compare_order(Node& node, const std::vector<std::string>& before,
                   const std::vector<std::string>& after) {
  const auto [a, b] = std::mismatch(before.begin(), before.end(), after.begin(), after.end());
  if (a != before.end() && b != after.end()) node.add("order of members", *a, *b);
}

/// True when the last part of the path is a sha256: blobs of container images are named by their content.
bool is_named_by_content(const std::string& path) {
  const std::string_view name = std::string_view(path).substr(path.rfind('/') + 1);
  return name.size() == 64 && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

/// Files named by their content that are on one side only, largest first.
std::vector<std::string> moved_files(const MemberSource& source, const MemberSource& other) {
  std::vector<std::string> paths;
  for (const auto& [path, member] : source.members()) {
    if (is_named_by_content(path) && !member.sha256.empty() && !other.members().contains(path))
      paths.push_back(path);
  }
  std::stable_sort(paths.begin(), paths.end(), [&](const std::string& a, const std::string& b) {
    return source.members().at(a).size > source.members().at(b).size;
  });
  return paths;
}

/// Such files of both sides that are taken for the same one: as many on both sides, paired by size.
std::map<std::string, std::string> renamed_files(const MemberSource& before, const MemberSource& after) {
  const std::vector<std::string> a = moved_files(before, after);
  const std::vector<std::string> b = moved_files(after, before);
  std::map<std::string, std::string> names;
  for (std::size_t i = 0; a.size() == b.size() && i < a.size(); ++i) names[a[i]] = b[i];
  return names;
}

}  // namespace

void MemberSource::add(const std::string& path, Member member) {
  if (members_.size() >= kMostMembers)
    throw core::Error(core::Kind::kUnsafe, "it holds more than " + std::to_string(kMostMembers) + " files");
  if (!members_.emplace(path, std::move(member)).second)
    throw core::Error(core::Kind::kArchive, core::escaped(path) + " is in it twice");
}

void MemberSource::count_bytes(std::uint64_t size) {
  if (size > kMostBytes - bytes_)
    throw core::Error(core::Kind::kUnsafe, "its files are larger together than imgforge compares");
  bytes_ += size;
}

void compare_members(Node& node, MemberSource& before, MemberSource& after, const CompareTools& tools,
                     const CompareContent& compare) {
  const auto renamed = renamed_files(before, after);
  std::set<std::string> new_names;
  for (const auto& row : renamed) new_names.insert(row.second);
  const auto name_after = [&](const std::string& path) -> const std::string& {
    const auto other = renamed.find(path);
    return other == renamed.end() ? path : other->second;
  };
  std::vector<Node> found;
  std::vector<std::string> contents;
  std::uint64_t room = kMostUnpacked;
  std::uint64_t one_sided = 0;
  for (const auto& [path, member] : before.members()) {
    const auto twin = after.members().find(name_after(path));
    if (twin == after.members().end()) {
      ++one_sided;
      node.add("/" + path, word_of(member), std::nullopt);
      continue;
    }
    Node part{.name = "/" + path, .kind = ""};
    if (twin->first != path) part.add("name", path, twin->first);
    compare_attributes(part, member, twin->second);
    const bool differs = member.sha256 != twin->second.sha256;
    if (part.empty() && !differs) continue;
    if (found.size() + node.parts.size() >= Node::kMostParts) {
      ++node.omitted;
      continue;
    }
    const std::uint64_t bytes = member.size + twin->second.size;
    if (differs && !member.sha256.empty() && !twin->second.sha256.empty() && bytes <= room) {
      room -= bytes;
      contents.push_back(path);
    } else if (differs) {
      part.add("content", member.sha256.empty() ? "none" : member.sha256.to_string(),
               twin->second.sha256.empty() ? "none" : twin->second.sha256.to_string());
    }
    found.push_back(std::move(part));
  }
  for (const auto& [path, member] : after.members()) {
    if (!before.members().contains(path) && !new_names.contains(path)) {
      ++one_sided;
      node.add("/" + path, std::nullopt, word_of(member));
    }
  }
  if (one_sided == 0) compare_order(node, before.order(), after.order());
  const core::TempDir folder(tools.work, "members");
  std::map<std::string, fs::path> old_files;
  std::map<std::string, fs::path> new_files;
  for (std::size_t i = 0; i < contents.size(); ++i) {
    old_files[contents[i]] = folder / (std::to_string(i) + ".before");
    new_files[name_after(contents[i])] = folder / (std::to_string(i) + ".after");
  }
  if (!contents.empty()) {
    before.extract(old_files);
    after.extract(new_files);
  }
  for (Node& part : found) {
    const auto old_file = old_files.find(part.name.substr(1));
    if (old_file != old_files.end()) {
      const fs::path& new_file = new_files.at(name_after(old_file->first));
      Node content = compare(part.name, old_file->second, new_file);
      fs::remove(old_file->second);
      fs::remove(new_file);
      content.differences.insert(content.differences.begin(), part.differences.begin(),
                                 part.differences.end());
      part = std::move(content);
    }
    node.add(std::move(part));
  }
}

}  // namespace imgforge::compare
