#include "builder/steps/profile/start_sandbox.hpp"

#include <fcntl.h>

#include <algorithm>
#include <thread>

#include "builder/guest/appliance/guest.hpp"
#include "builder/guest/namespaces/namespace_sandbox.hpp"
#include "builder/guest/namespaces/probe.hpp"
#include "builder/machine/memory.hpp"
#include "core/fd.hpp"

namespace imgforge::steps {
namespace {

/// The log outlives the build, so that a failure can be looked into.
std::filesystem::path fresh_log(const stages::Toolbox& tools, const std::string& line) {
  const std::filesystem::path folder = tools.cache_dir / "logs";
  std::filesystem::create_directories(folder);
  const std::filesystem::path log = folder / (line + ".log");
  std::filesystem::remove(log);
  core::open_file(log, O_WRONLY | O_CREAT | O_EXCL, 0600);  // it may show what a recipe's scripts print
  return log;
}

guest::LaunchOptions launch_options(stages::Toolbox& tools, const guest::SandboxRequest& request) {
  guest::LaunchOptions options;
  options.work_dir = request.work_dir;
  options.cache_dir = tools.cache_dir / "appliance";
  options.log_file = fresh_log(tools, request.line);
  options.accelerator = tools.host->accelerator().accelerator;
  // The appliance's start is half waiting for device managers: a second processor helps, a third one does
  // not.
  options.cpus = std::clamp(std::thread::hardware_concurrency(), 1U, 2U);
  options.cancel = tools.cancel;
  return options;
}

class PendingAppliance : public guest::PendingSandbox {
 public:
  PendingAppliance(stages::Toolbox& tools, const guest::SandboxRequest& request, std::string reason)
      : host_(tools.host), reason_(std::move(reason)), pending_(launch_options(tools, request)) {}

  std::unique_ptr<guest::Sandbox> get() override {
    auto guest = std::make_unique<guest::Guest>(pending_.get());
    if (const auto& failure = guest->kvm_failure()) {
      host_->kvm_failed(*failure);
      reason_ = host_->accelerator().reason;
    }
    guest->explain(reason_);
    return guest;
  }

 private:
  std::shared_ptr<stages::HostFacts> host_;
  std::string reason_;
  guest::PendingGuest pending_;
};

/// What a root file system may take of memory: there its many small files are made and removed in half the
/// time that they take on a disk. Half of what is free, shared by the sandboxes that may run at a time; none
/// where that would hold no root file system worth it.
core::Bytes memory_for_root() {
  constexpr core::Bytes kLeast = core::mib(256);
  const unsigned sandboxes = kNamespacesPerJob * std::max(1U, std::thread::hardware_concurrency());
  const core::Bytes share{machine::available_memory().value / 2 / sandboxes};
  return share.value < kLeast.value ? core::Bytes{} : share;
}

guest::NamespaceOptions namespace_options(const stages::Toolbox& tools, const guest::SandboxRequest& request,
                                          std::string reason) {
  guest::NamespaceOptions options;
  options.work_dir = request.work_dir;
  options.abandoned = tools.scratch();
  options.cancel = tools.cancel;
  options.reason = std::move(reason);
  options.ids = tools.ids;
  if (request.may_use_memory) options.memory = memory_for_root();
  return options;
}

}  // namespace

std::unique_ptr<guest::PendingSandbox> start_sandbox(stages::Toolbox& tools,
                                                     const guest::SandboxRequest& request) {
  if (tools.start_sandbox) return tools.start_sandbox(request);
  stages::IsolationChoice choice = tools.host->isolation();
  if (choice.isolation == stages::Isolation::kNamespaces)
    return guest::start_in_namespaces(namespace_options(tools, request, std::move(choice.reason)));
  return std::make_unique<PendingAppliance>(tools, request, std::move(choice.reason));
}

OtherSandbox other_sandbox(stages::Toolbox& tools) {
  const std::filesystem::path folder = tools.scratch();
  if (tools.host->isolation().isolation == stages::Isolation::kAppliance)
    return guest::probe_namespaces(folder).works ? OtherSandbox::kNamespaces : OtherSandbox::kNone;
  const bool has_range = guest::probe_namespaces(folder, guest::Ids::kRange).works;
  return has_range && guest::probe_namespaces(folder, guest::Ids::kNotify).works ? OtherSandbox::kOneId
                                                                                 : OtherSandbox::kNone;
}

}  // namespace imgforge::steps
