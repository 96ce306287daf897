// What must hold of a release before it is used: a file of a few lines that `verify` and `promote` read, so
// that everybody asks the same question. It only asks for more than verification does, never for less.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/check/release_check.hpp"
#include "artifacts/manifest/manifest.hpp"
#include "core/clock.hpp"

namespace imgforge::policy {

struct Policy {
  std::vector<std::string> signers;     ///< names or lines of public keys, of which one must have signed
  unsigned signatures = 1;              ///< by so many distinct keys, those of `signers` when there are some
  bool booted = false;                  ///< by every path that its artifacts claim
  std::vector<std::string> boot_paths;  ///< by each of these: "disk UEFI"
  bool sbom = false;
  bool provenance = false;
  unsigned rebuilt_by = 0;  ///< distinct other keys that state the same digests
  bool fresh = false;       ///< a catalogue that is valid today lists it
  std::optional<std::vector<std::string>>
      insecure;                                 ///< flags that may have been used; none: no question asked
  bool drafts = false;                          ///< whether a draft will do
  std::vector<std::string> isolation;           ///< one of these; empty: any
  std::optional<std::chrono::seconds> max_age;  ///< since the time of the build
  std::vector<std::string> forbidden_packages;
  std::vector<std::string> formats;  ///< each must be there
};

/// Reads the YAML of a policy. Throws kUsage with the place for unknown or repeated fields and values that
/// say nothing, and for another number behind `policy:` than 1.
Policy parse_policy(std::string_view text, const std::string& name);
Policy load_policy(const std::filesystem::path& file);

/// The YAML of a policy with these fields, "FIELD=VALUE" or "FIELD" for one that is true or false.
std::string text_of(const std::vector<std::string>& requirements);

/// What verification has found out beside the manifest.
struct Evidence {
  /// The distinct trusted keys whose signatures over the manifest are good: the name and the line of each.
  struct Signer {
    std::string name;
    std::string key;
  };
  std::vector<Signer> signers;
  unsigned rebuilt_by = 0;
  bool has_provenance = false;  ///< whose signature and subjects were checked
  bool is_fresh = false;        ///< by a catalogue that was checked
};

/// One row for each thing that the policy asks for, check "policy"; what does not hold has Reason::kPolicy.
std::vector<artifacts::CheckRow> judge(const Policy& policy, const artifacts::Manifest& manifest,
                                       const Evidence& evidence, core::UnixTime now);

}  // namespace imgforge::policy
