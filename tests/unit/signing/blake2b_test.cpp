// BLAKE2b-256 against the coreutils implementation, around every block boundary.
#include "signing/primitives/blake2b.hpp"

#include "core/digest.hpp"
#include "signing_testing.hpp"

namespace imgforge::signing {
namespace {

using Blake2b = testing::Scratch;

TEST_F(Blake2b, EmptyMessage) {
  EXPECT_EQ(core::to_hex(blake2b_256({})),
            "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
}

TEST_F(Blake2b, AgreesWithCoreutils) {
  for (const std::size_t size : {1U, 63U, 74U, 127U, 128U, 129U, 255U, 256U, 257U, 1000U, 4096U}) {
    std::vector<std::uint8_t> data(size);
    for (std::size_t i = 0; i < size; ++i) data[i] = static_cast<std::uint8_t>(i * 7 + size);
    const std::string text(data.begin(), data.end());
    const auto result = run("b2sum", {"-l", "256", "-"}, text);
    ASSERT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(core::to_hex(blake2b_256(data)), result.out.substr(0, 64)) << size << " bytes";
  }
}

}  // namespace
}  // namespace imgforge::signing
