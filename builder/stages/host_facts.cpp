#include "builder/stages/host_facts.hpp"

#include <fmt/format.h>

namespace imgforge::stages {

HostFacts::HostFacts(core::ProcessRunner& processes, core::Progress& progress,
                     std::filesystem::path cache_dir, core::CancelToken cancel, IsolationWish wish)
    : processes_(processes),
      progress_(progress),
      cache_dir_(std::move(cache_dir)),
      cancel_(std::move(cancel)),
      wish_(wish) {}

const machine::AcceleratorVerdict& HostFacts::known_accelerator() {
  if (!accelerator_) accelerator_ = machine::find_accelerator(processes_, cache_dir_, cancel_);
  return *accelerator_;
}

machine::AcceleratorVerdict HostFacts::accelerator() {
  const std::lock_guard lock(mutex_);
  return known_accelerator();
}

IsolationChoice HostFacts::isolation() {
  const std::lock_guard lock(mutex_);
  if (!isolation_) {
    isolation_ = choose_isolation(
        wish_, [&] { return known_accelerator(); },
        [&] { return guest::probe_namespaces(cache_dir_ / "tmp"); });
    progress_.note(
        fmt::format("sandbox: {} ({})", isolation_name(isolation_->isolation), isolation_->reason));
  }
  return *isolation_;
}

void HostFacts::kvm_failed(const std::string& why) {
  const std::lock_guard lock(mutex_);
  machine::remember_kvm_failure(cache_dir_, why);
  accelerator_.reset();
  progress_.warn("KVM is there but does not work (" + why + "): using emulation, which is slower");
}

}  // namespace imgforge::stages
