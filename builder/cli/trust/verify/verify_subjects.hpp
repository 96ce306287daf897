// What a person can hand to `imgforge verify`, told apart by what it is and never by what it claims: a store,
// a release, an exported tree or vendored folder, one of their files, a file with a signature of its own, a
// URL.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "artifacts/check/verify.hpp"
#include "builder/cli/frame/command.hpp"
#include "builder/cli/trust/verify/statements.hpp"
#include "builder/policy/policy.hpp"

namespace imgforge::cli {

/// What one subject was found to be.
struct Finding {
  std::string name;  ///< as the person gave it, or what that led to
  artifacts::VerifyReport report;
  Statements statements;  ///< signed beside the manifest
  bool is_fresh = false;  ///< a catalogue lists it
  /// Nothing failed, and a trusted key vouches for it all.
  bool ok = false;
};

/// A release's folder, with what is signed beside its manifest.
Finding verify_with_statements(Context& context, const std::filesystem::path& directory,
                               const artifacts::VerifyOptions& options, const signing::TrustStore& trust);

/// Verifies what `subject` names: one finding, or one a line for a store. With `lock`, a file is what a lock
/// names (a base, a package, a model). Throws kStore for a store without releases, and what the network and
/// the host do; whatever is wrong with the subject is a row.
std::vector<Finding> verify_subject(Context& context, const std::string& subject,
                                    const artifacts::VerifyOptions& options, const signing::TrustStore& trust,
                                    const std::filesystem::path& lock);

/// Adds what a policy says to what was found; a subject without a manifest cannot answer it.
void ask_policy(const policy::Policy& policy, const signing::TrustStore& trust, Finding& finding,
                core::UnixTime now);

/// A release, or one file of it, below an http, https or file URL: manifest and signatures first, then the
/// bytes, which are hashed as they come and kept nowhere. Images are not looked into.
Finding verify_url(Context& context, const std::string& url, const artifacts::VerifyOptions& options,
                   const signing::TrustStore& trust);

/// A container image in a registry, "oci://HOST/REPOSITORY[:TAG|@sha256:...]": the release of the store whose
/// signed manifest names it, and every blob.
Finding verify_oci(Context& context, const std::string& reference, const artifacts::VerifyOptions& options);

}  // namespace imgforge::cli
