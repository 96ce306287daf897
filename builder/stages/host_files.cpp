#include "builder/stages/host_files.hpp"

#include <algorithm>
#include <chrono>
#include <map>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imgforge::stages {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOsRelease = "/etc/os-release";
constexpr const char* kAnyVendor = "debian";
constexpr std::chrono::seconds kPatience{60};

/// With a merged /usr a package may know the file by either path.
std::vector<std::string> spellings(const std::string& path) {
  constexpr std::string_view kUsr = "/usr";
  if (path.starts_with("/usr/")) return {path, path.substr(kUsr.size())};
  return {path, std::string(kUsr) + path};
}

/// What dpkg-query prints; empty when it does not answer. It fails when it does not know one of several.
std::string ask(std::vector<std::string> args, core::ProcessRunner& processes,
                const core::CancelToken& cancel) {
  core::Command command;
  command.program = "dpkg-query";
  command.args = std::move(args);
  command.timeout = kPatience;
  try {
    return processes.run(command, cancel).out;
  } catch (const core::Error& error) {
    if (error.kind() == core::Kind::kInterrupted) throw;
    return "";
  }
}

/// Package by path, out of lines such as "isolinux: /usr/lib/ISOLINUX/isolinux.bin".
std::map<std::string, std::string> owners(const std::vector<HostFile>& files, core::ProcessRunner& processes,
                                          const core::CancelToken& cancel) {
  std::vector<std::string> args{"--search", "--"};
  for (const HostFile& file : files) {
    for (std::string& path : spellings(file.path)) args.push_back(std::move(path));
  }
  std::map<std::string, std::string> out;
  for (const std::string& line : core::split(ask(std::move(args), processes, cancel), '\n')) {
    const std::size_t colon = line.find(": ");
    // Several packages may have a folder, and a diversion is a sentence: neither says whose a file is.
    if (colon == std::string::npos || line.find_first_of(" ,") < colon) continue;
    out.emplace(line.substr(colon + 2), line.substr(0, colon));
  }
  return out;
}

/// Version, architecture and source package by package.
std::map<std::string, std::vector<std::string>> details(const std::vector<std::string>& packages,
                                                        core::ProcessRunner& processes,
                                                        const core::CancelToken& cancel) {
  std::map<std::string, std::vector<std::string>> out;
  if (packages.empty()) return out;
  std::vector<std::string> args{
      "--show",
      "--showformat=${binary:Package}\\t${Package}\\t${Version}\\t${Architecture}\\t${source:Package}\\n",
      "--"};
  args.insert(args.end(), packages.begin(), packages.end());
  for (const std::string& line : core::split(ask(std::move(args), processes, cancel), '\n')) {
    std::vector<std::string> fields = core::split(line, '\t');
    if (fields.size() != 5 || !core::is_utf8(line)) continue;
    const std::string key = fields[0];
    out.emplace(key, fields);
    out.emplace(key.substr(0, key.find(':')), std::move(fields));  // the two questions spell it differently
  }
  return out;
}

/// ID and VERSION_ID of os-release(5).
std::map<std::string, std::string> os_release() {
  std::map<std::string, std::string> out;
  std::error_code error;
  if (!fs::is_regular_file(kOsRelease, error)) return out;
  for (const std::string& line : core::split(core::read_text_file(kOsRelease, 1 << 20), '\n')) {
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos) continue;
    std::string value = line.substr(equals + 1);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    out[line.substr(0, equals)] = value;
  }
  return out;
}

}  // namespace

std::vector<HostFile> look_up_host_files(const std::vector<fs::path>& files, core::ProcessRunner& processes,
                                         const core::CancelToken& cancel) {
  std::vector<HostFile> out;
  for (const fs::path& file : files) {
    HostFile& row = out.emplace_back();
    row.path = file.native();
    row.sha256 = core::digest_of_file(core::HashAlgorithm::kSha256, file);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  if (out.empty()) return out;
  const std::map<std::string, std::string> owner = owners(out, processes, cancel);
  std::vector<std::string> packages;
  for (const auto& [path, package] : owner) packages.push_back(package);
  const auto known = details(packages, processes, cancel);
  std::map<std::string, std::string> system = os_release();
  for (HostFile& row : out) {
    for (const std::string& path : spellings(row.path)) {
      const auto found = owner.find(path);
      const auto fields = found == owner.end() ? known.end() : known.find(found->second);
      if (fields == known.end() || !row.package.empty()) continue;
      row.package = fields->second[1];
      row.version = fields->second[2];
      row.arch = fields->second[3];
      row.source_package = fields->second[4];
      row.vendor = system["ID"].empty() ? kAnyVendor : system["ID"];
      row.vendor_release = system["VERSION_ID"];
    }
  }
  return out;
}

}  // namespace imgforge::stages
