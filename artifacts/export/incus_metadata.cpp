#include "artifacts/export/incus_metadata.hpp"

#include <fmt/format.h>
#include <lzma.h>

#include <vector>

#include "artifacts/tar_format.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
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

/// One regular file in a ustar archive.
std::string tar_of(std::string_view name, std::string_view content, std::int64_t mtime) {
  std::string block(artifacts::kTarBlock, '\0');
  const auto put = [&](std::size_t offset, const std::string& text) {
    block.replace(offset, text.size(), text);
  };
  put(0, std::string(name));
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, fmt::format("{:011o}", content.size()));
  put(136, fmt::format("{:011o}", mtime));
  put(148, "        ");
  put(156, "0");
  put(257, "ustar");
  put(263, "00");
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put(148, fmt::format("{:06o}", sum) + '\0');
  std::string tar = block + std::string(content);
  tar.append(artifacts::tar_padding(content.size()) + 2 * artifacts::kTarBlock, '\0');
  return tar;
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
  return xz_of(tar_of("metadata.yaml", metadata_yaml(manifest, created), created));
}

core::Digest combined_sha256(std::string_view metadata, const std::filesystem::path& disk) {
  core::Hasher hasher(core::HashAlgorithm::kSha256);
  hasher.update(metadata);
  const core::Fd fd = core::open_regular(disk, core::FollowLinks::kNo);
  std::vector<std::byte> buffer(1 << 18);
  while (const std::size_t n = core::read_some(fd.get(), buffer, disk.native()))
    hasher.update(std::span(buffer).first(n));
  return hasher.finish();
}

}  // namespace imgforge::exports
