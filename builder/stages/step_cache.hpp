// Results of steps by fingerprint: what was made before from the same inputs is not made again. A
// record names its outputs by digest; the bytes are in the blob store and are hashed again before use.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "builder/plan/plan.hpp"
#include "core/json.hpp"

namespace imgforge::stages {

class StepCache {
 public:
  /// Records live below `root`; created when first written.
  explicit StepCache(std::filesystem::path root) : root_(std::move(root)) {}

  /// The result recorded for that fingerprint. A damaged record counts as absent.
  std::optional<core::Json> find(const plan::Fingerprint& fingerprint) const;
  /// Records `result`; `canonical` is the text the fingerprint was made of.
  void store(const plan::Step& step, const plan::Fingerprint& fingerprint, const std::string& canonical,
             const core::Json& result) const;
  /// Canonical text of the step's last recorded run, whatever its fingerprint was.
  std::optional<std::string> last_text(const plan::Step& step) const;

 private:
  std::filesystem::path record_path(const plan::Fingerprint& fingerprint) const;
  std::filesystem::path last_path(const plan::Step& step) const;
  std::filesystem::path root_;
};

}  // namespace imgforge::stages
