#include "builder/export/incus_metadata.hpp"

#include <fmt/format.h>
#include <lzma.h>

#include <vector>

#include "artifacts/tar/tar_format.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/file_bytes.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace imgforge::exports {
namespace {

using core::Error;
using core::Kind;

constexpr std::uint32_t kXzPreset = 6;

/// JSON is YAML.
std::string metadata_yaml(const artifacts::Manifest& manifest, std::int64_t created) {
  const std::string description = fmt::format("{} {}", manifest.line(), manifest.version);
  const std::string arch = core::escaped(arch_of(manifest));
  return core::print_json({{"architecture", arch},
                           {"creation_date", created},
                           {"properties",
                            {{"architecture", arch},
                             {"description", description},
                             {"os", manifest.name},
                             {"release", manifest.version},
                             {"variant", manifest.profile.empty() ? "default" : manifest.profile}}}});
}

std::string xz_of(std::string_view plain) {
  std::string packed(lzma_stream_buffer_bound(plain.size()), '\0');
  std::size_t length = 0;
  const lzma_ret code = lzma_easy_buffer_encode(
      kXzPreset, LZMA_CHECK_CRC32, nullptr, reinterpret_cast<const std::uint8_t*>(plain.data()), plain.size(),
      reinterpret_cast<std::uint8_t*>(packed.data()), &length, packed.size());
  if (code == LZMA_MEM_ERROR) throw std::bad_alloc();
  if (code != LZMA_OK) throw Error(Kind::kInternal, fmt::format("xz failed with code {}", int{code}));
  packed.resize(length);
  return packed;
}

}  // namespace

std::string make_incus_metadata(const artifacts::Manifest& manifest) {
  const std::int64_t created = unix_time(manifest.created);
  return xz_of(artifacts::tar_member("metadata.yaml", metadata_yaml(manifest, created), created) +
               std::string(2 * artifacts::kTarBlock, '\0'));
}

core::Digest combined_sha256(std::string_view metadata, const std::filesystem::path& disk) {
  core::Hasher hasher(core::HashAlgorithm::kSha256);
  hasher.update(metadata);
  const core::Fd fd = core::open_regular(disk, core::FollowLinks::kNo);
  core::read_whole(fd.get(), disk.native(), [&](std::span<const std::byte> data) { hasher.update(data); });
  return hasher.finish();
}

}  // namespace imgforge::exports
