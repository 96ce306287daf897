#include "builder/image/disk/disk_kernel.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "artifacts/codec/recognise.hpp"
#include "builder/image/disk/gpt.hpp"
#include "builder/image/disk/partition_bytes.hpp"
#include "builder/image/disk/qcow2_bytes.hpp"
#include "builder/image/image_bytes.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"

namespace imgforge::image {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargestPartition = 4ULL << 30;
constexpr std::size_t kPiece = 1 << 20;

/// Zeros become holes.
void copy_part(const ImageBytes& disk, const BytePartition& part, const fs::path& target,
               const core::CancelToken& cancel) {
  const core::Fd file = core::open_file(target, O_WRONLY | O_CREAT | O_EXCL);
  if (::ftruncate(file.get(), static_cast<off_t>(part.size)) != 0)
    throw core::system_error(errno, "cannot write", target.native());
  std::vector<std::byte> buffer(kPiece);
  for (std::uint64_t done = 0; done < part.size; done += kPiece) {
    cancel.check();
    const std::span piece(buffer.data(), std::min<std::uint64_t>(kPiece, part.size - done));
    disk.read(part.start + done, piece);
    if (std::all_of(piece.begin(), piece.end(), [](std::byte b) { return b == std::byte{0}; })) continue;
    ::lseek(file.get(), static_cast<off_t>(done), SEEK_SET);
    core::write_all(file.get(), {reinterpret_cast<const char*>(piece.data()), piece.size()}, target.native());
  }
}

std::optional<BytePartition> boot_partition(const ImageBytes& disk) {
  for (const BytePartition& part : partitions_in(disk)) {
    if (part.type_uuid == kEspType && part.size <= kLargestPartition) return part;
  }
  return std::nullopt;
}

}  // namespace

HasKernel extract_kernel(const fs::path& disk, const DiskKernel& targets, const fs::path& work_dir,
                         core::ProcessRunner& processes, const core::CancelToken& cancel) {
  const core::Fd fd = core::open_regular(disk);
  const FileBytes file(fd.get(), disk.native());
  std::unique_ptr<Qcow2Bytes> inside;
  if (artifacts::begins_as(file.text(0, 4096), artifacts::Content::kQcow2))
    inside = std::make_unique<Qcow2Bytes>(file, disk.native());
  const ImageBytes& bytes = inside ? static_cast<const ImageBytes&>(*inside) : file;
  const auto part = boot_partition(bytes);
  if (!part) return HasKernel::kNo;
  const core::TempDir work(work_dir, "boot-partition");
  copy_part(bytes, *part, work / "partition", cancel);
  for (const auto& [name, target] : {std::pair("::/imgforge/vmlinuz", targets.kernel),
                                     std::pair("::/imgforge/initramfs.img", targets.initramfs)}) {
    core::Command command;
    command.program = "mcopy";
    command.args = {"-n", "-i", (work / "partition").native(), name, target.native()};
    if (processes.run(command, cancel).exit_code == 0) continue;
    std::error_code ignored;
    fs::remove(targets.kernel, ignored);
    return HasKernel::kNo;
  }
  return HasKernel::kYes;
}

}  // namespace imgforge::image
