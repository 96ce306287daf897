// The trust store: names, folders, bare lines, and what it refuses to be built from.
#include "signing/trust/trust.hpp"

#include <sys/stat.h>

#include "core/fd.hpp"
#include "signing_testing.hpp"

namespace imgforge::signing {
namespace {

using core::Kind;
using testing::expect_error;
using testing::kVectorPublic;
using testing::kVectorSignature;

using Trust = testing::Scratch;

TEST_F(Trust, EmptyStoreTrustsNobody) {
  TrustStore store;
  store.add_folder(folder_ / "missing");
  EXPECT_TRUE(store.empty());
  const core::Error error = expect_error(Kind::kSignature, "no public key is trusted",
                                         [&] { store.verify("test", kVectorSignature); });
  EXPECT_NE(error.hint().find("imgforge key trust FILE"), std::string::npos);
  EXPECT_NE(error.hint().find("--public-key"), std::string::npos);
}

TEST_F(Trust, SignerHasItsNameOfTheFolder) {
  write("zoe.pub", SecretKey::generate().public_key().file_text());
  write("alice.pub", kVectorPublic);
  write("notes.txt", "not a key");
  write(".hidden.pub", "not a key");
  TrustStore store;
  store.add_folder(folder_.path());
  ASSERT_EQ(store.keys().size(), 2U);
  EXPECT_EQ(store.keys()[0].name, "alice");
  const NamedSignature result = store.verify("test", kVectorSignature);
  EXPECT_EQ(result.signer, "alice (RWQBAg...)");
  EXPECT_EQ(result.key.id(), "0807060504030201");
  EXPECT_EQ(result.trusted_comment, testing::kVectorComment);
}

TEST_F(Trust, TakesLinesAndPaths) {
  const PublicKey key = PublicKey::parse(kVectorPublic);
  TrustStore store;
  store.add(key.line());
  EXPECT_EQ(store.describe(key), "0807060504030201 (RWQBAg...)");
  store.add(write("bob.pub", kVectorPublic).native());
  EXPECT_EQ(store.keys().size(), 1U) << "the same key twice";
  store.add(write("eve.pub", SecretKey::generate().public_key().file_text()).native());
  EXPECT_EQ(store.keys().size(), 2U);
  EXPECT_EQ(store.find(key), &store.keys()[0]);
  const PublicKey other = SecretKey::generate().public_key();
  EXPECT_EQ(store.find(other), nullptr);
  EXPECT_EQ(store.describe(other), "unknown key (" + other.abbreviated() + ")");
  EXPECT_THROW(store.add((folder_ / "missing.pub").native()), core::Error);
}

TEST_F(Trust, FindComparesKeyBytes) {
  const PublicKey key = PublicKey::parse(kVectorPublic);
  TrustStore store;
  store.add("alice", key);
  EXPECT_NE(store.find(PublicKey({9, 9, 9, 9, 9, 9, 9, 9}, key.point())), nullptr);
  EXPECT_EQ(store.find(PublicKey(key.raw_id(), SecretKey::generate().public_key().point())), nullptr);
}

TEST_F(Trust, BrokenKeyIsNotPassedOver) {
  write("alice.pub", kVectorPublic);
  write("broken.pub", "untrusted comment: x\nRWQ\n");
  TrustStore store;
  const core::Error error =
      expect_error(Kind::kSignature, "malformed public key", [&] { store.add_folder(folder_.path()); });
  ASSERT_FALSE(error.contexts().empty());
  EXPECT_NE(error.contexts().front().find("broken.pub"), std::string::npos);
}

TEST_F(Trust, PlacesThatAnybodyMayWriteAreRefused) {
  const auto file = write("alice.pub", kVectorPublic);
  ASSERT_EQ(::chmod(file.c_str(), 0666), 0);
  TrustStore store;
  expect_error(Kind::kPermission, "everybody may write", [&] { store.add_folder(folder_.path()); });
  ASSERT_EQ(::chmod(file.c_str(), 0644), 0);
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0777), 0);
  expect_error(Kind::kPermission, "everybody may write", [&] { store.add_folder(folder_.path()); });
  EXPECT_TRUE(store.empty());
}

TEST_F(Trust, TrustKeyWritesWhatAddFolderReads) {
  const PublicKey key =
      PublicKey::parse("untrusted comment: lies\n" + PublicKey::parse(kVectorPublic).line());
  const auto folder = folder_ / "keys/trusted";
  const auto path = trust_key(folder, "alice", key);
  EXPECT_EQ(core::read_text_file(path), kVectorPublic);
  EXPECT_EQ(trust_key(folder, "alice", key), path) << "again changes nothing";
  expect_error(Kind::kUsage, "exists already",
               [&] { trust_key(folder, "alice", SecretKey::generate().public_key()); });
  EXPECT_EQ(core::read_text_file(path), kVectorPublic);
  TrustStore store;
  store.add_folder(folder);
  EXPECT_EQ(store.keys().size(), 1U);
  for (const std::string_view name : {"", "../x", "a/b", ".x", "-x", "a\nb"}) {
    expect_error(Kind::kUsage, "cannot be the name", [&] { trust_key(folder, name, key); });
  }
}

}  // namespace
}  // namespace imgforge::signing
