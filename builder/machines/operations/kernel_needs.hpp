// What a machine wants of its kernel, against what its release's manifest says that the kernel lacks: said
// before anything is started. Where nothing is known nothing is said.
#pragma once

#include <string>
#include <vector>

#include "artifacts/manifest/kernel_features.hpp"
#include "builder/machines/registry/settings.hpp"

namespace imgforge::machines {

/// What a manifest says that the kernel lacks.
std::vector<std::string> lacking(const artifacts::KernelFeatures& features);

/// Throws kUsage for settings that can never work with that kernel. Returns warnings for those that work only
/// in part.
std::vector<std::string> check_kernel(const Settings& settings);

/// Throws kUsage, saying for what it is needed, when the kernel lacks a feature. `hint`: what to do then;
/// empty: to take another kernel.
void need_feature(const Settings& settings, const char* feature, const std::string& what,
                  const std::string& hint = {});

}  // namespace imgforge::machines
