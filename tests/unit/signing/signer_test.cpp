#include "signing/minisign/signer.hpp"

#include <memory>
#include <vector>

#include "signing/minisign/minisign.hpp"
#include "signing_testing.hpp"

namespace imgforge::signing {
namespace {

using testing::kVectorPublic;
using testing::vector_key;

core::UnixTime at(std::int64_t seconds) {
  return core::UnixTime(std::chrono::seconds(seconds));
}

TEST(Signer, SignsFilesAtItsTime) {
  const auto key = std::make_shared<const SecretKey>(vector_key());
  const Signer signer(key, at(1700000000));
  ASSERT_TRUE(signer);
  EXPECT_EQ(signer.public_key(), kVectorPublic);
  EXPECT_EQ(signer.public_key_line(), key->public_key().line());
  const std::vector<PublicKey> trusted{key->public_key()};
  const std::string text = signer.sign("SHA256SUMS", "sums");
  EXPECT_EQ(verify(trusted, "sums", text).trusted_comment,
            usual_trusted_comment(at(1700000000), "SHA256SUMS"));
  EXPECT_EQ(signer.sign("SHA256SUMS", "sums"), text);
  const std::string later = signer.at(at(1800000000)).sign("SHA256SUMS", "sums");
  EXPECT_EQ(verify(trusted, "sums", later).trusted_comment,
            usual_trusted_comment(at(1800000000), "SHA256SUMS"));
  EXPECT_EQ(signer.sign("SHA256SUMS", "sums"), text);
}

TEST(Signer, NobodySignsNothing) {
  const Signer nobody;
  EXPECT_FALSE(nobody);
  EXPECT_FALSE(nobody.at(at(1)));
  EXPECT_EQ(nobody.public_key(), "");
  EXPECT_EQ(nobody.public_key_line(), "");
  testing::expect_error(core::Kind::kInternal, "nobody", [&] { nobody.sign("file", "bytes"); });
}

}  // namespace
}  // namespace imgforge::signing
