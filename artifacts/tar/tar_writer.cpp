#include <algorithm>
#include <charconv>
#include <cstring>
#include <vector>

#include "artifacts/tar/tar.hpp"
#include "artifacts/tar/tar_format.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;

constexpr std::size_t kBufferSize = 1 << 18;
constexpr std::size_t kNameField = 100;
constexpr std::uint64_t kMaxSmallId = 07777777;          // 7 octal digits
constexpr std::uint64_t kMaxSmallNumber = 077777777777;  // 11 octal digits

char flag_of(EntryType type) {
  switch (type) {
    case EntryType::kFile:
      return '0';
    case EntryType::kHardlink:
      return '1';
    case EntryType::kSymlink:
      return '2';
    case EntryType::kCharDevice:
      return '3';
    case EntryType::kBlockDevice:
      return '4';
    case EntryType::kDirectory:
      return '5';
    case EntryType::kFifo:
      return '6';
  }
  return '0';
}

void put_text(TarBlock& block, std::size_t offset, std::string_view text) {
  std::memcpy(block.data() + offset, text.data(), text.size());
}

/// `digits` octal digits with leading zeros and a NUL behind them.
void put_octal(TarBlock& block, std::size_t offset, std::size_t digits, std::uint64_t value) {
  for (std::size_t i = digits; i-- > 0; value >>= 3) block[offset + i] = std::byte('0' + (value & 7));
}

/// "<length> <key>=<value>\n", where the length counts itself.
std::string pax_record(std::string_view key, std::string_view value) {
  const std::size_t body = key.size() + value.size() + 3;
  std::size_t length = body + 1;
  while (length != body + std::to_string(length).size()) length = body + std::to_string(length).size();
  std::string record = std::to_string(length);
  return record.append(" ").append(key).append("=").append(value).append("\n");
}

/// Plain header block; what does not fit a field is left to the pax records.
TarBlock header_block(std::string_view name, char flag, const TarEntry& entry) {
  TarBlock block{};
  put_text(block, 0, name.substr(0, kNameField));
  put_octal(block, 100, 7, entry.mode & 07777U);
  put_octal(block, 108, 7, entry.uid <= kMaxSmallId ? entry.uid : 0);
  put_octal(block, 116, 7, entry.gid <= kMaxSmallId ? entry.gid : 0);
  put_octal(block, 124, 11, entry.size <= kMaxSmallNumber ? entry.size : 0);
  const auto mtime = static_cast<std::uint64_t>(entry.mtime);
  put_octal(block, 136, 11, mtime <= kMaxSmallNumber ? mtime : 0);
  put_text(block, 148, "        ");
  block[156] = std::byte(flag);
  put_text(block, 157, std::string_view(entry.link_target).substr(0, kNameField));
  put_text(block, 257, std::string_view("ustar\00000", 8));
  put_octal(block, 329, 7, entry.device_major);
  put_octal(block, 337, 7, entry.device_minor);
  std::uint64_t sum = 0;
  for (const std::byte b : block) sum += std::to_integer<unsigned>(b);
  put_octal(block, 148, 6, sum);
  block[154] = std::byte{0};
  return block;
}

std::string pax_records(std::string_view name, const TarEntry& entry) {
  const bool long_name = name.size() > kNameField;
  const bool long_link = entry.link_target.size() > kNameField;
  // Records are in key order, so equal entries give equal bytes.
  std::map<std::string, std::string> records;
  if (entry.gid > kMaxSmallId) records["gid"] = std::to_string(entry.gid);
  if (entry.uid > kMaxSmallId) records["uid"] = std::to_string(entry.uid);
  if (entry.size > kMaxSmallNumber) records["size"] = std::to_string(entry.size);
  if (entry.mtime < 0 || static_cast<std::uint64_t>(entry.mtime) > kMaxSmallNumber) {
    records["mtime"] = std::to_string(entry.mtime);
  }
  if (long_name) records["path"] = name;
  if (long_link) records["linkpath"] = entry.link_target;
  for (const auto& [key, value] : entry.xattrs) records["SCHILY.xattr." + key] = value;
  std::string text;
  // POSIX: values are UTF-8 unless this says that they are plain bytes; it has to come before them.
  if ((long_name && !core::is_utf8(name)) || (long_link && !core::is_utf8(entry.link_target))) {
    text += pax_record("hdrcharset", "BINARY");
  }
  for (const auto& [key, value] : records) text += pax_record(key, value);
  return text;
}

void check_entry(const TarEntry& entry) {
  const auto refuse = [&](const char* why) {
    return Error(Kind::kArchive, "cannot store member \"" + core::escaped(entry.path, 200) + "\": " + why);
  };
  constexpr unsigned kAnyDepth = 4096;
  if (clean_member_name(entry.path, kAnyDepth) != entry.path) throw refuse("the name is not clean");
  if (entry.type != EntryType::kFile && entry.size != 0) throw refuse("only files have content");
  const bool link = entry.type == EntryType::kSymlink || entry.type == EntryType::kHardlink;
  if (link == entry.link_target.empty()) throw refuse("link target missing or out of place");
  if (entry.device_major > kMaxSmallId || entry.device_minor > kMaxSmallId)
    throw refuse("device number too large");
  for (const auto& [key, value] : entry.xattrs) {
    if (key.empty() || key.find('=') != std::string::npos) throw refuse("impossible attribute name");
  }
}

}  // namespace

std::string tar_member(std::string_view name, std::string_view content, std::int64_t mtime) {
  TarEntry entry;
  entry.mode = 0644;
  entry.size = content.size();
  entry.mtime = mtime;
  const TarBlock block = header_block(name, '0', entry);
  std::string member(reinterpret_cast<const char*>(block.data()), block.size());
  member += content;
  member.append(tar_padding(content.size()), '\0');
  return member;
}

struct TarWriter::State {
  int fd;
  std::string name;
  std::vector<std::byte> buffer;
  std::uint64_t remaining = 0;
  std::uint64_t padding = 0;

  void put(std::span<const std::byte> data) {
    if (buffer.size() + data.size() > kBufferSize) flush();
    if (data.size() >= kBufferSize) {
      core::write_all(fd, data, name);
    } else {
      buffer.insert(buffer.end(), data.begin(), data.end());
    }
  }

  void put_zeros(std::uint64_t count) {
    static constexpr TarBlock kZeros{};
    put(std::span(kZeros).first(static_cast<std::size_t>(count)));
  }

  void flush() {
    core::write_all(fd, std::span<const std::byte>(buffer), name);
    buffer.clear();
  }

  void expect_member_complete() const {
    if (remaining != 0) {
      throw Error(Kind::kInternal,
                  core::escaped(name) + ": a member is " + std::to_string(remaining) + " bytes short");
    }
  }

  void pad_if_complete() {
    if (remaining == 0) put_zeros(std::exchange(padding, 0));
  }
};

TarWriter::TarWriter(int fd, std::string name) : state_(std::make_unique<State>()) {
  state_->fd = fd;
  state_->name = std::move(name);
  state_->buffer.reserve(kBufferSize);
}

TarWriter::~TarWriter() = default;
TarWriter::TarWriter(TarWriter&&) noexcept = default;

void TarWriter::begin(const TarEntry& entry) {
  state_->expect_member_complete();
  check_entry(entry);
  std::string name = entry.path;
  if (entry.type == EntryType::kDirectory) name += "/";
  const std::string records = pax_records(name, entry);
  if (!records.empty()) {
    TarEntry extension;
    extension.size = records.size();
    state_->put(header_block("././@PaxHeader", 'x', extension));
    state_->put(core::as_bytes(records));
    state_->put_zeros(tar_padding(records.size()));
  }
  state_->put(header_block(name, flag_of(entry.type), entry));
  state_->remaining = entry.size;
  state_->padding = tar_padding(entry.size);
}

void TarWriter::write(std::span<const std::byte> data) {
  if (data.size() > state_->remaining) {
    throw Error(Kind::kInternal, core::escaped(state_->name) + ": a member is longer than announced");
  }
  state_->put(data);
  state_->remaining -= data.size();
  state_->pad_if_complete();
}

void TarWriter::add(TarEntry entry, std::string_view content) {
  entry.size = content.size();
  begin(entry);
  if (!content.empty()) write(core::as_bytes(content));
}

void TarWriter::finish() {
  state_->expect_member_complete();
  state_->put_zeros(kTarBlock);
  state_->put_zeros(kTarBlock);
  state_->flush();
}

}  // namespace imgforge::artifacts
