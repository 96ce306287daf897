#include <algorithm>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "artifacts/codec/unpack_stream.hpp"
#include "artifacts/tar/tar.hpp"
#include "artifacts/tar/tar_format.hpp"
#include "artifacts/tar/tar_names.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::artifacts {
namespace {

using core::Error;
using core::Kind;

constexpr std::uint64_t kMaxExtension = 1 << 20;       // bytes of one pax or GNU long-name member
constexpr std::uint64_t kMaxEndPadding = 64ULL << 20;  // zeros behind the end of archive
constexpr std::size_t kMaxLinkTarget = 4095;

EntryType type_of(char flag) {
  switch (flag) {
    case '0':
    case '\0':
    case '7':
      return EntryType::kFile;
    case '1':
      return EntryType::kHardlink;
    case '2':
      return EntryType::kSymlink;
    case '3':
      return EntryType::kCharDevice;
    case '4':
      return EntryType::kBlockDevice;
    case '5':
      return EntryType::kDirectory;
    case '6':
      return EntryType::kFifo;
    case 'S':
      throw Error(Kind::kUnsafe, "sparse members are not accepted");
    default:
      throw Error(Kind::kArchive, "unknown member type '" + core::escaped(std::string(1, flag)) + "'");
  }
}

std::uint32_t unsigned_32(std::int64_t value, const char* what) {
  if (value < 0 || value > std::numeric_limits<std::uint32_t>::max()) {
    throw Error(Kind::kArchive, std::string("the ") + what + " is out of range");
  }
  return static_cast<std::uint32_t>(value);
}

/// GNU long names end with a NUL that belongs to the stored size.
std::string without_final_nul(std::string text) {
  if (!text.empty() && text.back() == '\0') text.pop_back();
  return text;
}

/// What extension members said about the next real member.
struct Extensions {
  std::optional<PaxRecords> pax;
  std::optional<std::string> long_name;
  std::optional<std::string> long_link;
  bool any() const { return pax || long_name || long_link; }
};

template <class T>
void set_once(std::optional<T>& slot, T value) {
  if (slot) throw Error(Kind::kArchive, "extension header given twice");
  slot = std::move(value);
}

/// Keys of a pax header that change what a member is; a global header must not have them.
constexpr std::array<std::string_view, 6> kMemberKeys{"path", "linkpath", "size", "uid", "gid", "mtime"};
constexpr std::string_view kXattrPrefix = "SCHILY.xattr.";

void apply_pax(const PaxRecords& records, TarHeader& header, TarEntry& entry) {
  for (const auto& [key, value] : records) {
    if (key == "path") {
      header.name = value;
    } else if (key == "linkpath") {
      header.link = value;
    } else if (key == "uid") {
      header.uid = parse_pax_number(key, value);
    } else if (key == "gid") {
      header.gid = parse_pax_number(key, value);
    } else if (key == "mtime") {
      header.mtime = parse_pax_number(key, value);
    } else if (key == "size") {
      // Where the plain field can say the size too, two different answers are an attack on somebody's reader.
      const std::int64_t size = parse_pax_number(key, value);
      if (header.size != 0 && header.size != size) throw Error(Kind::kArchive, "two different sizes");
      header.size = size;
    } else if (key.starts_with(kXattrPrefix)) {
      entry.xattrs.emplace(key.substr(kXattrPrefix.size()), value);
    } else if (key.starts_with("GNU.sparse.") || key == "SCHILY.realsize") {
      throw Error(Kind::kUnsafe, "sparse members are not accepted");
    }
    // The rest is comment, other times, names of owners, ACLs, file flags and checksums of packagers.
  }
}

}  // namespace

struct TarReader::State {
  State(core::Fd file, int descriptor, std::string label, const TarPolicy& limits)
      : owned(std::move(file)),
        name(std::move(label)),
        policy(limits),
        stream(descriptor, name, limits.ratio),
        skip_buffer(1 << 18) {
    first_block_ready = read_block(block);
    if (!first_block_ready)
      throw Error(Kind::kArchive, core::escaped(name) + " is not a tar archive (empty)");
    if (is_zero_block(block)) return;
    try {
      parse_tar_header(block);
    } catch (Error& error) {
      throw Error(Kind::kArchive, core::escaped(name) + " is not a tar archive (" + error.message() + ")");
    }
  }

  core::Fd owned;
  std::string name;
  TarPolicy policy;
  UnpackStream stream;
  std::vector<std::byte> skip_buffer;
  TarNames names;
  TarBlock block{};
  bool first_block_ready = false;
  std::uint64_t entries = 0;
  std::uint64_t total = 0;
  std::uint64_t remaining = 0;  // content of the current member not read yet
  std::uint64_t padding = 0;
  bool ended = false;

  Error truncated() const {
    return Error(Kind::kArchive, "archive truncated at byte " + std::to_string(stream.offset()));
  }

  bool read_block(TarBlock& target) {
    const std::size_t n = stream.read_full(target);
    if (n != 0 && n != target.size()) throw truncated();
    return n != 0;
  }

  void skip(std::uint64_t count) {
    while (count > 0) {
      const std::size_t want = static_cast<std::size_t>(std::min<std::uint64_t>(count, skip_buffer.size()));
      const std::size_t n = stream.read(std::span(skip_buffer.data(), want));
      if (n == 0) throw truncated();
      count -= n;
    }
  }

  std::string read_extension(const TarHeader& header) {
    if (header.size < 0 || static_cast<std::uint64_t>(header.size) > kMaxExtension) {
      throw Error(Kind::kUnsafe, "extension header larger than " + std::to_string(kMaxExtension) + " bytes");
    }
    std::string text(static_cast<std::size_t>(header.size), '\0');
    if (stream.read_full(std::as_writable_bytes(std::span(text))) != text.size()) throw truncated();
    skip(tar_padding(text.size()));
    return text;
  }

  void count_entry() {
    if (++entries > policy.entries) {
      throw Error(Kind::kUnsafe, "more than " + std::to_string(policy.entries) + " members");
    }
  }

  /// Two zero blocks end the archive; only zeros may follow (writers fill up their last record).
  void read_end() {
    if (!read_block(block)) throw truncated();
    if (!is_zero_block(block)) throw Error(Kind::kArchive, "data after end of archive");
    std::uint64_t zeros = 0;
    while (const std::size_t n = stream.read(skip_buffer)) {
      const auto end = skip_buffer.begin() + static_cast<std::ptrdiff_t>(n);
      if (std::any_of(skip_buffer.begin(), end, [](std::byte b) { return b != std::byte{0}; })) {
        throw Error(Kind::kArchive, "data after end of archive");
      }
      zeros += n;
      if (zeros > kMaxEndPadding) throw Error(Kind::kUnsafe, "endless zeros after end of archive");
    }
    ended = true;
  }

  /// Header of the next real member with what its extensions say; nothing at the end.
  std::optional<TarHeader> next_header(Extensions& extensions) {
    while (true) {
      if (!std::exchange(first_block_ready, false) && !read_block(block)) throw truncated();
      if (is_zero_block(block)) {
        if (extensions.any()) throw Error(Kind::kArchive, "extension header without a member");
        read_end();
        return std::nullopt;
      }
      TarHeader header = parse_tar_header(block);
      if (header.type == 'x') {
        set_once(extensions.pax, parse_pax_records(read_extension(header)));
      } else if (header.type == 'L') {
        set_once(extensions.long_name, without_final_nul(read_extension(header)));
      } else if (header.type == 'K') {
        set_once(extensions.long_link, without_final_nul(read_extension(header)));
      } else if (header.type == 'g') {
        count_entry();
        for (const auto& [key, value] : parse_pax_records(read_extension(header))) {
          const bool changes = std::find(kMemberKeys.begin(), kMemberKeys.end(), key) != kMemberKeys.end();
          if (changes || key.starts_with(kXattrPrefix) || key.starts_with("GNU.sparse.")) {
            throw Error(Kind::kArchive, "global pax header with " + core::escaped(key, 60));
          }
        }
      } else {
        return header;
      }
    }
  }

  bool next(TarEntry& result) {
    if (ended) return false;
    skip(std::exchange(remaining, 0));
    skip(std::exchange(padding, 0));
    Extensions extensions;
    std::optional<TarHeader> header = next_header(extensions);
    if (!header) return false;
    count_entry();
    TarEntry entry;
    if (extensions.long_name) header->name = *extensions.long_name;
    if (extensions.long_link) header->link = *extensions.long_link;
    if (extensions.pax) apply_pax(*extensions.pax, *header, entry);
    try {
      fill(entry, *header);
    } catch (Error& error) {
      throw error.context("reading member \"" + core::escaped(header->name, 200) + "\"");
    }
    names.add(entry);
    remaining = entry.size;
    padding = tar_padding(entry.size);
    result = std::move(entry);
    return true;
  }

  void fill(TarEntry& entry, const TarHeader& header) {
    entry.type = type_of(header.type);
    const bool folder = entry.type == EntryType::kDirectory;
    const std::string clean = clean_member_name(header.name, policy.depth);
    if (!folder && (clean == "." || header.name.ends_with('/'))) {
      throw Error(Kind::kArchive, "the name of a folder on something else");
    }
    entry.path = names.resolve_parents(clean);
    entry.mode = header.mode;
    entry.uid = unsigned_32(header.uid, "user id");
    entry.gid = unsigned_32(header.gid, "group id");
    entry.mtime = header.mtime;
    fill_content(entry, header);
    fill_link(entry, header);
    const bool device = entry.type == EntryType::kCharDevice || entry.type == EntryType::kBlockDevice;
    if ((device || entry.type == EntryType::kFifo) && policy.devices == Devices::kRefuse) {
      throw Error(Kind::kUnsafe, "device nodes and FIFOs are not allowed here");
    }
    if (device) {
      entry.device_major = unsigned_32(header.device_major, "device number");
      entry.device_minor = unsigned_32(header.device_minor, "device number");
    }
  }

  void fill_content(TarEntry& entry, const TarHeader& header) {
    if (header.size < 0) throw Error(Kind::kArchive, "negative size");
    if (entry.type != EntryType::kFile) {
      if (header.size != 0) throw Error(Kind::kArchive, "content in a member that is not a file");
      return;
    }
    entry.size = static_cast<std::uint64_t>(header.size);
    if (entry.size > policy.total.value || total > policy.total.value - entry.size) {
      throw Error(Kind::kUnsafe, "the contents exceed the budget of " + policy.total.to_string());
    }
    total += entry.size;
  }

  void fill_link(TarEntry& entry, const TarHeader& header) const {
    if (entry.type == EntryType::kHardlink) {
      if (header.link.starts_with('/')) throw Error(Kind::kUnsafe, "hard link to an absolute name");
      entry.link_target = names.resolve_parents(clean_member_name(header.link, policy.depth));
      if (!names.is_file(entry.link_target)) {
        throw Error(Kind::kUnsafe, "hard link to \"" + core::escaped(entry.link_target, 200) +
                                       "\", which is no file stored before");
      }
    } else if (entry.type == EntryType::kSymlink) {
      if (header.link.empty() || header.link.size() > kMaxLinkTarget ||
          header.link.find('\0') != std::string::npos) {
        throw Error(Kind::kArchive, "symlink with an impossible target");
      }
      entry.link_target = header.link;
    }
  }
};

TarReader::TarReader(const std::filesystem::path& file, TarPolicy policy) {
  core::Fd fd = core::open_regular(file);
  const int number = fd.get();
  state_ = std::make_unique<State>(std::move(fd), number, file.native(), policy);
}

TarReader::TarReader(int fd, std::string name, TarPolicy policy)
    : state_(std::make_unique<State>(core::Fd(), fd, std::move(name), policy)) {}

TarReader::~TarReader() = default;
TarReader::TarReader(TarReader&&) noexcept = default;

bool TarReader::next(TarEntry& entry) {
  return core::while_doing("reading " + core::escaped(state_->name), [&] { return state_->next(entry); });
}

std::uint64_t TarReader::position() const {
  return state_->stream.offset();
}

std::size_t TarReader::read(std::span<std::byte> buffer) {
  const std::size_t want =
      static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), state_->remaining));
  if (want == 0) return 0;
  const std::size_t n = state_->stream.read(buffer.first(want));
  if (n == 0) throw state_->truncated().context("reading " + core::escaped(state_->name));
  state_->remaining -= n;
  return n;
}

std::string TarReader::read_text(std::uint64_t limit) {
  if (state_->remaining > limit) {
    throw Error(Kind::kUnsafe, "member larger than " + std::to_string(limit) + " bytes")
        .context("reading " + core::escaped(state_->name));
  }
  std::string text(static_cast<std::size_t>(state_->remaining), '\0');
  auto rest = std::as_writable_bytes(std::span(text));
  while (!rest.empty()) rest = rest.subspan(read(rest));
  return text;
}

}  // namespace imgforge::artifacts
