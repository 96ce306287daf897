// Fingerprints: what a step's result depends on, as one text and its digest.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "builder/engine/step.hpp"
#include "core/digest.hpp"

namespace imgforge::engine {

/// The canonical text of exactly what influences a step's result: kind, version, parameters, identities of
/// its inputs by their kind or id (JSON) and tools. Never times, paths or host names. Its sha256 is the
/// fingerprint, and it is kept with the result so that a later run can say what changed.
std::string canonical_text(const StepRecord& step, const std::map<std::string, std::string>& inputs,
                           const Tools& tools);

core::Digest fingerprint_of(const std::string& canonical);

/// First difference between two canonical texts in words ("parameters.packages.add gained \"chrony\""); empty
/// when equal.
std::string explain_difference(std::string_view before, std::string_view after);

/// Whether the parameters in a canonical text are these.
bool has_parameters(std::string_view canonical, const std::string& parameters);

}  // namespace imgforge::engine
