// Files that lie beside a manifest and are listed in none, because they came after it or sign it: further
// signatures, the same in other formats, statements of other builders. Each carries its own signature, which
// verify checks; archive, backup, restore and export take them along.
#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace imgforge::artifacts {

/// The signature of a second and third minisign key lies in `manifest.json.<key id>.minisig`.
inline constexpr std::string_view kFurtherSignaturePrefix = "manifest.json.";
inline constexpr std::string_view kFurtherSignatureSuffix = ".minisig";
/// Signatures of the manifest in the formats of others: SSHSIG, OpenPGP, Sigstore bundle.
inline constexpr std::string_view kSshSignatureFile = "manifest.json.sig";
inline constexpr std::string_view kGpgSignatureFile = "manifest.json.asc";
inline constexpr std::string_view kSigstoreFile = "manifest.json.sigstore.json";
/// The release's provenance as a Sigstore bundle.
inline constexpr std::string_view kProvenanceSigstoreFile = "provenance.sigstore.json";
/// What another builder got when it built the release again: `rebuilt.<key id>.intoto.jsonl`.
inline constexpr std::string_view kRebuiltPrefix = "rebuilt.";
inline constexpr std::string_view kRebuiltSuffix = ".intoto.jsonl";

/// Those whose names are always the same.
inline constexpr std::array kCompanionNames{kSshSignatureFile, kGpgSignatureFile, kSigstoreFile,
                                            kProvenanceSigstoreFile};

/// The key id (16 upper-case hexadecimal digits) between a prefix and a suffix; empty when it is no such
/// name.
std::string_view key_id_in(std::string_view name, std::string_view prefix, std::string_view suffix);

/// Whether a file of this name may lie beside a manifest that does not list it.
bool is_companion(std::string_view name);

/// The names of those that are there, in order. One that is no regular file is kIntegrity.
std::vector<std::string> companions_in(const std::filesystem::path& directory);

}  // namespace imgforge::artifacts
