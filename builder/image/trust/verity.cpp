#include "builder/image/trust/verity.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "builder/image/raw_image.hpp"
#include "builder/machine/tools.hpp"
#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/new_file.hpp"
#include "core/random.hpp"
#include "core/text.hpp"

namespace imgforge::image {
namespace {

using core::Error;
using core::Kind;

constexpr std::uint64_t kBlock = 4096;
constexpr std::uint64_t kHashesInBlock = kBlock / 32;
constexpr std::string_view kRootHash = "Root hash:";

/// The value of the line "Root hash:      <hex>" of veritysetup.
std::string root_hash_in(const std::string& output) {
  for (const std::string& line : core::split(output, '\n')) {
    if (!line.starts_with(kRootHash)) continue;
    const std::string_view hex = core::trimmed(std::string_view(line).substr(kRootHash.size()));
    return core::Digest::from_hex(core::HashAlgorithm::kSha256, hex).hex();
  }
  throw Error(Kind::kImage, "veritysetup did not print a root hash").quote(core::tail_lines(output));
}

core::Command veritysetup() {
  core::Command command;
  command.program = machine::require_program("veritysetup").native();
  return command;
}

}  // namespace

std::uint64_t verity_size(std::uint64_t data_size) {
  std::uint64_t blocks = 1;  // the superblock
  std::uint64_t level = round_up(data_size, kBlock) / kBlock;
  while (level > 1) {
    level = (level + kHashesInBlock - 1) / kHashesInBlock;
    blocks += level;
  }
  return blocks * kBlock;
}

std::string make_verity_tree(const std::filesystem::path& data, const std::filesystem::path& tree,
                             const std::string& identity, core::ProcessRunner& processes,
                             const core::CancelToken& cancel) {
  const std::uint64_t size = [&] {
    const core::Fd fd = core::open_regular(data);
    return core::file_size(fd.get(), data.native());
  }();
  if (size == 0 || size % kBlock != 0) {
    throw Error(Kind::kImage, fmt::format("{} has {} bytes, which are no whole blocks of 4 KiB",
                                          core::escaped(data.native()), size));
  }
  core::NewFile made(tree);
  made.close();
  const std::string salt =
      core::digest_of(core::HashAlgorithm::kSha256, "imgforge verity salt " + identity).hex();
  core::Command command = veritysetup();
  command.args = {"format",
                  "--hash=sha256",
                  "--data-block-size=4096",
                  "--hash-block-size=4096",
                  "--salt=" + salt,
                  "--uuid=" + core::derived_uuid("imgforge verity " + identity),
                  std::filesystem::absolute(data).native(),
                  std::filesystem::absolute(tree).native()};
  std::string root_hash = root_hash_in(processes.check(command, cancel, Kind::kImage).out);
  made.keep();
  return root_hash;
}

void check_verity_tree(const std::filesystem::path& data, const std::filesystem::path& tree,
                       const std::string& root_hash, core::ProcessRunner& processes,
                       const core::CancelToken& cancel) {
  core::Command command = veritysetup();
  command.args = {"verify", std::filesystem::absolute(data).native(),
                  std::filesystem::absolute(tree).native(), root_hash};
  const core::ProcessResult result = processes.run(command, cancel);
  if (result.exit_code == 0) return;
  throw Error(Kind::kIntegrity, core::escaped(data.native()) + " is not what its root hash was made of")
      .quote(core::tail_lines(result.out + result.err));
}

std::vector<std::string> verity_words(const std::string& root_hash, const std::string& tree_device) {
  return {"imgforge.verity=" + root_hash, "imgforge.verity_device=" + tree_device};
}

}  // namespace imgforge::image
