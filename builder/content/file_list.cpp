#include "builder/content/file_list.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <vector>

#include "artifacts/codec/compression.hpp"
#include "artifacts/codec/unpack_stream.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/new_file.hpp"
#include "core/text.hpp"

namespace imgforge::content {
namespace {

using artifacts::EntryType;
using core::Error;
using core::Json;
using core::Kind;
using core::Reason;

constexpr int kSchema = 1;
constexpr std::size_t kLongestLine = 64u << 10;
constexpr std::uint64_t kMostFiles = 1'000'000;
constexpr int kLevel = 9;
constexpr std::array kTypes{kRegular, kDirectory, kSymlink, kCharDevice, kBlockDevice, kFifo};

std::string_view type_of(EntryType type) {
  switch (type) {
    case EntryType::kFile:
    case EntryType::kHardlink:
      return kRegular;
    case EntryType::kDirectory:
      return kDirectory;
    case EntryType::kSymlink:
      return kSymlink;
    case EntryType::kCharDevice:
      return kCharDevice;
    case EntryType::kBlockDevice:
      return kBlockDevice;
    case EntryType::kFifo:
      return kFifo;
  }
  throw Error(Kind::kInternal, "a member of no type");
}

/// JSON holds UTF-8; names of other bytes stand under another key.
void put_bytes(Json& row, const std::string& key, const std::string& bytes) {
  if (core::is_utf8(bytes)) {
    row[key] = bytes;
  } else {
    row[key + "_base64"] =
        core::to_base64({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  }
}

std::string print_row(const std::string& path, const FileRow& row) {
  Json out;
  put_bytes(out, "path", path);
  out["type"] = row.type;
  if (row.type != kSymlink) out["mode"] = fmt::format("{:04o}", row.mode);
  out["uid"] = row.uid;
  out["gid"] = row.gid;
  if (row.type == kRegular) {
    out["size"] = row.size;
    out["sha256"] = row.sha256.hex();
  }
  if (row.type == kSymlink) put_bytes(out, "target", row.target);
  if (row.type == kCharDevice || row.type == kBlockDevice)
    out["device"] = fmt::format("{}:{}", row.device_major, row.device_minor);
  if (!row.attributes.empty()) out["attributes_sha256"] = row.attributes.hex();
  return out.dump() + "\n";
}

[[noreturn]] void malformed(const std::string& why) {
  throw Error(Kind::kIntegrity, "the list of files is malformed: " + why).reason(Reason::kMalformed);
}

std::string take_bytes(const Json& row, const std::string& key) {
  if (row.contains(key)) return row.at(key).get<std::string>();
  const std::vector<std::uint8_t> bytes = core::from_base64(row.at(key + "_base64").get<std::string>());
  return {bytes.begin(), bytes.end()};
}

std::uint32_t number_32(std::string_view text, int base) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) malformed("a number is none");
  return value;
}

std::pair<std::string, FileRow> parse_row(std::string_view line) {
  const Json json =
      core::parse_json(line, "a line of the list of files", {.bytes = kLongestLine, .depth = 2});
  FileRow row;
  const auto type = json.at("type").get<std::string>();
  const auto known = std::find(kTypes.begin(), kTypes.end(), type);
  if (known == kTypes.end()) malformed("an unknown type");
  row.type = *known;
  row.uid = json.at("uid").get<std::uint32_t>();
  row.gid = json.at("gid").get<std::uint32_t>();
  if (type != kSymlink) row.mode = number_32(json.at("mode").get<std::string>(), 8);
  if (type == kRegular) {
    row.size = json.at("size").get<std::uint64_t>();
    row.sha256 = core::Digest::from_hex(core::HashAlgorithm::kSha256, json.at("sha256").get<std::string>());
  }
  if (type == kSymlink) row.target = take_bytes(json, "target");
  if (json.contains("device")) {
    const std::vector<std::string> parts = core::split(json.at("device").get<std::string>(), ':');
    if (parts.size() != 2) malformed("a device is none");
    row.device_major = number_32(parts[0], 10);
    row.device_minor = number_32(parts[1], 10);
  }
  if (json.contains("attributes_sha256"))
    row.attributes =
        core::Digest::from_hex(core::HashAlgorithm::kSha256, json.at("attributes_sha256").get<std::string>());
  std::string path = take_bytes(json, "path");
  // One spelling for each list: what is not understood here would be something that is not checked.
  if (print_row(path, row) != std::string(line) + "\n") malformed("a line that imgforge does not write");
  return {std::move(path), std::move(row)};
}

std::string print_header(std::size_t files) {
  return Json{{"imgforge_files", kSchema}, {"files", files}}.dump() + "\n";
}

}  // namespace

core::Digest digest_of_attributes(const std::map<std::string, std::string>& attributes) {
  if (attributes.empty()) return {};
  core::Hasher hasher(core::HashAlgorithm::kSha256);
  for (const auto& [name, value] : attributes) {
    hasher.update(name + std::string(1, '\0') + std::to_string(value.size()) + std::string(1, '\0'));
    hasher.update(value);
  }
  return hasher.finish();
}

FileRow row_of(const artifacts::TarEntry& entry) {
  FileRow row;
  row.type = type_of(entry.type);
  if (entry.type == EntryType::kHardlink) return row;
  row.mode = entry.type == EntryType::kSymlink ? 0 : entry.mode;
  row.uid = entry.uid;
  row.gid = entry.gid;
  row.size = entry.type == EntryType::kFile ? entry.size : 0;
  if (entry.type == EntryType::kSymlink) row.target = entry.link_target;
  if (entry.type == EntryType::kCharDevice || entry.type == EntryType::kBlockDevice) {
    row.device_major = entry.device_major;
    row.device_minor = entry.device_minor;
  }
  row.attributes = digest_of_attributes(entry.xattrs);
  return row;
}

FileList list_root(const image::RootTree& tree, const core::CancelToken& cancel) {
  FileList list;
  std::vector<std::byte> buffer(1 << 20);
  image::walk_root(
      tree, [&](const artifacts::TarEntry& entry, const image::ReadContent& read, const image::AddedMember*) {
        cancel.check();
        FileRow row = row_of(entry);
        if (entry.type == EntryType::kFile) {
          core::Hasher hasher(core::HashAlgorithm::kSha256);
          while (const std::size_t n = read(buffer))
            hasher.update(std::span<const std::byte>(buffer).first(n));
          row.sha256 = hasher.finish();
        }
        if (entry.type == EntryType::kHardlink) row = list.at(entry.link_target);
        list[entry.path] = std::move(row);
      });
  return list;
}

void write_file_list(const FileList& list, const std::filesystem::path& target,
                     const std::filesystem::path& work, const core::CancelToken& cancel) {
  const std::filesystem::path plain = work / "files.json";
  core::NewFile out(plain);
  std::string text = print_header(list.size());
  for (const auto& [path, row] : list) {
    text += print_row(path, row);
    if (text.size() < (1 << 20)) continue;
    out.write(text);
    text.clear();
  }
  out.write(text);
  out.commit();
  artifacts::compress_zstd(plain, target, kLevel, artifacts::LongMode::kOff, cancel);
  std::filesystem::remove(plain);
}

FileList read_file_list(int fd, const std::string& name) {
  artifacts::UnpackStream stream(fd, name, 2000);
  FileList list;
  std::optional<std::uint64_t> count;
  std::string pending;
  std::vector<std::byte> buffer(1 << 18);
  const auto take = [&](std::string_view line) {
    if (!count) {
      const Json header = core::parse_json(line, "the list of files", {.bytes = kLongestLine, .depth = 2});
      count = header.at("files").get<std::uint64_t>();
      if (*count > kMostFiles) malformed("too many files");
      if (print_header(*count) != std::string(line) + "\n") malformed("another kind of list");
      return;
    }
    auto [path, row] = parse_row(line);
    if (!list.empty() && path <= list.rbegin()->first) malformed("not sorted by path");
    if (list.size() == *count) malformed("more files than it says");
    list.emplace_hint(list.end(), std::move(path), std::move(row));
  };
  try {
    while (const std::size_t n = stream.read(buffer)) {
      core::CancelToken::check_signals();
      pending.append(reinterpret_cast<const char*>(buffer.data()), n);
      std::size_t begin = 0;
      for (std::size_t end; (end = pending.find('\n', begin)) != std::string::npos; begin = end + 1)
        take(std::string_view(pending).substr(begin, end - begin));
      pending.erase(0, begin);
      if (pending.size() > kLongestLine) malformed("a line is too long");
    }
  } catch (const Json::exception& error) {
    malformed(core::escaped(error.what(), 200));
  }
  if (!count || !pending.empty() || list.size() != *count) malformed("it is cut");
  return list;
}

}  // namespace imgforge::content
