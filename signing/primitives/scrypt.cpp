#include "signing/primitives/scrypt.hpp"

#include <algorithm>

#include "signing/primitives/openssl.hpp"

namespace imgforge::signing {
namespace {

constexpr std::uint64_t kMinOperations = 1U << 15;
constexpr std::uint64_t kMaxOperations = 1U << 27;
constexpr std::uint64_t kMinMemory = 1U << 24;
constexpr std::uint64_t kMaxMemory = 1ULL << 31;

}  // namespace

bool KdfLimits::acceptable() const {
  return operations >= kMinOperations && operations <= kMaxOperations && memory >= kMinMemory &&
         memory <= kMaxMemory;
}

ScryptParameters scrypt_parameters(const KdfLimits& limits) {
  ScryptParameters result;
  const bool few_operations = limits.operations < limits.memory / 32;
  const std::uint64_t max_n =
      few_operations ? limits.operations / (result.r * 4) : limits.memory / (result.r * 128);
  result.n = 2;
  while (result.n <= max_n / 2) result.n *= 2;
  if (!few_operations) {
    const std::uint64_t max_rp = std::min<std::uint64_t>(limits.operations / 4 / result.n, 0x3fffffff);
    result.p = static_cast<std::uint32_t>(max_rp / result.r);
  }
  return result;
}

SecretBytes scrypt_stream(std::string_view passphrase, std::span<const std::uint8_t> salt,
                          const KdfLimits& limits, std::size_t size) {
  if (!limits.acceptable()) {
    throw core::Error(core::Kind::kSignature, "unsupported key file: its passphrase costs are out of range");
  }
  const ErrorQueueGuard guard;
  const ScryptParameters cost = scrypt_parameters(limits);
  // scrypt needs 128*r bytes for each of N table rows and p blocks; a little more for its own state.
  const std::uint64_t memory = 128ULL * cost.r * (cost.n + cost.p) + (1U << 20);
  SecretBytes out(size);
  if (EVP_PBE_scrypt(passphrase.data(), passphrase.size(), salt.data(), salt.size(), cost.n, cost.r, cost.p,
                     memory, out.data(), out.size()) != 1) {
    throw core::Error(core::Kind::kNoSpace, "cannot derive a key from the passphrase: it takes " +
                                                std::to_string(memory >> 20) + " MiB of memory");
  }
  return out;
}

}  // namespace imgforge::signing
