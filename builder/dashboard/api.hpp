// What the dashboard's API answers (README.md, api.schema.json). What changes a machine is a command of this
// program, run as a child: the API can do nothing that the command line cannot.
#pragma once

#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "builder/dashboard/answer.hpp"
#include "builder/dashboard/watcher.hpp"
#include "core/process.hpp"

namespace imgforge::dashboard {

/// The bytes of a request's body that are taken at most.
inline constexpr std::size_t kLongestBody = 4096;

class Api {
 public:
  /// Runs this program with the words behind "vm" and returns how it ended, whatever that is.
  using RunCommand = std::function<core::ProcessResult(const std::vector<std::string>& words)>;

  /// Both must outlive it.
  Api(const machines::Registry& registry, Watcher& watcher, RunCommand run)
      : registry_(registry), watcher_(watcher), run_(std::move(run)) {}

  /// May take as long as a machine takes to shut down; several threads may call it. Never throws.
  Answer answer(const Request& request);

 private:
  Answer machine(const Request& request, const std::vector<std::string>& parts);
  Answer change(const Request& request, const std::vector<std::string>& parts);
  Answer change_snapshot(const Request& request, const std::vector<std::string>& parts);
  Answer log(const Request& request, const std::string& name);
  Answer screenshot(const std::string& name);
  /// Does it unless something else is done with the machine.
  Answer alone(const std::string& name, const std::vector<std::vector<std::string>>& commands);
  Answer run(const std::vector<std::string>& words);

  const machines::Registry& registry_;
  Watcher& watcher_;
  RunCommand run_;
  std::mutex mutex_;
  std::set<std::string> busy_;
};

/// "/api/v1/machines/NAME/..." in its parts behind "/api/v1"; empty for another path.
std::vector<std::string> api_parts(const std::string& path);

}  // namespace imgforge::dashboard
