// Order of the versions of Alpine's packages, as apk has it (apk-tools 2.14, src/version.c): numbers with
// points, a letter, suffixes such as _rc1 and _p2, and the revision -r0.
#pragma once

#include <string_view>

namespace imgforge::sbom {

/// Less than, equal to or greater than 0, as `a` is older than, the same as or newer than `b`. Where one of
/// them has no such form, what comes before its first wrong character decides.
int compare_apk_versions(std::string_view a, std::string_view b);

}  // namespace imgforge::sbom
