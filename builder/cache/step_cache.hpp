// Results of steps by fingerprint: what was made before from the same inputs is not made again. A
// record names its outputs by digest; the bytes are in the blob store and are hashed again before use.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "builder/engine/engine.hpp"

namespace imgforge::cache {

class StepCache : public engine::Cache {
 public:
  /// Records live below `root`; created when first written.
  explicit StepCache(std::filesystem::path root) : root_(std::move(root)) {}

  std::optional<std::string> find(const core::Digest& fingerprint) const override;
  void store(const std::string& step, const core::Digest& fingerprint, const std::string& canonical,
             const std::string& result) override;
  std::optional<std::string> last_text(const std::string& step) const override;

 private:
  std::filesystem::path record_path(const core::Digest& fingerprint) const;
  std::filesystem::path last_path(const std::string& step) const;
  std::filesystem::path root_;
};

}  // namespace imgforge::cache
