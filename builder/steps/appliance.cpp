#include "builder/steps/appliance.hpp"

#include <algorithm>
#include <thread>

#include "builder/guest/guest.hpp"

namespace imgforge::steps {
namespace {

/// The log outlives the build, so that a failure can be looked into.
std::filesystem::path fresh_log(const stages::Toolbox& tools, const std::string& line) {
  const std::filesystem::path folder = tools.cache_dir / "logs";
  std::filesystem::create_directories(folder);
  const std::filesystem::path log = folder / (line + ".log");
  std::filesystem::remove(log);
  return log;
}

guest::LaunchOptions launch_options(stages::Toolbox& tools, const guest::SandboxRequest& request) {
  guest::LaunchOptions options;
  options.work_dir = request.work_dir;
  options.cache_dir = tools.cache_dir / "appliance";
  options.log_file = fresh_log(tools, request.line);
  options.accelerator = tools.accelerator().accelerator;
  // The appliance's start is half waiting for device managers: a second processor helps, a third one does
  // not.
  options.cpus = std::clamp(std::thread::hardware_concurrency(), 1U, 2U);
  options.cancel = tools.cancel;
  return options;
}

class PendingAppliance : public guest::PendingSandbox {
 public:
  PendingAppliance(stages::Toolbox& tools, const guest::SandboxRequest& request)
      : tools_(tools), pending_(launch_options(tools, request)) {}

  std::unique_ptr<guest::Sandbox> get() override {
    auto guest = std::make_unique<guest::Guest>(pending_.get());
    if (const auto& failure = guest->kvm_failure()) {
      machine::remember_kvm_failure(tools_.cache_dir, *failure);
      tools_.known_accelerator.reset();
      tools_.progress.warn("KVM is there but does not work (" + *failure +
                           "): using emulation, which is slower");
    }
    guest->explain(tools_.accelerator().reason);
    return guest;
  }

 private:
  stages::Toolbox& tools_;
  guest::PendingGuest pending_;
};

}  // namespace

std::unique_ptr<guest::PendingSandbox> start_appliance(stages::Toolbox& tools,
                                                       const guest::SandboxRequest& request) {
  return std::make_unique<PendingAppliance>(tools, request);
}

}  // namespace imgforge::steps
