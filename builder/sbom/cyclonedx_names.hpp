// Names of the properties that imgforge puts into CycloneDX documents, written by cyclonedx.cpp and read by
// inventory.cpp.
#pragma once

#include <string_view>

namespace imgforge::sbom {

inline constexpr std::string_view kKind = "imgforge:component";
inline constexpr std::string_view kPackage = "imgforge:package";
inline constexpr std::string_view kSourcePackage = "imgforge:source_package";
inline constexpr std::string_view kSize = "imgforge:size";
/// Of a file that took the place of one of that package.
inline constexpr std::string_view kInPlaceOf = "imgforge:in_place_of_package";
/// Of a path that is no UTF-8, in base64.
inline constexpr std::string_view kPathBytes = "imgforge:path_base64";
inline constexpr std::string_view kFilesLeftOut = "imgforge:files_left_out";

}  // namespace imgforge::sbom
