// Results of steps for a build from scratch: what earlier runs recorded is not looked up, what this one makes
// is recorded as ever.
#pragma once

#include <mutex>
#include <set>

#include "builder/cache/step_cache.hpp"

namespace imgforge::cache {

class FreshSteps : public engine::Cache {
 public:
  /// Records live below `root`, as those of a StepCache.
  explicit FreshSteps(std::filesystem::path root) : steps_(std::move(root)) {}

  std::optional<std::string> find(const core::Digest& fingerprint) const override;
  void store(const std::string& step, const core::Digest& fingerprint, const std::string& canonical,
             const std::string& result) override;
  std::optional<std::string> last_text(const std::string& step) const override;

 private:
  StepCache steps_;
  mutable std::mutex mutex_;
  std::set<core::Digest> made_;
};

}  // namespace imgforge::cache
