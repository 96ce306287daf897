#include "builder/fetch/http/server_health.hpp"

#include <algorithm>

#include "builder/fetch/http/url.hpp"

namespace imgforge::fetch {

void ServerHealth::failed(const std::string& url, std::chrono::milliseconds wait, Time now) {
  const std::lock_guard lock(mutex_);
  Time& ready = failed_[server_of(url)];
  ready = std::max(ready, now + wait);
}

ServerHealth::Time ServerHealth::ready(const std::string& url) const {
  const std::lock_guard lock(mutex_);
  const auto found = failed_.find(server_of(url));
  return found == failed_.end() ? Time{} : found->second;
}

bool ServerHealth::has_failed(const std::string& url) const {
  const std::lock_guard lock(mutex_);
  return failed_.contains(server_of(url));
}

std::vector<std::string> ServerHealth::best_first(std::vector<std::string> urls) const {
  std::stable_partition(urls.begin(), urls.end(),
                        [this](const std::string& url) { return !has_failed(url); });
  return urls;
}

}  // namespace imgforge::fetch
