// The publisher's side: the root and its rotation, and the catalogue of a store's releases, written to
// `<store>/tuf`. An export carries that folder, and paths in it are those of the exported tree.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "artifacts/catalogue/metadata.hpp"
#include "artifacts/store/store.hpp"
#include "artifacts/store/yanks.hpp"
#include "signing/keys/secret_key.hpp"

namespace imgforge::catalogue {

inline constexpr const char* kFolder = artifacts::kCatalogueFolder;

/// Who signs metadata: plain Ed25519 over the canonical bytes.
struct RoleSigner {
  signing::Ed25519Public key{};
  std::function<signing::Ed25519Signature(std::span<const std::uint8_t>)> sign;
};
RoleSigner role_signer(std::shared_ptr<const signing::RawSigner> key);

/// What a new root says. What is left out stays as the root before has it.
struct RootPlan {
  std::vector<signing::Ed25519Public> keys;
  std::uint64_t threshold = 0;
  std::optional<signing::Ed25519Public> online;  ///< signs timestamp, snapshot and targets
  core::UnixTime expires{};
};

/// Makes the first root of a store. Throws kUsage when there is one, kSignature (below_threshold) when too
/// few of its keys sign.
Root init_root(const artifacts::Store& store, const RootPlan& plan, const std::vector<RoleSigner>& signers);
/// Makes the next root, which a threshold of the keys before and of its own have to sign.
Root rotate_root(const artifacts::Store& store, const RootPlan& plan, const std::vector<RoleSigner>& signers);

/// The same in steps, for root keys that are never in one place: what init_root or rotate_root would make,
/// signed by nobody yet. The store is not changed.
std::string draft_root(const artifacts::Store& store, const RootPlan& plan);
/// The root in a draft, whoever signed it. Throws as Root::parse does.
Root read_draft(std::string_view text);
/// A draft with one more signature. Throws kUsage when that key has signed it already.
std::string sign_root(std::string_view text, const RoleSigner& signer);
/// Makes a signed draft the root of the store. Throws kSignature (below_threshold, unknown_key) when too few
/// keys of the root before or of its own signed, kIntegrity (wrong_subject) when another root came between.
Root publish_root(const artifacts::Store& store, std::string_view text);

struct UpdateRequest {
  RoleSigner online;
  artifacts::SignatureCheck signature;  ///< whose releases are listed
  core::UnixTime now{};
  unsigned days = 14;                     ///< how long clients believe it
  std::optional<std::uint64_t> expected;  ///< compare and swap: the number that must be there
  core::CancelToken cancel;
};
struct UpdateResult {
  std::uint64_t version = 0;
  std::size_t releases = 0;
  std::size_t yanked = 0;
  std::vector<std::string> left_out;  ///< "demo@v20261120: why"
  std::string expires;
};
/// Signs the catalogue anew, one number higher, under the store's lock. Throws kSignature when `online` is
/// not the key that the root names, kStore when another number than the expected one is there.
UpdateResult update(const artifacts::Store& store, const UpdateRequest& request);

}  // namespace imgforge::catalogue
