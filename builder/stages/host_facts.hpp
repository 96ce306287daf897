// What this machine can do, as builds need to know it.
#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>

#include "builder/machine/accelerator.hpp"
#include "builder/stages/isolation.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"
#include "core/progress.hpp"

namespace imgforge::stages {

/// Each fact is found out when it is first asked for, and kept. For several threads.
class HostFacts {
 public:
  /// `cache_dir` remembers the accelerator, and namespaces are tried in it. The references must outlive this.
  HostFacts(core::ProcessRunner& processes, core::Progress& progress, std::filesystem::path cache_dir,
            core::CancelToken cancel, IsolationWish wish = IsolationWish::kAuto);

  machine::AcceleratorVerdict accelerator();
  /// Where programs of images run. Told to who watches, once.
  IsolationChoice isolation();
  /// KVM was there and did not work: remembered and told.
  void kvm_failed(const std::string& why);

 private:
  const machine::AcceleratorVerdict& known_accelerator();

  core::ProcessRunner& processes_;
  core::Progress& progress_;
  std::filesystem::path cache_dir_;
  core::CancelToken cancel_;
  IsolationWish wish_;
  std::mutex mutex_;
  std::optional<machine::AcceleratorVerdict> accelerator_;
  std::optional<IsolationChoice> isolation_;
};

}  // namespace imgforge::stages
