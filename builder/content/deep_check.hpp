// The content of published images against the signed list of their files: rows for `imgforge verify --deep`.
#pragma once

#include <functional>

#include "artifacts/check/verify.hpp"
#include "builder/content/confined.hpp"
#include "core/cancel.hpp"

namespace imgforge::content {

/// The check for VerifyOptions. It reads the list beside the file once and believes it when it has the digest
/// of the manifest; the image is read in a confined child. Changes nothing. `held` is told what held each
/// child.
artifacts::ContentCheck deep_check(const core::CancelToken& cancel, ConfinedLimits limits = {},
                                   std::function<void(const Confinement&)> held = {});

}  // namespace imgforge::content
