#include "builder/cache/fresh_steps.hpp"

namespace imgforge::cache {

std::optional<std::string> FreshSteps::find(const core::Digest& fingerprint) const {
  {
    const std::lock_guard lock(mutex_);
    if (!made_.contains(fingerprint)) return std::nullopt;
  }
  return steps_.find(fingerprint);
}

void FreshSteps::store(const std::string& step, const core::Digest& fingerprint, const std::string& canonical,
                       const std::string& result) {
  steps_.store(step, fingerprint, canonical, result);
  const std::lock_guard lock(mutex_);
  made_.insert(fingerprint);
}

std::optional<std::string> FreshSteps::last_text(const std::string& step) const {
  return steps_.last_text(step);
}

}  // namespace imgforge::cache
