// What a release holds beside packages and models: boot loaders, kernels and other programs, each a component
// with its origin, and the files that no package owns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"

namespace imgforge::sbom {

/// Kinds of components.
inline constexpr std::string_view kBootLoader = "boot loader";
inline constexpr std::string_view kKernel = "kernel";
inline constexpr std::string_view kProgram = "program";

/// One file that came from a package of the build machine or of the image, or from nobody knows where.
struct Component {
  std::string kind;            ///< one of the words above
  std::string name;            ///< "isolinux.bin", "linux"
  std::string version;         ///< of its package, of a kernel its release; empty: not known
  std::string package;         ///< the package that it came from; empty: known by its digest alone
  std::string source_package;  ///< what that was built from
  std::string purl;            ///< of that package
  core::Digest sha256;
  auto operator<=>(const Component&) const = default;
};

/// A regular file of the image whose bytes no package brought.
struct ContentFile {
  std::string path;     ///< without a leading slash; any bytes but NUL
  std::string package;  ///< whose file it took the place of; empty: no package knows the path
  std::uint64_t size = 0;
  std::string sha1;  ///< in hex; SPDX 2.3 wants it of every file
  core::Digest sha256;
  auto operator<=>(const ContentFile&) const = default;
  /// For records of build steps; core/record.hpp.
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("path", self.path);
    visit("package", self.package);
    visit("size", self.size);
    visit("sha1", self.sha1);
    visit("sha256", self.sha256);
  }
};

/// So many files are named; of more, how many are not. All of them stand in files.json.zst.
constexpr std::size_t kMostContentFiles = 10'000;

struct Inventory {
  std::vector<Component> components;
  std::vector<ContentFile> files;  ///< by path
  std::uint64_t files_left_out = 0;
  bool operator==(const Inventory&) const = default;
};

/// The inventory that a CycloneDX document of imgforge tells, for releases that are made from a release. One
/// that tells none gives an empty one. Throws kIntegrity (malformed, more than kMostContentFiles files).
Inventory read_inventory(std::string_view cyclonedx);

}  // namespace imgforge::sbom
