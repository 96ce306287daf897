// Looks into finished artifacts through the table of formats; used by verify.
#pragma once

#include "artifacts/check/verify.hpp"
#include "core/cancel.hpp"
#include "core/process.hpp"

namespace imgforge::inspect {

/// Check of an artifact's structure by its format; what it returns keeps references to the arguments. The
/// check throws kImage for damage and for a format that this program does not know.
artifacts::FormatCheck format_check(core::ProcessRunner& processes, const core::CancelToken& cancel);

}  // namespace imgforge::inspect
