#include "builder/machines/qemu/links.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "core/digest.hpp"

namespace imgforge::machines {

std::string link_address(std::string_view network) {
  const core::Digest digest = core::digest_of(core::HashAlgorithm::kSha256,
                                              fmt::format("imgforge network\n{}\n{}", ::getuid(), network));
  const auto byte = [&](std::size_t i) { return static_cast<unsigned>(digest.bytes()[i]); };
  const unsigned port = 20000 + (byte(3) << 8 | byte(4)) % 40000;
  return fmt::format("239.{}.{}.{}:{}", 192 + byte(0) % 4, byte(1), byte(2), port);
}

}  // namespace imgforge::machines
