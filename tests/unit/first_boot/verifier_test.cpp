// The cryptography that images carry: the published vectors, hostile ones, and the libraries of the host
// beside it.
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include "builder/first_boot/embedded.hpp"
#include "builder/target/verifier/ed25519.hpp"
#include "builder/target/verifier/hashes.hpp"
#include "core/digest.hpp"
#include "core/process.hpp"
#include "core/temp_dir.hpp"
#include "signing/keys/secret_key.hpp"
#include "signing/minisign/minisign.hpp"
#include "support/source_dir.hpp"

namespace imgforge::verifier {
namespace {

using Bytes = std::vector<unsigned char>;

Bytes bytes_of(const std::string& hex) {
  Bytes bytes;
  if (hex == "-") return bytes;
  for (std::size_t at = 0; at < hex.size(); at += 2) {
    bytes.push_back(static_cast<unsigned char>(std::stoi(hex.substr(at, 2), nullptr, 16)));
  }
  return bytes;
}

/// 0, 1, 2, ...
Bytes counted(std::size_t size) {
  Bytes bytes(size);
  std::iota(bytes.begin(), bytes.end(), static_cast<unsigned char>(0));
  return bytes;
}

TEST(Verifier, GivesTheVerdictOfEveryVector) {
  std::ifstream file(source_dir() / "tests/unit/first_boot/ed25519_vectors.txt");
  std::size_t good = 0, bad = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream words(line);
    std::string verdict, name, key, message, signature;
    words >> verdict >> name >> key >> message >> signature;
    const Bytes text = bytes_of(message);
    ASSERT_EQ(key.size(), 64U) << name;
    ASSERT_EQ(signature.size(), 128U) << name;
    EXPECT_EQ(verify(bytes_of(key).data(), text.data(), text.size(), bytes_of(signature).data()),
              verdict == "good")
        << name;
    ++(verdict == "good" ? good : bad);
  }
  EXPECT_EQ(good, 31U);
  EXPECT_EQ(bad, 50U);
}

/// The padding of a hash depends on how full its last block is.
TEST(Verifier, HashesEveryLengthOfTheLastBlock) {
  for (std::size_t size = 0; size <= 300; ++size) {
    const Bytes bytes = counted(size);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), size);
    unsigned char digest[64];
    const Piece pieces[] = {{bytes.data(), size / 3}, {bytes.data() + size / 3, size - size / 3}};
    sha512(pieces, 2, digest);
    EXPECT_EQ(core::to_hex(digest), core::digest_of(core::HashAlgorithm::kSha512, text).hex()) << size;
    blake2b(bytes.data(), size, digest);
    EXPECT_EQ(core::to_hex(digest), core::digest_of(core::HashAlgorithm::kBlake2b512, text).hex()) << size;
  }
}

/// The program as images have it, on files in a folder.
class VerifierProgram : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const first_boot::Resource* one = first_boot::library_begin(); one != first_boot::library_end();
         ++one) {
      if (one->name == "verify-signature") put("verify-signature", one->content);
    }
    std::filesystem::permissions(folder_ / "verify-signature", std::filesystem::perms::owner_all);
    put("key", key_.public_key().file_text());
    put("file", kMessage);
  }

  void put(const char* name, std::string_view content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
  }

  /// What it says against the signature; empty when it is good.
  std::string refusal(std::string_view signature) const {
    put("signature", signature);
    core::Command command;
    command.program = folder_ / "verify-signature";
    command.args = {folder_ / "key", folder_ / "file", folder_ / "signature"};
    const core::ProcessResult result = core::system_processes().run(command, {});
    EXPECT_EQ(result.exit_code, result.err.empty() ? 0 : 1) << result.err;
    return result.err;
  }

  static constexpr std::string_view kMessage = "a list of models\n";
  core::TempDir folder_{std::filesystem::temp_directory_path(), "imgforge-verifier"};
  signing::SecretKey key_ = signing::SecretKey::from_seed(std::array<std::uint8_t, 32>{1, 2, 3}, {7});
};

TEST_F(VerifierProgram, TakesTrustedCommentsOfEveryLength) {
  for (std::size_t size = 0; size <= 200; ++size) {
    EXPECT_EQ(refusal(signing::sign(key_, kMessage, std::string(size, 'c'))), "") << size;
  }
}

TEST_F(VerifierProgram, RefusesFilesOfAnotherLength) {
  const std::string whole = signing::sign(key_, kMessage, "comment");
  ASSERT_EQ(refusal(whole), "");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(refusal(std::string_view(whole).substr(0, size)), "") << size;
  }
  EXPECT_NE(refusal(whole + "\n"), "");
  EXPECT_NE(refusal(whole + whole), "");
  const std::string key = key_.public_key().file_text();
  for (std::size_t size = 0; size < key.size(); ++size) {
    put("key", std::string_view(key).substr(0, size));
    EXPECT_NE(refusal(whole), "") << size;
  }
}

}  // namespace
}  // namespace imgforge::verifier
