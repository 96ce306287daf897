#include <fmt/format.h>

#include "artifacts/codec/compression.hpp"
#include "builder/formats/records.hpp"
#include "core/fd.hpp"

namespace imgforge::formats {
namespace {

/// Far above any root file system; it only bounds what a hostile file may cost.
constexpr core::Bytes kLargestTar = core::gib(64);

MadeFormat make(Intermediates& parts, const std::filesystem::path& folder) {
  const std::filesystem::path output = folder / "artifact.rootfs.tar.zst";
  const Intermediates::PackedRoot& packed = parts.packed_rootfs();
  core::clone_file(packed.path, output);
  return {{{"image", output, 0, {{"compression", "zstd"}, {"tar_sha256", packed.tar.hex()}}}}, {}};
}

FoundFile check(const std::filesystem::path& file, std::string_view, core::ProcessRunner&,
                const core::CancelToken& cancel) {
  return {fmt::format("zstd, unpacks to {}",
                      core::Bytes{artifacts::test_zstd(file, kLargestTar, cancel)}.human())};
}

}  // namespace

const Format kRootfs{"rootfs", {}, {}, make, check};

}  // namespace imgforge::formats
