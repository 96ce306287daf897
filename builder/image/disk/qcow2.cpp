#include "builder/image/disk/qcow2.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/new_file.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

using core::Error;
using core::Kind;

constexpr std::size_t kHeaderSize = 112;  // through compression_type and its padding
constexpr std::uint32_t kMinClusterBits = 9;
constexpr std::uint32_t kMaxClusterBits = 21;
constexpr std::uint64_t kMaxVirtualSize = std::uint64_t{1} << 46;  // 64 TiB
constexpr std::uint64_t kMaxL1Bytes = 32u << 20;
constexpr std::uint64_t kIncompatibleDirty = 1;
constexpr std::uint64_t kIncompatibleCorrupt = 2;
constexpr std::uint64_t kIncompatibleDataFile = 4;
constexpr std::uint64_t kIncompatibleCompressionType = 8;

/// Header fields by their offsets; all are big-endian.
class Header {
 public:
  Header(const ImageBytes& file, std::string name) : name_(std::move(name)), file_size_(file.size()) {
    const auto filled = static_cast<std::size_t>(std::min<std::uint64_t>(file_size_, bytes_.size()));
    file.read(0, std::span(bytes_).first(filled));
    if (filled < 72 || u32(0) != 0x514649FB) fail("it is not a qcow2 image");
    if (u32(4) != 3) fail(fmt::format("it is version {} of the format, only 3 is accepted", u32(4)));
    if (filled < 104) fail("it ends within its header");
  }

  [[noreturn]] void fail(std::string_view why) const {
    throw Error(Kind::kImage, fmt::format("{} is refused: {}", name_, why));
  }

  std::uint64_t number(std::size_t offset, std::size_t size) const {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < size; ++i)
      value = value << 8 | std::to_integer<std::uint64_t>(bytes_[offset + i]);
    return value;
  }
  std::uint32_t u32(std::size_t offset) const { return static_cast<std::uint32_t>(number(offset, 4)); }
  std::uint64_t u64(std::size_t offset) const { return number(offset, 8); }

  /// A table must be inside the file and begin at a cluster.
  void check_table(std::uint64_t offset, std::uint64_t size, std::uint64_t cluster,
                   std::string_view what) const {
    if (offset == 0 || offset % cluster != 0 || offset > file_size_ || size > file_size_ - offset) {
      fail(fmt::format("its {} is not inside the file", what));
    }
  }

 private:
  std::string name_;
  std::uint64_t file_size_;
  std::array<std::byte, kHeaderSize> bytes_{};
};

void refuse_features(const Header& header) {
  if (header.u32(32) != 0) header.fail("it is encrypted");
  const std::uint64_t incompatible = header.u64(72);
  if ((incompatible & kIncompatibleDataFile) != 0) header.fail("its data is in an external file");
  if ((incompatible & kIncompatibleDirty) != 0) header.fail("it is marked dirty");
  if ((incompatible & kIncompatibleCorrupt) != 0) header.fail("it is marked corrupt");
  if ((incompatible & ~kIncompatibleCompressionType) != 0) {
    header.fail(fmt::format("it needs unknown features ({:#x})", incompatible));
  }
  if (header.u64(88) != 0) header.fail("it has bitmaps or other extra data");
}

ClusterCompression compression_of(const Header& header) {
  const bool has_type = header.u32(100) > 104;
  const std::uint64_t type = has_type ? header.number(104, 1) : 0;
  const bool announced = (header.u64(72) & kIncompatibleCompressionType) != 0;
  if (type > 1 || announced != (type != 0)) header.fail("its compression type is unknown");
  return type == 1 ? ClusterCompression::kZstd : ClusterCompression::kZlib;
}

/// Absolute, so that qemu never reads a protocol (nbd:...) or an option out of a name.
std::string safe_name(const std::filesystem::path& path) {
  return std::filesystem::absolute(path).native();
}

std::vector<std::string> convert_args(const std::filesystem::path& raw, const std::filesystem::path& output,
                                      ClusterCompression compression) {
  std::vector<std::string> args = {"convert", "-f", "raw", "-O", "qcow2"};
  if (compression != ClusterCompression::kNone) {
    const char* type = compression == ClusterCompression::kZstd ? "zstd" : "zlib";
    args.insert(args.end(), {"-c", "-o", fmt::format("compat=1.1,compression_type={}", type)});
  } else {
    args.insert(args.end(), {"-o", "compat=1.1"});
  }
  args.insert(args.end(), {safe_name(raw), safe_name(output)});
  return args;
}

/// What image and overlay have in common: features, sizes, tables.
Qcow2Facts read_common(const Header& header) {
  refuse_features(header);
  const std::uint32_t cluster_bits = header.u32(20);
  if (cluster_bits < kMinClusterBits || cluster_bits > kMaxClusterBits)
    header.fail("its cluster size is impossible");
  const std::uint64_t cluster = std::uint64_t{1} << cluster_bits;
  const std::uint64_t virtual_size = header.u64(24);
  if (virtual_size == 0 || virtual_size > kMaxVirtualSize || virtual_size % 512 != 0) {
    header.fail("its virtual size is impossible");
  }
  const std::uint32_t header_length = header.u32(100);
  if (header_length < 104 || header_length > cluster || header_length % 8 != 0)
    header.fail("its header is malformed");
  const std::uint64_t l1_bytes = std::uint64_t{header.u32(36)} * 8;
  const std::uint64_t per_l1_entry = cluster * (cluster / 8);
  if (l1_bytes > kMaxL1Bytes || l1_bytes / 8 < (virtual_size + per_l1_entry - 1) / per_l1_entry) {
    header.fail("its first table has an impossible size");
  }
  header.check_table(header.u64(40), l1_bytes, cluster, "first table");
  header.check_table(header.u64(48), std::uint64_t{header.u32(56)} * cluster, cluster,
                     "reference count table");
  return {core::Bytes{virtual_size}, core::Bytes{cluster}, compression_of(header), header.u64(40), l1_bytes};
}

/// Header extensions follow the header within the first cluster: type, length, data padded to 8 bytes.
void check_extensions(const Header& header, const ImageBytes& file, std::uint64_t cluster) {
  constexpr std::uint32_t kEnd = 0;
  constexpr std::uint32_t kBackingFormat = 0xE2792ACA;
  constexpr std::uint32_t kFeatureNames = 0x6803F857;
  std::uint64_t position = header.u32(100);
  while (true) {
    std::array<std::byte, 8> head{};
    if (position + head.size() > cluster || position + head.size() > file.size())
      header.fail("its header extensions have no end");
    file.read(position, head);
    std::uint32_t type = 0;
    std::uint32_t length = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      type = type << 8 | std::to_integer<std::uint32_t>(head[i]);
      length = length << 8 | std::to_integer<std::uint32_t>(head[i + 4]);
    }
    if (type == kEnd) return;
    if (type != kBackingFormat && type != kFeatureNames)
      header.fail(fmt::format("it has a header extension ({:#x}) that no overlay needs", type));
    position += head.size() + (std::uint64_t{length} + 7) / 8 * 8;
  }
}

}  // namespace

OverlayFacts read_overlay_header(const std::filesystem::path& file) {
  const core::Fd fd = core::open_regular(file, core::FollowLinks::kNo);
  return read_overlay_header(FileBytes(fd.get(), file.native()), file.native());
}

OverlayFacts read_overlay_header(const ImageBytes& file, const std::string& name) {
  const Header header(file, name);
  const Qcow2Facts facts = read_common(header);
  check_extensions(header, file, facts.cluster_size.value);
  return {facts.virtual_size, header.u64(8) != 0, header.u32(60)};
}

Qcow2Facts read_qcow2_header(const std::filesystem::path& file) {
  const core::Fd fd = core::open_regular(file);
  return read_qcow2_header(FileBytes(fd.get(), file.native()), file.native());
}

Qcow2Facts read_qcow2_header(const ImageBytes& file, const std::string& name) {
  const Header header(file, name);
  if (header.u64(8) != 0) header.fail("it has a backing file");
  if (header.u32(60) != 0) header.fail("it has internal snapshots");
  return read_common(header);
}

Qcow2Facts check_qcow2(const std::filesystem::path& file, core::ProcessRunner& processes,
                       const core::CancelToken& cancel) {
  const Qcow2Facts facts = read_qcow2_header(file);
  core::Command command;
  command.program = "qemu-img";
  command.args = {"check", "-q", "-f", "qcow2", safe_name(file)};
  const core::ProcessResult result = processes.run(command, cancel);
  if (result.exit_code != 0) {
    const bool in_use = result.err.find("lock") != std::string::npos;
    throw Error(Kind::kImage, fmt::format("{} {}", file.native(), in_use ? "is in use" : "is damaged"))
        .quote(core::tail_lines(result.out + result.err));
  }
  return facts;
}

Qcow2Facts write_qcow2(const std::filesystem::path& raw, const std::filesystem::path& output,
                       ClusterCompression compression, core::ProcessRunner& processes,
                       const core::CancelToken& cancel) {
  if (std::filesystem::exists(std::filesystem::symlink_status(output))) {
    throw Error(Kind::kImage, output.native() + " exists already");
  }
  core::Command command;
  command.program = "qemu-img";
  command.args = convert_args(raw, output, compression);
  core::UnfinishedFile made(output);
  processes.check(command, cancel, Kind::kImage);
  const Qcow2Facts facts = check_qcow2(output, processes, cancel);
  made.keep();
  return facts;
}

}  // namespace imgforge::image
