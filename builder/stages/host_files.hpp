// Files of this machine that images hold as they are (boot loaders, the kernel and shell of the embedded
// base), with the Debian package that each came from.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/cancel.hpp"
#include "core/digest.hpp"
#include "core/process.hpp"

namespace imgforge::stages {

struct HostFile {
  std::string path;
  core::Digest sha256;
  std::string package;  ///< empty: dpkg is not there, or knows no package that the file is of
  std::string version;
  std::string arch;
  std::string source_package;
  std::string vendor;          ///< of the distribution, as os-release has it: "debian"
  std::string vendor_release;  ///< "12"; may be empty
  auto operator<=>(const HostFile&) const = default;
  /// For records of build steps; core/record.hpp.
  template <class Self, class Visit>
  static void members(Self& self, Visit& visit) {
    visit("path", self.path);
    visit("sha256", self.sha256);
    visit("package", self.package);
    visit("version", self.version);
    visit("arch", self.arch);
    visit("source_package", self.source_package);
    visit("vendor", self.vendor);
    visit("vendor_release", self.vendor_release);
  }
};

/// Hashes the files and asks dpkg-query whose they are; sorted by path. What dpkg does not answer stays
/// empty: a build never fails for it. Throws kIo for a file that cannot be read.
std::vector<HostFile> look_up_host_files(const std::vector<std::filesystem::path>& files,
                                         core::ProcessRunner& processes, const core::CancelToken& cancel);

}  // namespace imgforge::stages
